// FLORA's official client for Node against the sandbox; what it saw is printed as JSON.
// Arguments: its folder, base URL, API key, a small picture, a large one, a file that is none, the address of a picture.
const [folder, baseURL, apiKey, small, large, wrong, link] = process.argv.slice(2);
const { default: FLORA } = await import(`file://${folder}/index.mjs`);
const flora = new FLORA({ apiKey, baseURL });
const all = async (list) => {
  const found = [];
  for await (const one of list) found.push(one);
  return found;
};
const refusal = async (call) => {
  try {
    await call;
  } catch (error) {
    return { status: error.status ?? null, code: error.error?.error?.code ?? null, message: error.message };
  }
  return null;
};

const { workspaces } = await flora.workspaces.list();
const workspace_id = workspaces[0].workspace_id;
const project = await flora.projects.create({ workspace_id, name: "Mugs" });
const projects = await all(flora.projects.list({ workspace_id }));

const uploads = {
  path: await flora.assets.upload(small, { workspace_id, project_id: project.project_id }),
  large: await flora.assets.upload(large, { workspace_id }),
  link: await flora.assets.upload(link, { workspace_id }),
};
const refused = {
  "no workspace": await refusal(flora.assets.upload(small, {})),
  "no picture": await refusal(flora.assets.upload(wrong, { workspace_id })),
};
const assets = await all(flora.assets.list({ workspace_id, limit: 2 }));

const techniques = await all(flora.techniques.list());
const technique = await flora.techniques.retrieve("portrait-enhancer");
const order = { inputs: [{ id: "input_image", type: "imageUrl", value: uploads.path.url }], mode: "async" };
const key = { headers: { "Idempotency-Key": "mug-1" } };
let run = await flora.techniques.runs.create(technique.technique_id, order, key);
refused["the same key"] = await refusal(flora.techniques.runs.create(technique.technique_id, order, key));
while (!["completed", "failed"].includes(run.status)) {
  await new Promise((wake) => setTimeout(wake, 100));
  run = await flora.techniques.runs.retrieve(run.run_id, { techniqueId: technique.technique_id });
}
const runs = await all(flora.techniques.runs.list({ workspace_id, status: "completed" }));

console.log(JSON.stringify({ workspaces, project, projects, uploads, refused, assets, techniques, technique, run, runs }));
