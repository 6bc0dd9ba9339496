// One asset shown large, and panes that are looked into at the same place and the same size.

const large = (asset) => {
  const type = typeOf(asset);
  if (asset.quarantined) return make("p", { className: "plain", textContent: "This file was refused and is kept in quarantine; the page does not open it." });
  if (type === "image" && !isStrange(asset)) return make("img", { src: asset.href, alt: `${asset.output.id} of ${asset.step}`, draggable: false });
  if (type === "video") {
    return make("video", { src: asset.href, poster: asset.thumbnail ?? "", controls: true, autoplay: !still, muted: true, loop: true });
  }
  if (type === "text") return make("pre", { tabIndex: 0 }, asset.text);
  const poster = thumbnail(asset) ?? make("p", { className: "plain", textContent: "There is no picture of this file." });
  if (!asset.turns) return poster;
  const model = make("div", { className: "model" }, poster, frame(asset.turns.replace(/[^/]*$/, "viewer.html")));
  model.dataset.turns = asset.turns;
  return model;
};

// A model turns in a frame, because what draws it reads what a provider sent: there it has no way to this page, to files or to a network.
// Once that frame is ready, a second one hands over the bytes: a page from the disk may not read them itself.
const frame = (src) => make("iframe", { sandbox: "allow-scripts", title: "The model, to be turned", src });
addEventListener("message", ({ source, data }) => {
  const sender = [...document.querySelectorAll(".model iframe")].find((one) => one.contentWindow === source);
  const model = sender?.parentNode;
  const [viewer, bytes] = model?.querySelectorAll("iframe") ?? [];
  if (bytes && sender === bytes) {
    viewer.contentWindow.postMessage(data, "*", [data]);
    bytes.remove();
  } else if (sender && sender === viewer) {
    if (data === "ready") model.append(frame(model.dataset.turns));
    else if (data === "shown") model.classList.add("turning");
    else if (data.why) viewer.replaceWith(make("p", { className: "plain", textContent: data.why }));
    else if (data.key) press(data.key, sender);
  }
});

// Every pane below `around` shows the same part of its picture: the place is a share of the pane, so that sizes may differ.
const looking = (around) => {
  let view = { zoom: 1, x: 0, y: 0 };
  let held = null;
  const fingers = new Map();
  const between = () => {
    const [one, other] = [...fingers.values()];
    const wide = Math.hypot(one.clientX - other.clientX, one.clientY - other.clientY);
    return { target: one.target, clientX: (one.clientX + other.clientX) / 2, clientY: (one.clientY + other.clientY) / 2, wide };
  };
  const set = (zoom, x, y) => {
    zoom = Math.min(16, Math.max(1, zoom));
    const most = 50 * (zoom - 1);
    view = { zoom, x: Math.min(most, Math.max(-most, x)), y: Math.min(most, Math.max(-most, y)) };
    for (const [name, value] of Object.entries(view)) around.style.setProperty(`--${name}`, value);
    around.classList.toggle("near", zoom > 1);
  };
  const towards = (factor, x = 0, y = 0) => {
    const zoom = Math.min(16, Math.max(1, view.zoom * factor));
    const by = zoom / view.zoom;
    set(zoom, x - (x - view.x) * by, y - (y - view.y) * by);
  };
  const inPane = (event) => {
    const box = event.target.closest(".pane").getBoundingClientRect();
    return [((event.clientX - box.left) / box.width - 0.5) * 100, ((event.clientY - box.top) / box.height - 0.5) * 100, box];
  };
  const media = (event) => event.target.closest(".pane > img, .pane > video");
  around.addEventListener("wheel", (event) => {
    if (!media(event)) return;
    event.preventDefault();
    towards(Math.exp(-event.deltaY * 0.002), ...inPane(event));
  }, { passive: false });
  around.addEventListener("dblclick", (event) => {
    if (media(event)?.tagName === "IMG") towards(view.zoom > 1 ? 0 : 3, ...inPane(event));
  });
  around.addEventListener("pointerdown", (event) => {
    if (!media(event)) return;
    fingers.set(event.pointerId, event);
    if (fingers.size === 1 && view.zoom > 1 && !event.button) held = { x: event.clientX, y: event.clientY, view, box: inPane(event)[2], moved: false };
  });
  addEventListener("pointermove", (event) => {
    const { clientX, clientY } = event;
    if (fingers.has(event.pointerId) && fingers.size === 2) {
      const { wide } = between();
      fingers.set(event.pointerId, event);
      held = { moved: true }; // what two fingers do is no click
      if (wide) towards(between().wide / wide, ...inPane(between()));
      return;
    }
    if (!held?.view) return;
    held.moved ||= Math.hypot(clientX - held.x, clientY - held.y) > 4;
    if (held.moved) set(held.view.zoom, held.view.x + ((clientX - held.x) / held.box.width) * 100, held.view.y + ((clientY - held.y) / held.box.height) * 100);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, ({ pointerId }) => {
      fingers.delete(pointerId);
      setTimeout(() => (held = null));
    });
  }
  around.addEventListener("click", (event) => held?.moved && event.preventDefault(), true); // a video that was dragged neither starts nor stops
  return { towards, reset: () => set(1, 0, 0) };
};
