// Marks: keep, retake or reject, for one file at one place. They stay in this browser until they are exported.

const MARKS = { keep: "✓", retake: "↻", reject: "✕" };
const MARKS_NAME = `genmedia marks ${root}`;
const markKey = (asset) => `${asset.file.sha256} ${asset.path}`;

const readMarks = () => {
  try {
    return new Map(Object.entries(JSON.parse(kept.get(MARKS_NAME) ?? "{}")).filter(([, mark]) => Object.hasOwn(MARKS, mark)));
  } catch {
    return new Map();
  }
};
let marks = readMarks();
const markOf = (asset) => marks.get(markKey(asset));

const marksChanged = () => {
  kept.set(MARKS_NAME, JSON.stringify(Object.fromEntries(marks)));
  redraw();
};
const setMark = (asset, mark) => {
  if (markOf(asset) === mark) marks.delete(markKey(asset));
  else marks.set(markKey(asset), mark);
  marksChanged();
};
const HANDS = { k: "keep", r: "retake", x: "reject" };
const markButtons = (asset) => {
  const buttons = Object.entries(HANDS).map(([key, mark]) => {
    const made = button(`mark ${mark}`, `${MARKS[mark]} ${mark}`, () => setMark(asset, mark), { title: `${mark} (${key.toUpperCase()})` });
    made.dataset.mark = mark;
    return made;
  });
  const group = make("div", { className: "marks", asset }, ...buttons);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Mark");
  drawMarks(group);
  return group;
};
const drawMarks = (group) => {
  for (const made of group.children) made.setAttribute("aria-pressed", markOf(group.asset) === made.dataset.mark);
};

const exportMarks = () => {
  const marked = assets.filter(markOf).map((asset) => ({
    mark: markOf(asset),
    path: asset.path,
    sha256: asset.file.sha256,
    submission_key: asset.submission_key,
    output: asset.output.id,
  }));
  const file = new Blob([`${JSON.stringify({ marks: 1, made: new Date().toISOString(), assets: marked }, null, 2)}\n`], { type: "application/json" });
  make("a", { href: URL.createObjectURL(file), download: "marks.json" }).click();
};

// A mark is for the file that was looked at: where it stood, or wherever the same bytes of the same purchase stand now.
const importMarks = async (file) => {
  const here = new Map(assets.map((asset) => [markKey(asset), asset]));
  let [taken, strangers] = [0, 0];
  try {
    const read = JSON.parse(await file.text());
    if (read.marks !== 1 || !Array.isArray(read.assets)) throw new Error("not a file of marks");
    for (const { mark, path, sha256, submission_key: key, output } of read.assets) {
      if (!Object.hasOwn(MARKS, mark)) throw new Error(`there is no mark ${mark}`);
      const moved = (bySha.get(sha256) ?? []).find((asset) => asset.submission_key === key && asset.output.id === output);
      const asset = here.get(`${sha256} ${path}`) ?? moved;
      if (asset) {
        marks.set(markKey(asset), mark);
        taken += 1;
      } else strangers += 1;
    }
  } catch (error) {
    marks = readMarks();
    return notice(`${file.name} cannot be imported: ${error.message}.`);
  }
  marksChanged();
  notice(`${count(taken, "mark")} imported.${strangers ? ` ${count(strangers, "mark")} left out: what they are for is not here.` : ""}`);
};

at("export").addEventListener("click", exportMarks);
at("import").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) importMarks(target.files[0]);
  target.value = "";
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  if (event.dataTransfer.files[0]) importMarks(event.dataTransfer.files[0]);
});
addEventListener("storage", ({ key }) => {
  if (key !== MARKS_NAME) return;
  marks = readMarks();
  redraw();
});
