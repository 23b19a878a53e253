"use strict";
const main = document.getElementById("main");
const views = [[...main.childNodes]];
const choice = document.getElementById("view");
let scale = 1;

// show puts a view into the page; its pictures are parsed when they are first asked for.
function show(k) {
  if (!views[k]) {
    views[k] = [...document.getElementById("view" + k).content.cloneNode(true).childNodes];
  }
  main.replaceChildren(...views[k]);
  zoom(0);
}

// select marks a packet in all pictures and in the list, and scrolls to it in those that weren't clicked.
function select(i, clicked) {
  for (const e of main.querySelectorAll(".selected")) e.classList.remove("selected");
  for (const e of main.querySelectorAll(`[data-i="${i}"]`)) {
    e.classList.add("selected");
    const own = clicked && e.closest("table,svg.wsstack") === clicked.closest("table,svg.wsstack");
    if (!own && (e.tagName === "TR" || e.tagName === "g")) e.scrollIntoView({block: "center", inline: "nearest"});
  }
}

// zoom makes the ladders larger or smaller; 0 stands for their first size.
function zoom(by) {
  scale = by ? Math.min(8, Math.max(0.1, scale * by)) : 1;
  for (const svg of main.querySelectorAll("svg.ladder")) {
    const box = svg.viewBox.baseVal;
    svg.setAttribute("width", box.width * scale);
    svg.setAttribute("height", box.height * scale);
  }
  for (const svg of main.querySelectorAll("svg.sequence")) {
    if (by) stretch(svg, by, by, 0.5, 0.5); else whole(svg);
  }
}

// A diagram's state is the part of it that is seen: left and top edge and size, as parts of the whole.
function state(svg) { return svg.seen ||= {x: 0, y: 0, w: 1, h: 1}; }
function whole(svg) { svg.seen = {x: 0, y: 0, w: 1, h: 1}; draw(svg); }

// stretch enlarges both axes around a point.
function stretch(svg, bx, by, px, py) {
  const s = state(svg), w = Math.min(1, Math.max(1e-6, s.w / bx)), h = Math.min(1, Math.max(1e-6, s.h / by));
  move(svg, s.x + (s.w - w) * px, s.y + (s.h - h) * py, w, h);
}

function move(svg, x, y, w, h) {
  svg.seen = {w, h, x: Math.min(1 - w, Math.max(0, x)), y: Math.min(1 - h, Math.max(0, y))};
  draw(svg);
}

// ticks are round numbers from lo to hi.
function ticks(lo, hi, most) {
  const size = 10 ** Math.floor(Math.log10((hi - lo) / most));
  const by = size * [1, 2, 5, 10].find(m => (hi - lo) / (size * m) <= most);
  const list = [];
  for (let i = Math.ceil(lo / by - 1e-9); i * by <= hi + by * 1e-9 && list.length <= most + 1; i++) list.push(i * by);
  return [list, Math.max(0, Math.min(9, Math.ceil(-Math.log10(by) - 1e-9)))];
}

const element = (name, attributes, text) => {
  const e = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  return e;
};

// draw shows the part of a diagram that is to be seen, and labels its axes anew.
function draw(svg) {
  const s = state(svg), d = svg.dataset;
  for (const area of svg.querySelectorAll(".area")) {
    const W = +area.getAttribute("width"), H = +area.getAttribute("height"), main = area.classList.contains("main");
    const ky = main ? 1 / s.h : 1, y = main ? s.y : 0;
    area.querySelector(".z").setAttribute("transform", `translate(${-s.x * W / s.w} ${-y * H * ky}) scale(${1 / s.w} ${ky})`);
  }
  const area = svg.querySelector(".area.main"), L = +area.getAttribute("x"), T = +area.getAttribute("y");
  const W = +area.getAttribute("width"), H = +area.getAttribute("height");
  const pieces = d.time.split(" ").map(p => p.split(",").map(Number));
  const hi = d.hi * (1 - s.y), lo = hi - s.h * d.hi;
  const times = svg.querySelector(".times"), xs = svg.querySelector(".xticks"), ys = svg.querySelector(".yticks");
  const bottom = times.dataset.y;
  for (const g of [times, xs, ys]) g.replaceChildren();
  const [yt] = ticks(lo, hi, 8);
  for (const [t0, t1, x0, x1] of pieces) { // the axis leaves out what is between them
    const from = Math.max(x0, s.x), to = Math.min(x1, s.x + s.w), most = Math.floor((to - from) / s.w * 9);
    if (most < 1) continue;
    const time = x => t0 + (x - x0) / (x1 - x0) * (t1 - t0);
    const [xt, xd] = ticks(time(from), time(to), most);
    for (const t of xt) {
      const x = L + ((t - t0) / (t1 - t0) * (x1 - x0) + x0 - s.x) / s.w * W;
      xs.append(element("path", {class: "grid", d: `M${x},${T}V${T + H}`}));
      times.append(element("text", {class: "dim", x, y: bottom, "text-anchor": "middle"}, t.toFixed(xd) + " s"));
    }
  }
  for (const g of svg.querySelectorAll(".silences")) g.style.display = s.w < 1 ? "none" : "";
  for (const v of yt) {
    const y = T + H - (v - lo) / (hi - lo) * H;
    ys.append(element("path", {class: "grid", d: `M${L},${y}H${L + W}`}));
    ys.append(element("text", {class: "dim", x: L - 8, y: y + 4, "text-anchor": "end"}, bytes(v)));
  }
}

// bytes writes a number of bytes, exactly.
function bytes(v) { return Math.round(v).toLocaleString("en"); }

// at is where in an area the pointer is, as parts of its size.
function at(area, event) {
  const box = area.parentNode.getBoundingClientRect(), view = area.ownerSVGElement.viewBox.baseVal, k = box.width / view.width;
  return [((event.clientX - box.x) / k - area.getAttribute("x")) / area.getAttribute("width"),
    ((event.clientY - box.y) / k - area.getAttribute("y")) / area.getAttribute("height")];
}

main.addEventListener("click", event => {
  const e = event.target.closest("[data-i]");
  if (e && !dragged) select(e.dataset.i, e);
});
main.addEventListener("keydown", event => {
  if (event.key === "Enter" && event.target.dataset.i) select(event.target.dataset.i, event.target);
});
main.addEventListener("dblclick", event => {
  const svg = event.target.closest("svg.sequence");
  if (svg) whole(svg);
});
main.addEventListener("wheel", event => {
  const area = event.target.closest(".area");
  if (!area || !(event.ctrlKey || event.shiftKey)) return;
  event.preventDefault();
  const by = (event.deltaY || event.deltaX) < 0 ? 1.25 : 0.8, [px, py] = at(area, event);
  const both = area.classList.contains("main") && !event.shiftKey;
  stretch(area.closest("svg.sequence"), by, both ? by : 1, px, py);
}, {passive: false});

// Dragging moves what is in a diagram, and scrolls a ladder.
let drag = null, dragged = false;
main.addEventListener("pointerdown", event => {
  const area = event.target.closest(".area"), box = event.target.closest(".pictures");
  if (event.button || !box || !event.target.closest("svg.wsstack")) return;
  const svg = area && area.closest("svg.sequence");
  drag = {svg, area, box, x: event.clientX, y: event.clientY, left: box.scrollLeft, top: box.scrollTop, from: svg && {...state(svg)}};
  dragged = false;
});
addEventListener("pointermove", event => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (Math.hypot(dx, dy) > 4) dragged = true;
  if (!dragged) return;
  if (!drag.svg) {
    drag.box.scrollTo(drag.left - dx, drag.top - dy);
    return;
  }
  const s = drag.from, W = +drag.area.getAttribute("width"), H = +drag.area.getAttribute("height");
  const vertical = drag.area.classList.contains("main") ? dy / H * s.h : 0;
  move(drag.svg, s.x - dx / W * s.w, s.y - vertical, s.w, s.h);
});
addEventListener("pointerup", () => { drag = null; });

for (const b of document.querySelectorAll("button[data-zoom]")) b.addEventListener("click", () => zoom(+b.dataset.zoom));
document.querySelector(".tools").hidden = false;
if (choice) choice.addEventListener("change", () => show(+choice.value));
