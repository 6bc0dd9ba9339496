// Marks: keep, retake or reject, for one file at one place. They stay in this browser until they are exported.
// The same seed would give the same again: a retake of what was asked for with one has another, which a person may change.

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

const SEEDS_NAME = `genmedia seeds ${root}`;
const readSeeds = () => {
  try {
    return new Map(Object.entries(JSON.parse(kept.get(SEEDS_NAME) ?? "{}")).filter(([, seed]) => Number.isSafeInteger(seed)));
  } catch {
    return new Map();
  }
};
let seeds = readSeeds();
const seedOf = ({ request }) => [request.seed, request.parameters?.seed].find(Number.isSafeInteger);
const otherSeed = () => {
  const used = new Set([...assets.map(seedOf), ...seeds.values()]);
  let seed = 1;
  while (used.has(seed)) seed += 1;
  return seed;
};
const setSeed = (asset, seed) => {
  if (Number.isSafeInteger(seed)) seeds.set(markKey(asset), seed);
  else seeds.delete(markKey(asset));
  kept.set(SEEDS_NAME, JSON.stringify(Object.fromEntries(seeds)));
};

const marksChanged = () => {
  kept.set(MARKS_NAME, JSON.stringify(Object.fromEntries(marks)));
  redraw();
};
const setMark = (asset, mark) => {
  if (markOf(asset) === mark) marks.delete(markKey(asset));
  else marks.set(markKey(asset), mark);
  if (markOf(asset) === "retake" && seedOf(asset) !== undefined && !seeds.has(markKey(asset))) setSeed(asset, otherSeed());
  marksChanged();
};
const HANDS = { k: "keep", r: "retake", x: "reject" };
const markButtons = (asset) => {
  const buttons = Object.entries(HANDS).map(([key, mark]) => {
    const made = button(`mark ${mark}`, `${MARKS[mark]} ${mark}`, () => setMark(asset, mark), { title: `${mark} (${key.toUpperCase()})` });
    made.dataset.mark = mark;
    return made;
  });
  const seed = make("input", { type: "number", step: 1, autocomplete: "off" });
  seed.addEventListener("input", () => setSeed(asset, seed.valueAsNumber));
  const group = make("div", { className: "marks", asset }, ...buttons, seedOf(asset) === undefined ? null : make("label", { className: "seed" }, "with the seed ", seed));
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Mark");
  drawMarks(group);
  return group;
};
const drawMarks = (group) => {
  const mark = markOf(group.asset);
  for (const made of group.querySelectorAll(".mark")) made.setAttribute("aria-pressed", mark === made.dataset.mark);
  const seed = group.querySelector(".seed");
  if (!seed) return;
  seed.hidden = mark !== "retake";
  if (document.activeElement !== seed.lastChild) seed.lastChild.value = seeds.get(markKey(group.asset)) ?? "";
};

const writtenMarks = (spaces) => {
  const marked = assets.filter(markOf).map((asset) => ({
    mark: markOf(asset),
    path: asset.path,
    sha256: asset.file.sha256,
    submission_key: asset.submission_key,
    output: asset.output.id,
    ...(markOf(asset) === "retake" && seeds.has(markKey(asset)) ? { seed: seeds.get(markKey(asset)) } : {}),
  }));
  return JSON.stringify({ marks: 1, made: new Date().toISOString(), assets: marked }, null, spaces);
};

const copyMarks = () => {
  const told = `Copied: ${count(assets.filter(markOf).length, "mark")}, for the field Marks from the gallery in a form.`;
  return copyText(writtenMarks(), told, "This browser copies nothing for a page: export the marks.");
};

const exportMarks = () => {
  const file = new Blob([`${writtenMarks(2)}\n`], { type: "application/json" });
  make("a", { href: URL.createObjectURL(file), download: "marks.json" }).click();
};

// A mark is for the file that was looked at: where it stood, or wherever the same bytes of the same purchase stand now.
const importMarks = async (file) => {
  const here = new Map(assets.map((asset) => [markKey(asset), asset]));
  let [taken, strangers] = [0, 0];
  try {
    const read = JSON.parse(await file.text());
    if (read.marks !== 1 || !Array.isArray(read.assets)) throw new Error("not a file of marks");
    for (const { mark, path, sha256, submission_key: key, output, seed } of read.assets) {
      if (!Object.hasOwn(MARKS, mark)) throw new Error(`there is no mark ${mark}`);
      const moved = (bySha.get(sha256) ?? []).find((asset) => asset.submission_key === key && asset.output.id === output);
      const asset = here.get(`${sha256} ${path}`) ?? moved;
      if (asset) {
        marks.set(markKey(asset), mark);
        if (seed !== undefined) setSeed(asset, seed);
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

at("copy-marks").addEventListener("click", copyMarks);
at("export").addEventListener("click", exportMarks);
at("import").addEventListener("click", () => at("file").click());
at("file").addEventListener("change", ({ target }) => {
  if (target.files[0]) importMarks(target.files[0]);
  target.value = "";
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  const files = [...event.dataTransfer.files];
  const pictures = live ? files.filter(({ type }) => type.startsWith("image/")) : [];
  if (pictures.length) putUp(pictures);
  else if (files[0]) importMarks(files[0]);
});
addEventListener("storage", ({ key }) => {
  if (key !== MARKS_NAME && key !== SEEDS_NAME) return;
  [marks, seeds] = [readMarks(), readSeeds()];
  redraw();
});
