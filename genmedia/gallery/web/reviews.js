// On a page that a server keeps up to date: who has said what of an asset, and the name of the person who says something here.

const said = new Map(); // all verdicts and comments on an asset, by its key, the first one first
const saidOf = (asset) => said.get(markKey(asset)) ?? [];
const verdictOn = (asset) => saidOf(asset).findLast(({ verdict }) => verdict);
const mine = new Map(); // how many verdicts on an asset are on their way to the journal from here, by its key
const decidedBy = (asset) => (mine.has(markKey(asset)) ? person : verdictOn(asset)?.who);
const commentsOn = (asset) => saidOf(asset).filter(({ why }) => why).length;

const isTyped = (key) => document.activeElement?.matches(".again *") && markKey(document.activeElement.closest(".marks").asset) === key;
const settle = (key) => {
  const { verdict, seed, prompt } = (said.get(key) ?? []).findLast((one) => one.verdict) ?? {};
  put(marks, key, verdict, (mark) => Object.hasOwn(MARKS, mark));
  if (isTyped(key)) return;
  put(seeds, key, seed, isSeed);
  put(prompts, key, prompt, isPrompt);
};

let heard = 0;
let unheardReviews = "";
const hear = (news) => {
  if (news.unheard && news.unheard !== unheardReviews) notice(`What others decide does not show: ${news.unheard}`);
  unheardReviews = news.unheard ?? "";
  const fresh = (news.reviews ?? []).filter(({ id }) => id > heard);
  if (!fresh.length) return;
  heard = news.heard;
  const keys = new Set();
  for (const one of fresh) {
    const key = JSON.stringify(one.about);
    said.has(key) ? said.get(key).push(one) : said.set(key, [one]);
    keys.add(key);
  }
  for (const key of keys) if (!mine.has(key)) settle(key); // what is decided here stands until it has arrived
  holdingStill(redraw);
};

// A person says a name once, in each browser.
let person = live ? (kept.get("genmedia name") ?? "") : "";
const drawPerson = () => {
  at("person").hidden = !live || !person;
  at("person-name").textContent = person;
};
const askName = () =>
  new Promise((done) => {
    at("own-name").value = person;
    at("who").addEventListener("close", () => done(person), { once: true });
    if (!at("who").open) at("who").showModal();
  });
const takeName = () => {
  const name = at("own-name").value.trim().replace(/\s+/g, " ");
  if (!name) return at("own-name").focus();
  person = name;
  kept.set("genmedia name", person);
  drawPerson();
  at("who").close();
  redraw();
};

const AT_ONCE = 500;
const send = async (reviews) => {
  const who = person || (await askName());
  if (!who) throw new Error("nobody has said it: say your name first.");
  for (let first = 0; first < reviews.length; first += AT_ONCE) {
    const body = JSON.stringify({ who, reviews: reviews.slice(first, first + AT_ONCE) });
    const answer = await fetch(".genmedia/reviews", { method: "POST", headers: { "content-type": "application/json" }, body });
    if (answer.status === 401) location.reload();
    if (!answer.ok) throw new Error(await answer.text());
  }
};
// One after the other: the last one that was said counts.
let line = Promise.resolve();
const inTurn = (work) => (line = line.catch(() => {}).then(work));
const whyNot = (error) => (error instanceof TypeError ? "the server does not answer." : error.message);
const tellVerdicts = async (some, why = "") => {
  const keys = some.map(markKey);
  const reviews = some.map((asset) => ({ path: asset.path, verdict: markOf(asset) ?? "withdrawn", why, ...retakeOf(asset) }));
  for (const key of keys) mine.set(key, (mine.get(key) ?? 0) + 1);
  let known = true; // what the journal has of it now
  try {
    await inTurn(() => send(reviews));
    if (why && whyOf(current) === why) at("why").value = "";
    await ask().catch(() => (known = false));
  } catch (error) {
    notice(`It is not decided: ${whyNot(error)}`);
  }
  for (const key of keys) {
    mine.set(key, mine.get(key) - 1);
    if (mine.get(key)) continue;
    mine.delete(key);
    if (known) settle(key);
  }
  redraw();
};
const comment = async (asset) => {
  const why = whyOf(asset);
  if (!why) return at("why").focus();
  try {
    await inTurn(() => send([{ path: asset.path, why }]));
    if (whyOf(asset) === why) at("why").value = "";
    await ask().catch(() => {});
  } catch (error) {
    notice(`It is not said: ${whyNot(error)}`);
  }
};

// Below the large view: what was said, and a place to say more.
const whyOf = (asset) => (live && asset && asset === current ? (at("why")?.value.trim() ?? "") : "");
const talkOf = (asset) => {
  if (!live) return [];
  const list = make("ol", { className: "said", asset });
  const words = make("textarea", { id: "why", rows: 2, maxLength: 2000, placeholder: "Why, or a comment" });
  words.setAttribute("aria-label", "Why, or a comment");
  words.addEventListener("keydown", (event) => (event.ctrlKey || event.metaKey) && event.key === "Enter" && comment(asset));
  drawTalk(list);
  return [list, make("p", { className: "talk" }, words, button("plain-button", "Comment", () => comment(asset), { title: "Ctrl+Enter" }))];
};
const drawTalk = (list) =>
  list.replaceChildren(
    ...saidOf(list.asset).map(({ who, at: when, verdict, why, prompt, seed }) => {
      const what = verdict === "withdrawn" ? "took the verdict back" : verdict ? `${MARKS[verdict]} ${verdict}` : null;
      const again = [seed === undefined ? null : `with the seed ${seed}`, prompt ? `with the prompt: ${prompt}` : null].filter(Boolean);
      return make(
        "li",
        {},
        make("p", {}, make("strong", { textContent: who }), what ? make("span", { className: verdict, textContent: ` ${what}` }) : null, make("time", { className: "soft", dateTime: when, textContent: ` ${moment.format(new Date(when))}` })),
        ...[why, ...again].filter(Boolean).map((text) => make("p", { className: "prompt", textContent: text })),
      );
    }),
  );

at("own-name").addEventListener("keydown", ({ key }) => key === "Enter" && takeName());
at("take-name").addEventListener("click", takeName);
at("change-name").addEventListener("click", askName);
drawPerson();
