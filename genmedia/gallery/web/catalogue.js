"use strict";
// What the store holds, and how it is said. One global, set by the script beside the page: how it was when that was written.
const { root, live, ...written } = JSON.parse(globalThis.galleryData ?? '{"root":"","assets":[],"left_out":[]}');
let { assets, left_out: leftOut } = written;
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
const isUpload = (asset) => asset.provider === "upload"; // a person put it into the store: nobody was paid
const isFree = (asset) => asset.provider === "local"; // made on a person's own machine: nobody was paid either
const isStrange = (asset) => /^image\/(hei[cf]|tiff)$/.test(asset.file.media_type); // what browsers do not show: a small copy stands for it
const statusOf = (asset) => (asset.quarantined ? "quarantined" : asset.warnings?.length ? "warnings" : "stored");
const usesOf = (asset) => [asset, ...(asset.uses ?? [])]; // the first is what it was bought for
const techniqueOf = (asset) => asset.operation.replace(/^technique[: ]/, "");
const purchaseOf = (asset) => JSON.stringify([asset.account, asset.submission_key, asset.attempt]);
const severalOf = (asset) => new Set(siblings.get(purchaseOf(asset)).map(({ output }) => output.id)).size > 1;
const titleOf = (asset) => (severalOf(asset) ? `${asset.step} · ${asset.output.id}` : asset.step); // the item, and which of its outputs
const wishOf = (asset) => `${asset.wish} ${asset.output.id}`;

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 4 });
const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const count = (n, noun, many = `${noun}s`) => `${number.format(n)} ${n === 1 ? noun : many}`;
const amount = (n, unit) => (unit ? `${number.format(n)} ${n === 1 ? unit.replace(/s$/, "") : unit}` : "free");
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
// What follows from all assets together; made anew by `survey` whenever there are others.
let siblings, takes, byPath, bySha, byOrigin, byParent;

// Lineage: an input is known by its path; where none is named, or it was moved, by the bytes it came with.
const cameAs = (asset) => asset.file.original_sha256 ?? asset.file.sha256;
const parentOf = (asset, input) => {
  const named = byPath.get(input.asset);
  if (named && named !== asset) return named;
  const others = (byOrigin.get(input.sha256) ?? []).filter((one) => one !== asset);
  return others.find((one) => one.campaign === asset.campaign) ?? others[0];
};
const survey = () => {
  siblings = grouped(assets, purchaseOf);
  takes = grouped(assets.filter((asset) => !asset.quarantined), wishOf);
  for (const some of takes.values()) some.sort((one, other) => one.take - other.take);
  byPath = new Map(assets.map((asset) => [asset.path, asset]));
  bySha = grouped(assets, (asset) => asset.file.sha256);
  byOrigin = grouped(assets, cameAs);
  byParent = new Map();
  for (const asset of assets) {
    for (const parent of new Set(asset.inputs.map((input) => parentOf(asset, input)))) {
      if (parent) byParent.has(parent) ? byParent.get(parent).push(asset) : byParent.set(parent, [asset]);
    }
  }
};
survey();
// One for each job that it went into, however many outputs that gave.
const childrenOf = (asset) => [...grouped(byParent.get(asset) ?? [], purchaseOf).values()].map(([one]) => one);

// What jobs were charged, by provider and unit, which are never added; a job once, however many outputs it gave.
const providerOf = (asset) => asset.provider || asset.account.split("|")[0];
const charges = (some) => {
  const jobs = new Map(some.filter((asset) => !asset.quarantined && !isUpload(asset) && !isFree(asset)).map((asset) => [purchaseOf(asset), asset]));
  const told = [];
  for (const [provider, bought] of [...grouped([...jobs.values()], providerOf)].sort()) {
    const known = bought.map((asset) => asset.cost).filter(({ charged }) => charged !== undefined);
    const totals = [...grouped(known, ({ unit }) => unit)].map(([unit, costs]) => [unit, costs.reduce((sum, { charged }) => sum + charged, 0)]);
    told.push(...totals.map(([unit, total]) => `${provider} ${amount(total, unit)}`));
    if (known.length < bought.length) told.push(`${provider} unknown`);
  }
  return told;
};

const copyText = async (text, done, refused) => {
  try {
    await navigator.clipboard.writeText(text);
    notice(done);
  } catch {
    notice(refused);
  }
};
const notice = (text) => {
  const said = make("p", { textContent: text });
  at("notice").replaceChildren(said);
  at("notice").hidePopover();
  at("notice").showPopover(); // above a dialog that is open
  said.addEventListener("animationend", () => {
    said.remove();
    at("notice").hidePopover();
  });
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
