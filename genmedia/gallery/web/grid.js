// The grid: rows that fill the width, of which only what is near the window is in the page.

const GAP = 14;
const CAPTION = 44;
const HEAD = 68;
const LINE = 22;
const SIDE = 164; // what stands left of a table's rows
const NARROWEST = 116;
const still = matchMedia("(prefers-reduced-motion: reduce)").matches;

const thumbnail = (asset, properties) => {
  const source = asset.thumbnail ?? (typeOf(asset) === "image" && !asset.quarantined && !isStrange(asset) ? asset.href : null);
  return source && make("img", { src: source, alt: "", decoding: "async", draggable: false, ...properties });
};
const shapeOf = (asset) => {
  const { width = 4, height = 3 } = asset.file;
  return Math.min(3, Math.max(0.5, width / height));
};

// A run that was a product of lists is a table: a row for each value of the first list that varies, a column for those of the others.
const listsOf = (asset) => (asset.place ?? []).map(({ name }) => name).join("\n");
const tableOf = (members) => {
  const lists = (members[0].place ?? []).map((_, list) => list);
  const [down, ...across] = lists.filter((list) => new Set(members.map(({ place }) => JSON.stringify(place[list]))).size > 1);
  if (!across.length) return null;
  const columns = new Map();
  const lines = new Map();
  for (const asset of members) {
    const [key, row] = [across, [down]].map((some) => JSON.stringify(some.map((list) => asset.place[list])));
    if (!columns.has(key)) columns.set(key, across.map((list) => asset.place[list]));
    if (!lines.has(row)) lines.set(row, { at: asset.place[down], cells: new Map() });
    const { cells } = lines.get(row);
    cells.has(key) ? cells.get(key).push(asset) : cells.set(key, [asset]);
  }
  const before = ([, one], [, other]) => one.map(({ number: n }, list) => n - other[list].number).find(Boolean) ?? 0;
  return { columns: [...columns].sort(before), lines: [...lines.values()].sort((one, other) => one.at.number - other.at.number) };
};
const wordsAt = (some) => some.map(({ name, value }) => (/\D/.test(value) ? value : `${name} ${value}`)).join(" · ");

// Where everything is: a heading for each campaign, and below it a table, or rows in which every tile is as high as its neighbours.
let heads = [];
let places = [];
let rows = [];
const arrange = () => {
  const width = at("grid").clientWidth;
  const wanted = innerWidth < 640 ? 150 : 232;
  [heads, places, rows] = [[], [], []];
  let top = 0;
  const startRow = (count) => rows.push({ top, first: places.length, next: places.length + count });
  const put = (asset, left, most, height) => places.push({ asset, left, top, width: Math.min(most, shapeOf(asset) * height), height, row: rows.length - 1 });
  const flow = (some) => {
    for (let first = 0; first < some.length; ) {
      let [next, shapes, height] = [first, 0, Infinity];
      while (next < some.length && height > wanted) {
        shapes += shapeOf(some[next]);
        next += 1;
        height = (width - GAP * (next - first - 1)) / shapes;
      }
      height = Math.min(height, wanted); // a last row that does not fill the width stays as high as the others
      startRow(next - first);
      let left = 0;
      for (const asset of some.slice(first, next)) {
        put(asset, left, width, height);
        left += places.at(-1).width + GAP;
      }
      first = next;
      top += height + CAPTION + GAP;
    }
  };
  const lay = ({ columns, lines }) => {
    const wide = Math.min(1.5 * wanted, (width - SIDE) / columns.length - GAP);
    const narrow = wide < NARROWEST; // then each row of the table is a heading and what is below it
    const leftOf = (column) => SIDE + column * (wide + GAP);
    if (!narrow) {
      for (const [column, [, some]] of columns.entries()) heads.push({ top, left: leftOf(column), width: wide, height: LINE, words: wordsAt(some) });
      top += LINE + 6;
    }
    for (const { at: where, cells } of lines) {
      const some = columns.map(([key]) => cells.get(key) ?? []);
      const height = Math.min(wanted, Math.max(...some.flat().map((asset) => wide / shapeOf(asset))));
      if (narrow) {
        heads.push({ top, left: 0, width, height: LINE, words: wordsAt([where]) });
        top += LINE + 6;
        flow(some.flat());
        continue;
      }
      heads.push({ top, left: 0, width: SIDE - GAP, height, words: wordsAt([where]) });
      for (let depth = 0; some.some((cell) => depth < cell.length); depth += 1) {
        startRow(some.filter((cell) => depth < cell.length).length);
        for (const [column, cell] of some.entries()) if (depth < cell.length) put(cell[depth], leftOf(column), wide, height);
        top += height + CAPTION + GAP;
      }
    }
  };
  for (const [campaign, members] of grouped(shown, (asset) => asset.campaign)) {
    heads.push({ top, campaign, members });
    top += HEAD;
    for (const some of grouped(members, listsOf).values()) {
      const table = tableOf(some);
      if (table) lay(table);
      else flow(some);
    }
  }
  shown = places.map(({ asset }) => asset); // as the eye goes over them
  at("grid").style.height = `${top}px`;
};

const tileContent = (asset) => {
  const type = typeOf(asset);
  if (asset.quarantined) return [make("span", { className: "words refused", textContent: asset.warnings.join("\n") })];
  if (type === "text") return [make("span", { className: "words", textContent: asset.text.slice(0, 600) })];
  const picture = thumbnail(asset, { loading: "lazy" });
  if (type === "image" && picture) return [picture];
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
  const details = [takeOf(asset), pixels(asset.file), triangles(asset.file)].filter(Boolean).join(" · ");
  const open = make("button", { type: "button", className: "frame", title: asset.path, tabIndex: -1 }, ...tileContent(asset));
  open.addEventListener("click", (event) => (event.shiftKey ? pick(asset) : show(asset)));
  open.addEventListener("focus", () => activate(asset));
  const caption = make(
    "div",
    { className: "caption", title: titleOf(asset) },
    make("p", { className: "step", textContent: titleOf(asset) }),
    make("p", { className: "soft", textContent: details }),
  );
  caption.addEventListener("click", () => getSelection().isCollapsed && open.click());
  const tile = make(
    "article",
    { className: "tile" },
    open,
    caption,
    make("span", { className: "sign" }),
    button("pick", "", () => pick(asset), { title: "Choose to compare (Space)", tabIndex: -1 }),
  );
  tile.querySelector(".pick").setAttribute("aria-label", `Compare ${asset.path}`);
  if (typeOf(asset) === "video" && !asset.quarantined && !still) playOnHover(tile, asset);
  return tile;
};

// Who else has decided, and how much was said.
const othersOn = (asset) => {
  const [who, comments] = [markOf(asset) && decidedBy(asset), commentsOn(asset)];
  return [who && who !== person ? who : null, comments ? count(comments, "comment") : null].filter(Boolean);
};

const dressTile = (tile, place, index) => {
  const { asset } = place;
  const [mark, status] = [markOf(asset), statusOf(asset)];
  const told = [titleOf(asset), typeOf(asset), takeOf(asset), status === "stored" ? null : status, mark ? `marked ${mark}` : null, ...othersOn(asset)];
  tile.style.cssText = `transform: translate(${place.left}px, ${place.top}px); width: ${place.width}px; height: ${place.height + CAPTION}px`;
  tile.dataset.mark = mark ?? "";
  tile.dataset.status = status;
  tile.setAttribute("aria-posinset", index + 1);
  tile.setAttribute("aria-setsize", shown.length);
  const sign = [status === "stored" ? "" : "⚠", [mark ? `${MARKS[mark]} ${mark}` : "", ...othersOn(asset)].filter(Boolean).join(" · ")].filter(Boolean).join(" ");
  tile.querySelector(".sign").textContent = sign;
  tile.querySelector(".sign").hidden = !sign;
  tile.querySelector(".pick").setAttribute("aria-pressed", picked.includes(asset));
  tile.firstChild.setAttribute("aria-label", told.filter(Boolean).join(", "));
  tile.firstChild.tabIndex = index === active ? 0 : -1;
};

const makeHead = ({ campaign, members, words, left, width, height }) => {
  if (words !== undefined) {
    const label = make("p", { className: "label", textContent: words, title: words });
    label.style.cssText = `left: ${left}px; width: ${width}px; max-height: ${height}px`;
    label.classList.toggle("one", height === LINE);
    return label;
  }
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
