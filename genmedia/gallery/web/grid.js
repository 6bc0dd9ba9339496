// The grid: rows that fill the width, of which only what is near the window is in the page.

const GAP = 14;
const CAPTION = 44;
const HEAD = 68;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const thumbnail = (asset, properties) => {
  const source = asset.thumbnail ?? (typeOf(asset) === "image" && !asset.quarantined ? asset.href : null);
  return source && make("img", { src: source, alt: "", decoding: "async", draggable: false, ...properties });
};
const shapeOf = (asset) => {
  const { width = 4, height = 3 } = asset.file;
  return Math.min(3, Math.max(0.5, width / height));
};

// Where everything is: a heading for each campaign, and below it rows in which every tile is as high as its neighbours.
let heads = [];
let places = [];
let rows = [];
const arrange = () => {
  const width = at("grid").clientWidth;
  const wanted = innerWidth < 640 ? 150 : 232;
  [heads, places, rows] = [[], [], []];
  let top = 0;
  for (const [campaign, members] of grouped(shown, (asset) => asset.campaign)) {
    heads.push({ top, campaign, members });
    top += HEAD;
    for (let first = 0; first < members.length; ) {
      let [next, shapes, height] = [first, 0, Infinity];
      while (next < members.length && height > wanted) {
        shapes += shapeOf(members[next]);
        next += 1;
        height = (width - GAP * (next - first - 1)) / shapes;
      }
      height = Math.min(height, wanted); // a last row that does not fill the width stays as high as the others
      rows.push({ top, first: places.length, next: places.length + next - first });
      let left = 0;
      for (const asset of members.slice(first, next)) {
        const wide = Math.min(width, shapeOf(asset) * height);
        places.push({ asset, left, top, width: wide, height, row: rows.length - 1 });
        left += wide + GAP;
      }
      first = next;
      top += height + CAPTION + GAP;
    }
  }
  at("grid").style.height = `${top}px`;
};

const tileContent = (asset) => {
  const type = typeOf(asset);
  if (asset.quarantined) return [make("span", { className: "words refused", textContent: asset.warnings.join("\n") })];
  if (type === "text") return [make("span", { className: "words", textContent: asset.text.slice(0, 600) })];
  const picture = thumbnail(asset, { loading: "lazy" });
  if (type === "image") return [picture];
  if (type === "video") {
    const badge = make("span", { className: "badge" }, asset.file.duration ? `▶ ${seconds(asset.file.duration)}` : "▶");
    return [picture ?? make("video", { src: asset.href, preload: "metadata", muted: true }), badge];
  }
  return [picture, make("span", { className: "badge" }, type === "model" ? "3D" : asset.file.media_type)];
};

const playOnHover = (tile, asset) => {
  let film = null;
  tile.addEventListener("pointerenter", () => {
    film = make("video", { src: asset.href, muted: true, loop: true, playsInline: true });
    tile.querySelector(".frame").append(film);
    film.play().catch(() => {}); // the pointer may leave before it starts
  });
  tile.addEventListener("pointerleave", () => {
    film?.pause();
    film?.remove();
  });
};

const makeTile = (asset) => {
  const details = [asset.output.id, takeOf(asset), pixels(asset.file), triangles(asset.file)].filter(Boolean).join(" · ");
  const open = make("button", { type: "button", className: "frame", title: asset.path, tabIndex: -1 }, ...tileContent(asset));
  open.addEventListener("click", (event) => (event.shiftKey ? pick(asset) : show(asset)));
  open.addEventListener("focus", () => activate(asset));
  const tile = make(
    "article",
    { className: "tile" },
    open,
    make("p", { className: "step", textContent: asset.step, title: asset.step }),
    make("p", { className: "soft", textContent: details }),
    make("span", { className: "sign" }),
    button("pick", "", () => pick(asset), { title: "Choose to compare (Space)", tabIndex: -1 }),
  );
  tile.querySelector(".pick").setAttribute("aria-label", `Compare ${asset.path}`);
  if (typeOf(asset) === "video" && !asset.quarantined && !still) playOnHover(tile, asset);
  return tile;
};

const dressTile = (tile, place, index) => {
  const { asset } = place;
  const [mark, status] = [markOf(asset), statusOf(asset)];
  const told = [`${asset.step}, ${asset.output.id}`, typeOf(asset), takeOf(asset), status === "stored" ? null : status, mark ? `marked ${mark}` : null];
  tile.style.cssText = `transform: translate(${place.left}px, ${place.top}px); width: ${place.width}px; height: ${place.height + CAPTION}px`;
  tile.dataset.mark = mark ?? "";
  tile.dataset.status = status;
  tile.setAttribute("aria-posinset", index + 1);
  tile.setAttribute("aria-setsize", shown.length);
  const sign = [status === "stored" ? "" : "⚠", mark ? `${MARKS[mark]} ${mark}` : ""].filter(Boolean).join(" ");
  tile.querySelector(".sign").textContent = sign;
  tile.querySelector(".sign").hidden = !sign;
  tile.querySelector(".pick").setAttribute("aria-pressed", picked.includes(asset));
  tile.firstChild.setAttribute("aria-label", told.filter(Boolean).join(", "));
  tile.firstChild.tabIndex = index === active ? 0 : -1;
};

const makeHead = ({ campaign, members }) => {
  const newest = members.reduce((last, { times }) => (times.stored > last ? times.stored : last), "");
  const facts = [count(members.length, "asset"), ...charges(members), newest ? day.format(new Date(newest)) : null];
  return make("header", { className: "head" }, make("h2", { textContent: campaign }), make("p", { className: "soft", textContent: facts.filter(Boolean).join(" · ") }));
};

const drawn = new Map(); // by asset, or by heading
const firstBelow = (some, edge) => {
  let [low, high] = [0, some.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (some[middle].top < edge) low = middle + 1;
    else high = middle;
  }
  return low;
};
const draw = () => {
  const grid = at("grid");
  const above = -grid.getBoundingClientRect().top;
  const [from, to] = [above - innerHeight, above + 2 * innerHeight];
  const near = new Map();
  for (const head of heads.slice(Math.max(0, firstBelow(heads, from) - 1), firstBelow(heads, to))) near.set(head, null);
  const visible = rows.slice(Math.max(0, firstBelow(rows, from) - 1), firstBelow(rows, to));
  for (let index = visible[0]?.first ?? 0; index < (visible.at(-1)?.next ?? 0); index += 1) near.set(places[index].asset, index);
  if (places[active]) near.set(places[active].asset, active); // what has the focus stays, wherever the page is scrolled
  for (const [key, element] of drawn) {
    if (near.has(key)) continue;
    element.remove();
    drawn.delete(key);
  }
  const order = [...near].sort(([one, i], [other, j]) => (i === null ? one.top : places[i].top) - (j === null ? other.top : places[j].top) || (i ?? -1) - (j ?? -1));
  let cursor = grid.firstChild;
  for (const [key, index] of order) {
    if (!drawn.has(key)) drawn.set(key, index === null ? makeHead(key) : makeTile(key));
    const element = drawn.get(key);
    if (index === null) element.style.transform = `translateY(${key.top}px)`;
    else dressTile(element, places[index], index);
    if (element === cursor) cursor = cursor.nextSibling;
    else grid.insertBefore(element, cursor);
  }
};

// The tile that the keyboard is at.
let active = 0;
const activate = (asset) => {
  const before = places[active] && drawn.get(places[active].asset);
  if (before) before.firstChild.tabIndex = -1;
  active = Math.max(0, shown.indexOf(asset));
  const now = drawn.get(asset);
  if (now) now.firstChild.tabIndex = 0;
};
const goTo = (index) => {
  if (!places.length) return;
  active = Math.max(0, Math.min(places.length - 1, index));
  const { asset, top, height } = places[active];
  const [bar, start] = [at("bar").offsetHeight, at("grid").getBoundingClientRect().top + scrollY];
  if (start + top - HEAD < scrollY + bar) scrollTo(0, start + top - HEAD - bar);
  else if (start + top + height + CAPTION > scrollY + innerHeight) scrollTo(0, start + top + height + CAPTION + GAP - innerHeight);
  draw();
  drawn.get(asset).firstChild.focus({ preventScroll: true });
};
const goUpOrDown = (by) => {
  const { left, width, row } = places[active];
  const next = rows[row + by];
  if (!next) return;
  const distance = (index) => Math.abs(places[index].left + places[index].width / 2 - left - width / 2);
  let best = next.first;
  for (let index = next.first; index < next.next; index += 1) if (distance(index) < distance(best)) best = index;
  goTo(best);
};

let asked = 0;
addEventListener("scroll", () => (asked ||= requestAnimationFrame(() => ((asked = 0), draw()))), { passive: true });
new ResizeObserver(() => {
  arrange();
  draw();
}).observe(at("grid").parentNode);
