"use strict";
// What the store holds, as it was when the page was written, and how it is said. One global, set by the script beside the page.
const { root, assets, left_out: leftOut } = JSON.parse(globalThis.galleryData ?? '{"root":"","assets":[],"left_out":[]}');
const at = (id) => document.getElementById(id);

// Names and texts come from providers: they become text nodes and properties, never markup.
const make = (tag, properties = {}, ...children) => {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
};
const button = (className, label, press, properties = {}) => {
  const made = make("button", { type: "button", className, textContent: label, ...properties });
  made.addEventListener("click", press);
  return made;
};

const typeOf = (asset) => asset.file.media_type.split("/")[0] || "file";
const statusOf = (asset) => (asset.quarantined ? "quarantined" : asset.warnings?.length ? "warnings" : "stored");
const techniqueOf = (asset) => asset.operation.replace(/^technique[: ]/, "");
const purchaseOf = (asset) => JSON.stringify([asset.account, asset.submission_key, asset.attempt]);
const wishOf = (asset) => `${asset.wish} ${asset.output.id}`;

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const count = (n, noun, many = `${noun}s`) => `${number.format(n)} ${n === 1 ? noun : many}`;
const amount = (n, unit) => `${number.format(n)} ${n === 1 ? unit.replace(/s$/, "") : unit}`;
const seconds = (n) => (n < 120 ? `${number.format(Math.round(n * 10) / 10)} s` : `${number.format(Math.round(n / 6) / 10)} min`);
const size = (n) => (n < 1e3 ? `${n} B` : n < 1e6 ? `${Math.round(n / 1e3)} kB` : `${(n / 1e6).toFixed(1)} MB`);
const triangles = (file) => (file.triangles ? count(file.triangles, "triangle") : null);
const pixels = ({ width, height }) => (width && height ? `${width} × ${height}` : null);
const takeOf = (asset) => (asset.take > 1 || takes.get(wishOf(asset))?.length > 1 ? `take ${asset.take}` : null);

const grouped = (some, key) => {
  const groups = new Map();
  for (const one of some) groups.has(key(one)) ? groups.get(key(one)).push(one) : groups.set(key(one), [one]);
  return groups;
};
const siblings = grouped(assets, purchaseOf);
const takes = grouped(assets.filter((asset) => !asset.quarantined), wishOf);
for (const some of takes.values()) some.sort((one, other) => one.take - other.take);

// Lineage: an input is known by its path; where none is named, or it was moved, by the bytes it came with.
const cameAs = (asset) => asset.file.original_sha256 ?? asset.file.sha256;
const byPath = new Map(assets.map((asset) => [asset.path, asset]));
const bySha = grouped(assets, (asset) => asset.file.sha256);
const byOrigin = grouped(assets, cameAs);
const parentOf = (asset, input) => {
  const named = byPath.get(input.asset);
  if (named && named !== asset) return named;
  const others = (byOrigin.get(input.sha256) ?? []).filter((one) => one !== asset);
  return others.find((one) => one.campaign === asset.campaign) ?? others[0];
};
const byParent = new Map();
for (const asset of assets) {
  for (const parent of new Set(asset.inputs.map((input) => parentOf(asset, input)))) {
    if (parent) byParent.has(parent) ? byParent.get(parent).push(asset) : byParent.set(parent, [asset]);
  }
}
// One for each job that it went into, however many outputs that gave.
const childrenOf = (asset) => [...grouped(byParent.get(asset) ?? [], purchaseOf).values()].map(([one]) => one);

// A job is charged once, however many outputs it gave; different units are never added.
const charges = (some) => {
  const paid = new Map(some.filter((asset) => asset.cost.charged !== undefined).map((asset) => [purchaseOf(asset), asset.cost]));
  const totals = new Map();
  for (const { charged, unit } of paid.values()) totals.set(unit, (totals.get(unit) ?? 0) + charged);
  return [...totals].map(([unit, total]) => amount(total, unit));
};

const notice = (text) => {
  const said = make("p", { textContent: text });
  at("notice").replaceChildren(said);
  said.addEventListener("animationend", () => said.remove());
};

// What a browser keeps for this page; one that keeps nothing is said so once, when something should be kept.
const kept = {
  get: (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null;
    }
  },
  set: (name, value) => {
    try {
      localStorage.setItem(name, value);
    } catch {
      notice("This browser keeps nothing for this page: export the marks before it is closed.");
    }
  },
};
