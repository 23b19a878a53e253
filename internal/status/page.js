"use strict";
const every = 1000; // milliseconds from one answer to the next question
const samples = 60; // how many of them a plot has
const mostPlots = 24; // plots of a host; more would be no help
const svgNS = "http://www.w3.org/2000/svg";
const state = document.getElementById("state"), pause = document.getElementById("pause");
const histories = new Map(); // of connections, by host and number
let before; // the report before this one

// put changes the text of an element only where it differs, so that a selection stays.
function put(e, text) {
  text = String(text);
  if (e.textContent !== text) e.textContent = text;
}

const millis = us => us ? (us / 1000).toFixed(3) + " ms" : "";

// scaled writes a number with an SI prefix.
function scaled(n, unit) {
  const prefixes = ["", "k", "M", "G", "T"];
  let i = 0;
  while (n >= 1000 && i < prefixes.length - 1) { n /= 1000; i++; }
  return (n < 10 && i > 0 ? n.toFixed(2) : n < 100 && i > 0 ? n.toFixed(1) : n.toFixed(0)) + " " + prefixes[i] + unit;
}

// cells are the texts of a row, and which of them are numbers or code.
function cells(s) {
  const t = s.tcp, number = text => ["n", text], code = text => ["code", text];
  return [
    number(s.id), ["", s.network], ["", s.state], code(s.local), code(s.remote), number(s.recv_queue), number(s.send_queue),
    number(s.connected), number(t ? t.bytes_in : ""), number(t ? t.bytes_out : ""), number(t ? t.resent : ""),
    number(t ? millis(t.rtt_us) : ""), number(t ? t.cwnd : ""), ["options", s.options.map(o => o.symbol + "=" + o.value)],
  ];
}

function newCell(kind) {
  const td = document.createElement("td");
  if (kind === "n") td.className = "n";
  if (kind === "code") td.append(document.createElement("code"));
  return td;
}

function fill(td, kind, text) {
  if (kind !== "options") return put(kind === "code" ? td.firstChild : td, text);
  const old = [...td.querySelectorAll("code")].map(e => e.textContent);
  if (old.join("\n") === text.join("\n")) return;
  td.replaceChildren(...text.flatMap(t => {
    const e = document.createElement("code");
    e.textContent = t;
    return [e, " "];
  }));
}

// showSockets brings the rows of a table up to date: they stay the same elements, in order of age.
function showSockets(body, sockets) {
  const rows = new Map([...body.rows].map(r => [r.dataset.id, r]));
  const wanted = sockets.map(s => {
    const kinds = cells(s);
    let row = rows.get(String(s.id));
    if (!row) {
      row = document.createElement("tr");
      row.dataset.id = s.id;
      row.append(...kinds.map(([kind]) => newCell(kind)));
    }
    kinds.forEach(([kind, text], i) => fill(row.cells[i], kind, text));
    return row;
  });
  const keep = new Set(wanted);
  for (const r of [...body.rows]) if (!keep.has(r)) r.remove();
  wanted.forEach((r, i) => { if (body.rows[i] !== r) body.insertBefore(r, body.rows[i] || null); });
}

function shape(name, attributes, text) {
  const e = document.createElementNS(svgNS, name);
  for (const k in attributes) e.setAttribute(k, attributes[k]);
  if (text !== undefined) e.textContent = text;
  return e;
}

// newPlot makes an empty diagram with curves of the given classes.
function newPlot(...curves) {
  const svg = shape("svg", {width: 300, height: 90, role: "img"});
  svg.append(shape("rect", {class: "frame", x: .5, y: 18.5, width: 299, height: 71}), shape("text", {x: 0, y: 12}),
    ...curves.map(c => shape("polyline", {class: "curve " + c})));
  return svg;
}

// draw shows series of numbers, undefined where there is none, with one scale from 0 to their maximum.
function draw(svg, words, series, unit) {
  const top = Math.max(1e-9, ...series.flat().filter(v => v !== undefined));
  const text = words + ", at most " + unit(top > 1e-9 ? top : 0);
  put(svg.querySelector("text"), text);
  svg.setAttribute("aria-label", text);
  svg.querySelectorAll("polyline").forEach((curve, k) => {
    const points = series[k].map((v, i) => v === undefined ? "" :
      (1 + 298 * (samples - series[k].length + i) / (samples - 1)).toFixed(1) + "," + (88 - 68 * v / top).toFixed(1));
    curve.setAttribute("points", points.filter(p => p).join(" "));
  });
}

function newHistory() {
  const figure = document.createElement("figure"), caption = document.createElement("figcaption");
  const speed = newPlot("in", "out"), rtt = newPlot("rtt");
  figure.append(caption, speed, rtt);
  return {figure, caption, speed, rtt, in: [], out: [], times: [], silent: 0, last: null};
}

// sample adds what has happened since the last report to the history of a connection.
function sample(h, tcp, seconds) {
  const add = (list, v) => { list.push(v); if (list.length > samples) list.shift(); };
  if (tcp && h.last && seconds > 0) {
    add(h.in, Math.max(0, tcp.bytes_in - h.last.bytes_in) * 8 / seconds);
    add(h.out, Math.max(0, tcp.bytes_out - h.last.bytes_out) * 8 / seconds);
  } else {
    add(h.in, 0);
    add(h.out, 0);
  }
  add(h.times, tcp && tcp.rtt_us ? tcp.rtt_us / 1e6 : undefined);
  h.silent = tcp ? 0 : h.silent + 1;
  h.last = tcp || h.last;
  h.figure.classList.toggle("closed", !tcp);
  const latest = list => list[list.length - 1], bits = v => scaled(v, "bit/s");
  const seconds1 = v => v === undefined ? "none yet" : millis(v * 1e6) || "0 ms";
  draw(h.speed, "in " + bits(latest(h.in)) + ", out " + bits(latest(h.out)), [h.in, h.out], bits);
  draw(h.rtt, "round trip " + seconds1(latest(h.times)), [h.times], seconds1);
}

// showPlots draws the connections of a host, the first ones that have a peer. One that has ended
// stays until it has been silent for half a plot.
function showPlots(place, host, sockets, seconds) {
  const live = sockets.filter(s => s.tcp && s.remote), seen = new Set();
  for (const s of live) {
    const key = host + " " + s.id;
    if (!histories.has(key) && [...histories.keys()].filter(k => k.startsWith(host + " ")).length >= mostPlots) continue;
    if (!histories.has(key)) histories.set(key, newHistory());
    const h = histories.get(key);
    put(h.caption, "#" + s.id + " " + s.network + " " + s.local + " ↔ " + s.remote);
    sample(h, s.tcp, seconds);
    seen.add(key);
    if (!h.figure.isConnected) place.append(h.figure);
  }
  for (const [key, h] of histories) {
    if (seen.has(key) || !key.startsWith(host + " ")) continue;
    sample(h, null, seconds);
    if (h.silent > samples / 2) {
      h.figure.remove();
      histories.delete(key);
    }
  }
  let more = place.querySelector("p");
  if (live.length <= seen.size) return more && more.remove();
  if (!more) place.prepend(more = document.createElement("p"));
  put(more, "Plots of " + seen.size + " of " + live.length + " connections.");
}

function showLinks(links) {
  const rows = document.querySelectorAll("table.links tbody tr");
  links.flatMap(l => [l.there, l.back]).forEach((d, i) => {
    if (!rows[i]) return;
    [d.packets, d.bytes, d.dropped, d.impairment].forEach((text, k) => put(rows[i].cells[3 + k], text));
  });
}

function show(report) {
  const hosts = report.hosts || [report];
  const seconds = before ? (Date.parse(report.time) - Date.parse(before.time)) / 1000 : 0;
  let count = 0;
  hosts.forEach((h, i) => {
    const section = document.querySelector(`section[data-host="${i}"]`);
    if (!section) return;
    count += h.stats.sockets;
    showSockets(section.querySelector("table.sockets tbody"), h.sockets);
    showPlots(section.querySelector(".plots"), i, h.sockets, seconds);
    for (const e of section.querySelectorAll("[data-of]")) put(e, h.stats[e.dataset.of]);
  });
  showLinks(report.links);
  document.title = "wsstack: " + count + " sockets";
  before = report;
}

// look asks once, and shows the answer.
async function look() {
  if (pause.getAttribute("aria-pressed") === "true" || document.hidden) return;
  try {
    const answer = await fetch("?limit=" + document.body.dataset.limit,
      {headers: {Accept: "application/json"}, cache: "no-store", signal: AbortSignal.timeout(10 * every)});
    if (!answer.ok) throw new Error("status " + answer.status);
    show(await answer.json());
    put(state, "Live: one look a second.");
  } catch (e) {
    put(state, "There is no answer (" + e.message + "); trying again.");
  }
}

async function poll() {
  await look();
  setTimeout(poll, every);
}

pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", paused);
  put(state, paused ? "Paused." : "Going on.");
});
document.querySelector(".live").hidden = false;
poll();
