// Of a page that a server keeps up to date: what is new in the store and what others say shows by itself, and pictures are put into it.

const ASK_SECONDS = { well: 2, ill: 10 };
let version = live?.version;
let unheard = false;

// What stands at the top of the window stays there, whatever comes in above it.
const holdingStill = (change) => {
  const top = (place) => at("grid").getBoundingClientRect().top + place.top;
  const seen = scrollY > 0 && places.find((place) => top(place) + place.height > at("bar").offsetHeight);
  const before = seen && top(seen);
  change();
  const now = seen && places.find(({ asset }) => asset.path === seen.asset.path);
  if (now) scrollBy(0, top(now) - before);
};

const takeIn = (told) => {
  const fresh = new Map(told.assets.map((asset) => [asset.path, asset]));
  const renew = (asset) => fresh.get(asset.path) ?? (order.has(asset.path) ? asset : undefined);
  const order = new Set(told.order);
  holdingStill(() => {
    assets = told.order.map((path) => fresh.get(path) ?? byPath.get(path));
    leftOut = told.left_out;
    picked = picked.map(renew).filter(Boolean);
    compared = compared.map((asset) => renew(asset) ?? asset);
    const opened = current && (renew(current) ?? null);
    const gone = at("detail").open && !opened;
    current = opened;
    survey();
    surveyFilters();
    if (gone) at("detail").close();
    redraw();
  });
  drawPicked();
  drawLeftOut();
  if (at("detail").open && !at("facts").contains(document.activeElement) && !whyOf(current)) drawFacts();
  version = told.version;
};

const ask = async () => {
  const answer = await fetch(`.genmedia/live?since=${encodeURIComponent(version)}&heard=${heard}`);
  if (answer.status === 401) return location.reload();
  if (!answer.ok) throw new Error(await answer.text());
  const told = await answer.json();
  if (told.version !== version) takeIn(told);
  hear(told);
};

const keepUp = async () => {
  try {
    if (!document.hidden) await ask();
    unheard = false;
  } catch (error) {
    if (!unheard) notice(`What is new does not show: ${error instanceof TypeError ? "the server does not answer" : error.message}`);
    unheard = true;
  }
  setTimeout(keepUp, (unheard ? ASK_SECONDS.ill : ASK_SECONDS.well) * 1e3);
};

const putUp = async (files) => {
  const [stored, refused] = [[], []];
  for (const file of files) {
    notice(`${file.name} is on its way …`);
    try {
      const answer = await fetch(`.genmedia/uploads?name=${encodeURIComponent(file.name)}`, { method: "POST", body: file });
      if (answer.ok) stored.push((await answer.json()).path);
      else refused.push(await answer.text());
    } catch {
      refused.push(`${file.name} did not arrive: the server does not answer.`);
    }
  }
  if (stored.length) await ask().catch(() => {});
  const told = stored.length ? `${count(stored.length, "picture is", "pictures are")} in the store, to be used as inputs.` : "";
  notice([told, ...refused].filter(Boolean).join(" "));
  if (stored.length === 1 && byPath.has(stored[0])) show(byPath.get(stored[0]));
};

if (live) {
  at("own").querySelector("h3").textContent = "Verdicts";
  at("upload").hidden = false;
  at("upload").addEventListener("click", () => at("pictures").click());
  at("pictures").addEventListener("change", ({ target }) => {
    putUp([...target.files]);
    target.value = "";
  });
}
