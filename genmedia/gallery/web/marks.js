// Marks: keep, retake or reject, for one file. On a page that a server keeps up to date they are verdicts of people, in the store's journal,
// which all see; else they are of the file at its place, and stay in this browser until they are exported.
// The same seed would give the same again: a retake of what was asked for with one has another, which a person may change.

const MARKS = { keep: "✓", retake: "↻", reject: "✕" };
const outputKey = (asset) => JSON.stringify([asset.submission_key, asset.attempt, asset.output.id, asset.output.number ?? 1]);
const markKey = live ? outputKey : (asset) => `${asset.file.sha256} ${asset.path}`;
const isSeed = Number.isSafeInteger;
const isPrompt = (value) => typeof value === "string" && value !== "";

// What counts now, by the key of its asset.
const NAMES = { marks: `genmedia marks ${root}`, seeds: `genmedia seeds ${root}`, prompts: `genmedia prompts ${root}` };
const inBrowser = (name, fits) => {
  try {
    return new Map(Object.entries(JSON.parse(kept.get(name) ?? "{}")).filter(([, value]) => fits(value)));
  } catch {
    return new Map();
  }
};
let marks, seeds, prompts;
const readMarks = () => {
  const read = (name, fits) => (live ? new Map() : inBrowser(name, fits));
  marks = read(NAMES.marks, (mark) => Object.hasOwn(MARKS, mark));
  seeds = read(NAMES.seeds, isSeed);
  prompts = read(NAMES.prompts, isPrompt);
};
readMarks();
const keepMarks = () => {
  if (live) return;
  for (const [name, values] of [[NAMES.marks, marks], [NAMES.seeds, seeds], [NAMES.prompts, prompts]]) kept.set(name, JSON.stringify(Object.fromEntries(values)));
};

const isDecided = (asset) => !isUpload(asset) && !(live && asset.quarantined); // what people decide on
const markOf = (asset) => marks.get(markKey(asset));
const seedOf = ({ request }) => [request.seed, request.parameters?.seed].find(isSeed);
const otherSeed = () => {
  const used = new Set([...assets.map(seedOf), ...seeds.values()]);
  let seed = 1;
  while (used.has(seed)) seed += 1;
  return seed;
};
// The prompt that a retake may change: the request's own, or the only text among its inputs.
const promptOf = ({ request }) => {
  if (typeof request.prompt === "string") return request.prompt;
  const told = (Array.isArray(request.inputs) ? request.inputs : []).filter((input) => typeof input?.text === "string");
  return told.length === 1 ? told[0].text : undefined;
};
const put = (values, key, value, fits) => (fits(value) ? values.set(key, value) : values.delete(key));
const setSeed = (asset, seed) => put(seeds, markKey(asset), seed, isSeed);
const setPrompt = (asset, prompt) => put(prompts, markKey(asset), prompt === promptOf(asset) ? "" : prompt, isPrompt);

// What a retake is bought with, where that is not what there was.
const retakeOf = (asset) => {
  if (markOf(asset) !== "retake") return {};
  const [seed, prompt] = [seeds.get(markKey(asset)), prompts.get(markKey(asset))];
  return { ...(seed !== undefined && seedOf(asset) !== undefined ? { seed } : {}), ...(prompt !== undefined && promptOf(asset) !== undefined ? { prompt } : {}) };
};

const marksChanged = (some, why) => {
  keepMarks();
  redraw();
  if (live) tellVerdicts(some, why);
};
// What somebody else has decided is not taken back by deciding the same.
const setMark = (asset, mark, why = "") => {
  const key = markKey(asset);
  if (markOf(asset) === mark && (!live || decidedBy(asset) === person)) marks.delete(key);
  else marks.set(key, mark);
  if (markOf(asset) === "retake" && seedOf(asset) !== undefined && !seeds.has(key)) setSeed(asset, otherSeed());
  marksChanged([asset], why);
};
const HANDS = { k: "keep", r: "retake", x: "reject" };
const markButtons = (asset, ...more) => {
  const buttons = Object.entries(HANDS).map(([key, mark]) => {
    const made = button(`mark ${mark}`, `${MARKS[mark]} ${mark}`, () => setMark(asset, mark, whyOf(asset)), { title: `${mark} (${key.toUpperCase()})` });
    made.dataset.mark = mark;
    return made;
  });
  const seed = seedOf(asset) === undefined ? [] : [retakeField(asset, "seed", make("input", { type: "number", step: 1, autocomplete: "off" }), (field) => setSeed(asset, field.valueAsNumber))];
  const group = make("div", { className: "marks", asset }, ...buttons, ...seed, ...more);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", "Mark");
  drawMarks(group);
  return group;
};
const retakeField = (asset, name, field, set) => {
  field.addEventListener("input", () => {
    set(field);
    keepMarks();
  });
  if (live) field.addEventListener("change", () => markOf(asset) === "retake" && tellVerdicts([asset]));
  return make("label", { className: `again ${name}` }, name === "seed" ? "with the seed " : "Prompt of a retake ", field);
};
// It is there before anything is decided: a retake is bought as soon as it stands in the journal.
const promptField = (asset) => (promptOf(asset) === undefined ? [] : [retakeField(asset, "prompt", make("textarea", { rows: 3 }), (field) => setPrompt(asset, field.value))]);
const drawMarks = (group) => {
  const mark = markOf(group.asset);
  for (const made of group.querySelectorAll(".mark")) made.setAttribute("aria-pressed", mark === made.dataset.mark);
  for (const label of group.querySelectorAll(".again")) {
    const [field, key] = [label.lastChild, markKey(group.asset)];
    label.hidden = label.classList.contains("seed") && mark !== "retake";
    if (document.activeElement !== field) field.value = (label.classList.contains("seed") ? seeds.get(key) : (prompts.get(key) ?? promptOf(group.asset))) ?? "";
  }
};

const writtenMarks = (spaces) => {
  const marked = assets.filter(markOf).map((asset) => ({
    mark: markOf(asset),
    path: asset.path,
    sha256: asset.file.sha256,
    submission_key: asset.submission_key,
    output: asset.output.id,
    ...retakeOf(asset),
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
  const here = new Map(assets.map((asset) => [`${asset.file.sha256} ${asset.path}`, asset]));
  const found = [];
  let strangers = 0;
  try {
    const read = JSON.parse(await file.text());
    if (read.marks !== 1 || !Array.isArray(read.assets)) throw new Error("not a file of marks");
    for (const { mark, path, sha256, submission_key: key, output, seed, prompt } of read.assets) {
      if (!Object.hasOwn(MARKS, mark)) throw new Error(`there is no mark ${mark}`);
      const moved = (bySha.get(sha256) ?? []).find((asset) => asset.submission_key === key && asset.output.id === output);
      const asset = here.get(`${sha256} ${path}`) ?? moved;
      if (asset) found.push({ asset, mark, seed, prompt });
      else strangers += 1;
    }
  } catch (error) {
    return notice(`${file.name} cannot be imported: ${error.message}.`);
  }
  for (const { asset, mark, seed, prompt } of found) {
    marks.set(markKey(asset), mark);
    if (seed !== undefined) setSeed(asset, seed);
    if (prompt !== undefined) setPrompt(asset, prompt);
  }
  marksChanged(found.map(({ asset }) => asset));
  notice(`${count(found.length, "mark")} imported.${strangers ? ` ${count(strangers, "mark")} left out: what they are for is not here.` : ""}`);
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
  if (live || !Object.values(NAMES).includes(key)) return;
  readMarks();
  redraw();
});
