// Filters: what is chosen stands in the address behind #, so that a link keeps it.

const MOST_CHOICES = 12;
const facets = [
  { name: "type", title: "Type", of: typeOf },
  { name: "mark", title: "Mark", of: (asset) => markOf(asset) ?? "none" },
  { name: "status", title: "Status", of: statusOf },
  { name: "campaign", title: "Campaign", of: (asset) => [...new Set(usesOf(asset).map(({ campaign }) => campaign))] },
  { name: "provider", title: "Provider", of: (asset) => asset.provider },
  { name: "take", title: "Take", of: (asset) => String(asset.take) },
  { name: "step", title: "Step", of: (asset) => [...new Set(usesOf(asset).map(({ step }) => step))] },
];
const valuesOf = (facet, asset) => [facet.of(asset)].flat();
const FIXED = { mark: [...Object.keys(MARKS), "none"], status: ["stored", "warnings", "quarantined"], type: ["image", "video", "model", "text"] };
for (const facet of facets) {
  facet.chosen = new Set();
  facet.list = make("div", { className: "choices" });
  facet.more = make("p", { className: "soft more", hidden: true });
  const group = make("section", { className: "facet" }, make("h3", { textContent: facet.title }), facet.list, facet.more);
  group.setAttribute("role", "group");
  group.setAttribute("aria-label", facet.title);
  at("facets").append(group);
}

const texts = (value) => (typeof value === "string" ? [value] : value && typeof value === "object" ? Object.values(value).flatMap(texts) : []);
const wordsOf = (asset) =>
  [
    ...usesOf(asset).flatMap(({ campaign, step, labels = {} }) => [campaign, step, ...Object.entries(labels).flatMap(([name, value]) => [value, `${name}=${value}`, `${name}: ${value}`])]),
    ...[asset.output.id, techniqueOf(asset), asset.path],
    ...texts(asset.request),
    ...asset.inputs.flatMap(({ text = "", from = "", asset: path = "" }) => [text, from, path]),
    ...texts(asset.place ?? []),
  ]
    .join("\n")
    .toLowerCase();

// What can be chosen and searched among all assets; made anew whenever there are others.
let haystacks;
const surveyFilters = () => {
  for (const facet of facets) {
    facet.values = [...new Set([...(FIXED[facet.name] ?? []), ...assets.flatMap((asset) => valuesOf(facet, asset))])];
    if (facet.name === "take") facet.values.sort((one, other) => one - other);
  }
  haystacks = new Map(assets.map((asset) => [asset, wordsOf(asset)]));
};
surveyFilters();

let shown = assets;
const choose = () => {
  const words = at("search").value.toLowerCase().split(/\s+/);
  const counts = new Map(facets.map((facet) => [facet, new Map()]));
  const add = (facet, asset) => {
    for (const value of valuesOf(facet, asset)) counts.get(facet).set(value, (counts.get(facet).get(value) ?? 0) + 1);
  };
  shown = [];
  for (const asset of assets) {
    if (!words.every((word) => haystacks.get(asset).includes(word))) continue;
    const against = facets.filter((facet) => facet.chosen.size && !valuesOf(facet, asset).some((value) => facet.chosen.has(value)));
    if (!against.length) {
      shown.push(asset);
      for (const facet of facets) add(facet, asset);
    } else if (against.length === 1) add(against[0], asset); // it would be here if this group chose it as well
  }
  for (const facet of facets) drawFacet(facet, counts.get(facet));
};

const drawFacet = (facet, counts) => {
  const fitting = facet.values.filter((value) => counts.get(value) || facet.chosen.has(value));
  const offered = fitting.filter((value, place) => place < MOST_CHOICES || facet.chosen.has(value));
  const focused = facet.list.contains(document.activeElement) ? document.activeElement.dataset.value : null;
  const choices = offered.map((value) => {
    const choice = button("choice", "", () => {
      if (!facet.chosen.delete(value)) facet.chosen.add(value);
      redraw();
    });
    choice.dataset.value = value;
    choice.title = value;
    choice.append(make("span", { textContent: value }), " ", make("span", { className: "n", textContent: number.format(counts.get(value) ?? 0) }));
    choice.setAttribute("aria-pressed", facet.chosen.has(value));
    return choice;
  });
  facet.list.replaceChildren(...choices);
  facet.list.parentNode.hidden = offered.length < 2 && !facet.chosen.size;
  facet.more.hidden = fitting.length === offered.length;
  facet.more.textContent = `and ${number.format(fitting.length - offered.length)} more: search for them`;
  if (focused !== null) (choices.find((choice) => choice.dataset.value === focused) ?? at("search")).focus();
};

const writeAddress = () => {
  const chosen = facets.flatMap((facet) => [...facet.chosen].map((value) => [facet.name, value]));
  if (at("search").value) chosen.push(["q", at("search").value]);
  if (at("detail").open) chosen.push(["open", current.path]);
  history.replaceState(null, "", `#${new URLSearchParams(chosen)}`);
};
const readAddress = () => {
  const named = new URLSearchParams(location.hash.slice(1));
  for (const facet of facets) facet.chosen = new Set(named.getAll(facet.name));
  at("search").value = named.get("q") ?? "";
  redraw();
  const open = assets.find((asset) => asset.path === named.get("open"));
  if (open) show(open);
  else at("detail").close();
};

const clearFilters = () => {
  for (const facet of facets) facet.chosen.clear();
  at("search").value = "";
  redraw();
};
at("clear").addEventListener("click", clearFilters);
at("search").addEventListener("input", () => redraw());
addEventListener("hashchange", readAddress);
