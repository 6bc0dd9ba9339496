// The large view: an asset, where it came from, what it cost, and what became of it.

let current = null;
const stage = looking(at("stage"));

const row = (name, value, className = "") => (value === null || value === "" ? [] : [make("dt", {}, name), make("dd", { className }, value)]);
const kin = (asset) => {
  const link = button("kin", "", () => show(asset), { title: asset.path });
  const take = takeOf(asset);
  link.append(thumbnail(asset, { loading: "lazy" }) ?? make("span", { className: "blank", textContent: "¶" }), make("span", {}, [titleOf(asset), take].filter(Boolean).join(" · ")));
  return link;
};

const inputRows = (asset) =>
  asset.inputs.map((input) => {
    if (input.text !== undefined) return row(input.id, input.text, "prompt");
    const parent = parentOf(asset, input);
    if (parent) return row(input.id, kin(parent));
    const from = input.from ?? "";
    return row(input.id, make("span", { title: `${from}\n${input.sha256 ?? ""}` }, from.split("/").pop() || input.sha256 || "unknown"));
  });

const askedRows = (asset) =>
  Object.entries(asset.request).map(([name, value]) => (typeof value === "object" ? [] : row(name.replaceAll("_", " "), String(value), "prompt")));

const costOf = (asset) => {
  const { charged, price, unit } = asset.cost;
  const outputs = siblings.get(purchaseOf(asset)).length;
  if (charged !== undefined) return outputs > 1 ? `${amount(charged, unit)} for ${outputs} outputs` : amount(charged, unit);
  return price === undefined ? "unknown" : `not known yet; at most ${amount(price, unit)}`;
};

const timeRows = ({ times }) => {
  const found = ["created", "started", "completed", "stored"]
    .filter((name) => times[name])
    .map((name) => row(name, make("time", { dateTime: times[name] }, moment.format(new Date(times[name])))));
  if (times.started && times.completed) found.push(row("ran for", seconds((new Date(times.completed) - new Date(times.started)) / 1e3)));
  return found;
};

const copyPath = (asset) => {
  const path = `store:${asset.path}`;
  return copyText(path, `Copied: ${path}`, `This browser copies nothing for a page. Type ${path}`);
};

const factsOf = (asset) => {
  const [, origin, account] = asset.account.split("|");
  const { file } = asset;
  const part = (title, found) => (found.flat().length ? [make("h3", {}, title), make("dl", {}, ...found.flat())] : []);
  const link = (href, text, properties = {}) => make("a", { href, target: "_blank", rel: "noopener", textContent: text, ...properties });
  const links = asset.quarantined
    ? [asset.sidecar && link(asset.sidecar, "Evidence")]
    : [link(asset.href, "Open"), link(asset.href, "Download", { download: asset.path.split("/").pop() }), link(asset.sidecar, "Sidecar")];
  if (live?.runs && asset.run) links.push(link(live.runs + asset.run, "Run", { title: "The run that bought it" }));
  if (!asset.quarantined) links.push(button("link", "Copy path", () => copyPath(asset), { title: `store:${asset.path}: what a form takes where a file may stand` }));
  const others = (takes.get(wishOf(asset)) ?? []).filter((one) => one !== asset);
  const uses = childrenOf(asset);
  const request = Object.keys(asset.request).length
    ? make("details", {}, make("summary", { textContent: "The whole request" }), make("pre", { className: "code", textContent: JSON.stringify(asset.request, null, 2) }))
    : null;
  const facts = [
    make("h2", { id: "name" }, titleOf(asset)),
    make("p", { className: "soft" }, asset.campaign),
    ...(asset.uses ?? []).map(({ campaign, step }) => make("p", { className: "soft" }, `also used by ${campaign} · ${step}`)),
    make("p", { className: "links" }, ...links.filter(Boolean)),
    ...(!isDecided(asset) ? [] : [markButtons(asset, ...promptField(asset)), ...talkOf(asset)]),
    ...(isUpload(asset) ? [make("p", { className: "soft", textContent: "A person put it into the store, to be used as an input." })] : []),
    ...(asset.warnings ?? []).map((warning) => make("p", { className: "warning", textContent: warning })),
    ...part("Made by", isUpload(asset) ? [] : [
      row("provider", providerOf(asset)),
      row("account", [account, origin].filter(Boolean).join(" · ")),
      row("operation", techniqueOf(asset)),
      row("cost", costOf(asset)),
    ]),
    ...part("Made from", inputRows(asset)),
    ...part("Asked for", askedRows(asset)),
    request,
    ...(others.length ? [make("h3", {}, "Other takes"), ...others.map(kin), button("plain-button", "Compare takes", () => compareTakes(asset), { title: "Compare (C)" })] : []),
    ...(uses.length ? [make("h3", {}, "Used for"), ...uses.map(kin)] : []),
    ...part("When", timeRows(asset)),
    ...part("Job", isUpload(asset) ? [] : [
      row("output", asset.output.id),
      row("remote id", asset.remote_id, "code"),
      row("submission", asset.submission_key, "code"),
      row("attempt", String(asset.attempt)),
      row("take", String(asset.take)),
    ]),
    ...part("File", [
      row("type", [file.media_type, file.codec].filter(Boolean).join(" · ")),
      row("pixels", pixels(file)),
      row("triangles", file.triangles ? `${number.format(file.triangles)} · ${count(file.vertices, "vertex", "vertices")}` : null),
      row("measures", file.extents ? `${file.extents.map((side) => number.format(side)).join(" × ")} m` : null),
      row("duration", file.duration ? [seconds(file.duration), file.fps && `${number.format(file.fps)} fps`].filter(Boolean).join(" · ") : null),
      row("size", make("span", { title: `${number.format(file.bytes)} bytes` }, size(file.bytes))),
      row("path", asset.path, "code"),
      row("sha256", file.sha256, "code"),
    ]),
  ];
  return facts.filter(Boolean);
};

const drawFacts = () => {
  const position = shown.indexOf(current) + 1;
  at("facts").replaceChildren(...factsOf(current));
  at("position").textContent = position ? `${number.format(position)} of ${number.format(shown.length)}` : "outside the filter";
};
const show = (asset) => {
  current = byPath.get(asset.path) ?? asset; // what was drawn before something new came may name it as it was
  stage.reset();
  at("stage").replaceChildren(large(current));
  drawFacts();
  at("panel").scrollTop = 0;
  if (at("compare").open) at("compare").close();
  if (!at("detail").open) at("detail").showModal();
  writeAddress();
};
const turn = (by) => {
  const position = shown.indexOf(current);
  if (shown.length) show(shown[(Math.max(position, by < 0 ? 0 : -1) + by + shown.length) % shown.length]);
};

at("previous").addEventListener("click", () => turn(-1));
at("next").addEventListener("click", () => turn(1));
at("close").addEventListener("click", () => at("detail").close());
at("detail").addEventListener("close", () => {
  at("stage").replaceChildren();
  writeAddress();
  const index = shown.indexOf(current);
  if (index >= 0 && !at("compare").open) goTo(index);
});
