// What the keys do, light and dark, and the first drawing.

const redraw = () => {
  const before = places[active]?.asset;
  const focused = at("grid").contains(document.activeElement);
  choose();
  const all = shown.length === assets.length ? count(assets.length, "asset") : `${number.format(shown.length)} of ${count(assets.length, "asset")}`;
  at("counts").textContent = [all, count(new Set(shown.map((asset) => asset.campaign)).size, "campaign"), ...charges(shown)].join(" · ");
  at("counts").title = at("counts").textContent; // a narrow window cuts it off
  at("nothing").hidden = shown.length > 0;
  at("nothing").textContent = assets.length ? "Nothing here fits the filter." : "Nothing is stored here yet.";
  at("clear").hidden = !at("search").value && facets.every((facet) => !facet.chosen.size);
  at("export").disabled = at("copy-marks").disabled = !assets.some(markOf);
  arrange();
  const index = shown.indexOf(before);
  active = index >= 0 ? index : Math.min(active, Math.max(0, shown.length - 1));
  draw();
  if (focused && index < 0) goTo(active);
  document.querySelectorAll(".marks").forEach(drawMarks);
  document.querySelectorAll(".said").forEach(drawTalk);
  writeAddress();
};

const drawLeftOut = () => {
  const [summary, names] = at("left-out").children;
  summary.textContent = `${count(leftOut.length, "file")} left out`;
  names.replaceChildren(...leftOut.map(({ name, why }) => make("li", {}, `${name}: ${why}`)));
  at("left-out").hidden = !leftOut.length;
};

const ZOOMS = { "+": 1.5, "=": 1.5, "-": 1 / 1.5, 0: 0 };
const aim = () => {
  if (at("detail").open) return current;
  if (at("compare").open) return compared[paneInFocus()];
  return at("grid").contains(document.activeElement) ? shown[active] : undefined;
};
const decide = (asset, mark) => {
  if (isDecided(asset)) setMark(asset, mark, whyOf(asset));
};
// Returns whether the key was the page's; `from` is where it was pressed.
const press = (key, from) => {
  const [detail, comparing] = [at("detail").open, at("compare").open];
  const hand = HANDS[key.toLowerCase()];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[key];
  if (key === "?") at("keys").open ? at("keys").close() : at("keys").showModal();
  else if (at("keys").open || at("who").open) return false;
  else if (hand && aim()) decide(aim(), hand);
  else if (key.toLowerCase() === "c") comparing ? at("compare").close() : detail ? compareTakes(current) : compareChosen(aim());
  else if (key in ZOOMS && (detail || comparing)) (detail ? stage : panes).towards(ZOOMS[key]);
  else if (step && detail && from.tagName !== "VIDEO") turn(step);
  else if (step && comparing && from.tagName !== "VIDEO") goToPane(step);
  else if (key === "Escape" && from.tagName === "IFRAME") (detail ? at("detail") : at("compare")).close();
  else if (detail || comparing) return false;
  else if (key === "/") at("search").focus();
  else if (key === " " && from.closest(".tile .frame")) pick(aim());
  else if (step) goTo(aim() ? active + step : active);
  else if (/^Arrow(Up|Down)$/.test(key) && places.length) aim() ? goUpOrDown(key === "ArrowUp" ? -1 : 1) : goTo(active);
  else if (key === "Home" && aim()) goTo(0);
  else if (key === "End" && aim()) goTo(shown.length - 1);
  else return false;
  return true;
};
addEventListener("keydown", (event) => {
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
    if (event.target !== at("search")) return;
    if (event.key === "Escape" || event.key === "ArrowDown") {
      event.preventDefault();
      goTo(active);
    }
  } else if (press(event.key, event.target)) event.preventDefault();
});
addEventListener("keyup", (event) => {
  if (event.key === " " && event.target.matches(".tile .frame")) event.preventDefault(); // else some browsers would open it
});
at("help").addEventListener("click", () => at("keys").showModal());
at("keys-close").addEventListener("click", () => at("keys").close());
at("filters").addEventListener("click", () => {
  const open = document.body.classList.toggle("filtering");
  at("filters").setAttribute("aria-expanded", open);
  if (open) at("side").scrollIntoView({ block: "nearest" });
});

// On a phone the bar is one row: how much is shown stands below it.
const phone = matchMedia("(max-width: 40rem)");
const placeCounts = () => (phone.matches ? at("grid").before(at("counts")) : at("title").after(at("counts")));
phone.addEventListener("change", placeCounts);
placeCounts();

const THEMES = { auto: "light dark", light: "light", dark: "dark" };
const setTheme = (name) => {
  document.documentElement.style.colorScheme = THEMES[name];
  const [sign, word] = { auto: ["◐", "Auto"], light: ["☼", "Light"], dark: ["☾", "Dark"] }[name];
  at("theme").replaceChildren(sign, " ", make("span", { className: "word", textContent: word }));
  at("theme").dataset.theme = name;
};
at("theme").addEventListener("click", () => {
  const names = Object.keys(THEMES);
  setTheme(names[(names.indexOf(at("theme").dataset.theme) + 1) % names.length]);
  kept.set("genmedia theme", at("theme").dataset.theme);
});

const theme = kept.get("genmedia theme");
setTheme(Object.hasOwn(THEMES, theme ?? "") ? theme : "auto");
document.title = at("title").textContent = root || "Gallery";
if (!("galleryData" in globalThis)) notice("The data of this page are missing: they stand in .genmedia/gallery-data.js beside it.");
drawLeftOut();
readAddress();
if (live) keepUp();
