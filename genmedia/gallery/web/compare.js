// Compare: takes of one request, or any 2 to 4 that were picked by hand, side by side.

const MOST_PANES = 4;
const panes = looking(at("panes"));
let picked = [];
let compared = [];

const pick = (asset) => {
  if (picked.includes(asset)) picked = picked.filter((one) => one !== asset);
  else if (picked.length < MOST_PANES) picked = [...picked, asset];
  else notice(`No more than ${MOST_PANES} can be compared at once.`);
  drawPicked();
};
const drawPicked = () => {
  at("picked").hidden = !picked.length;
  at("picked-count").textContent = picked.length === 1 ? "1 chosen: choose another to compare" : `${picked.length} chosen`;
  at("compare-picked").disabled = picked.length < 2;
  draw();
};

const compareTakes = (asset) => {
  const all = takes.get(wishOf(asset)) ?? [];
  if (all.length < 2) return notice("There is no other take of this. Choose 2 to 4 with Space, then press C.");
  const first = Math.max(0, Math.min(all.indexOf(asset) - 1, all.length - MOST_PANES));
  compare(all.slice(first, first + MOST_PANES));
};
const compareChosen = (asset) => {
  if (picked.length > 1) compare(picked);
  else if (asset) compareTakes(asset);
};

const makePane = (asset) => {
  const pane = make("div", { className: "pane" }, large(asset));
  const facts = [pixels(asset.file), costOf(asset)].filter(Boolean).join(" · ");
  const figure = make(
    "figure",
    { tabIndex: 0 },
    pane,
    make(
      "figcaption",
      {},
      make("p", {}, make("strong", { textContent: [titleOf(asset), takeOf(asset)].filter(Boolean).join(" · ") }), make("span", { className: "soft", textContent: facts })),
      markButtons(asset),
      button("plain-button", "Details", () => show(asset)),
    ),
  );
  figure.setAttribute("aria-label", [titleOf(asset), takeOf(asset)].filter(Boolean).join(", "));
  return figure;
};
const compare = (some) => {
  compared = some;
  panes.reset();
  at("panes").dataset.count = some.length;
  at("panes").replaceChildren(...some.map(makePane));
  if (!at("compare").open) at("compare").showModal();
  if (at("detail").open) at("detail").close();
  at("panes").firstChild.focus();
};
const paneInFocus = () => [...at("panes").children].findIndex((pane) => pane.contains(document.activeElement));
const goToPane = (by) => at("panes").children[(Math.max(0, paneInFocus()) + by + compared.length) % compared.length].focus();

at("compare-picked").addEventListener("click", () => compareChosen());
at("unpick").addEventListener("click", () => {
  picked = [];
  drawPicked();
});
at("compare-close").addEventListener("click", () => at("compare").close());
at("compare").addEventListener("close", () => {
  at("panes").replaceChildren();
  const index = shown.indexOf(compared[0]);
  if (index >= 0 && !at("detail").open) goTo(index);
});
