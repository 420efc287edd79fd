// The page: takes a snapshot a few times a second and shows it. Nothing is drawn while nobody looks.

import "./app.css";
import { Chart } from "./chart.js";
import { Connection } from "./connection.js";
import { byId, press, setText } from "./dom.js";
import { showFeed } from "./feed.js";
import { showConnection, showFlow } from "./header.js";
import { History } from "./history.js";
import { showSpread } from "./spread.js";
import { change, MOST_CHOSEN, onChange, RANGES, start, state } from "./state.js";
import { showStats } from "./stats.js";
import { askWall, forgetFound, markChosen, showWall, startWall } from "./wall.js";

const AUTOMATIC = 4; // lines while the page chooses
const CHOOSE_AGAIN_MS = 10_000;

/** @type {any} */
let snapshot = null;
let drawing = false;
/** @type {string[]} */
let automatic = [];
let chosenAt = -Infinity;

const chosen = () => state.customers ?? automatic;
const history = new History();
const chart = new Chart(toggle);

/** Puts a customer into the chart or takes it out; from then on the viewer chooses. */
function toggle(id) {
  const now = chosen();
  if (now.includes(id)) change({ customers: now.filter((other) => other !== id) });
  else if (state.customers) change({ customers: [...now, id].slice(-MOST_CHOSEN) });
  else change({ customers: [id] }); // the page's own choice makes room for the viewer's
}

/** Shows a customer in the chart, without taking it out again. */
function add(id) {
  if (!state.customers?.includes(id)) toggle(id);
  byId("plot").scrollIntoView({ block: "nearest" });
}

/** The most severe ones; who is shown and still severe stays, and nothing changes under a reader's eyes. */
function chooseAutomatically() {
  const now = performance.now();
  if (automatic.length === AUTOMATIC && (now - chosenAt < CHOOSE_AGAIN_MS || chart.isInspected)) return;
  chosenAt = now;
  const severe = snapshot.wall.filter((tile) => tile.severity >= 2).map((tile) => tile.id);
  const rest = snapshot.wall.filter((tile) => tile.severity === 0).map((tile) => tile.id);
  const wanted = [...automatic.filter((id) => severe.includes(id)), ...severe, ...automatic, ...rest, ...snapshot.wall.map((tile) => tile.id)];
  const next = [...new Set(wanted)].slice(0, AUTOMATIC);
  automatic = [...automatic.filter((id) => next.includes(id)), ...next.filter((id) => !automatic.includes(id))];
}

/** Minutes: the viewer's choice, or the smallest that shows all since the agent's start. */
function range() {
  if (state.range !== null) return state.range;
  const minutes = snapshot ? (snapshot.time_ms - snapshot.started_ms) / 60_000 : 0;
  return RANGES.find((each) => each >= minutes) ?? RANGES.at(-1);
}

function drawChart() {
  const ids = chosen();
  const to = Math.floor(snapshot.time_ms / 1000);
  press(document.querySelectorAll("[data-range]"), "data-range", String(range()));
  chart.show(ids, history.aligned(ids, to - range() * 60, to), snapshot.limits);
  const note = state.customers ? (ids.length ? "" : "Choose customers below") : "The most severe, chosen automatically";
  setText(byId("trend-note"), note);
  byId("auto-choice").hidden = state.customers === null;
}

async function updateChart() {
  if (!snapshot || document.hidden) return;
  if (!state.customers) chooseAutomatically();
  try {
    await history.update(chosen(), snapshot.window_s);
    drawChart();
  } catch {
    // The connection's state says what is wrong; this asks again in a second.
  }
}

function draw() {
  if (drawing || !snapshot || document.hidden) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    showFlow(snapshot);
    showStats(snapshot);
    showSpread(snapshot);
    showWall(snapshot, toggle);
    showFeed(snapshot, add);
    markChosen(chosen());
    showConnection(connection, snapshot);
  });
}

function take(newest) {
  if (snapshot && newest.started_ms !== snapshot.started_ms) history.forget();
  const first = !snapshot;
  snapshot = newest;
  if (first) updateChart();
  draw();
}

const connection = new Connection(take, () => {
  if (connection.state === "waiting") history.forget(); // what was missed comes with a whole load
  showConnection(connection, snapshot);
});

async function searchAgain() {
  await askWall();
  draw();
}

let searched = "";
let theme = "auto";

onChange(() => {
  const root = document.documentElement;
  if (state.theme === "auto") root.removeAttribute("data-theme");
  else root.setAttribute("data-theme", state.theme);
  document.querySelector("meta[name=color-scheme]")?.setAttribute("content", { auto: "light dark" }[state.theme] ?? state.theme);
  press(document.querySelectorAll("[data-theme-choice]"), "data-theme-choice", state.theme);
  press(document.querySelectorAll("[data-range]"), "data-range", String(range()));
  press(document.querySelectorAll("[data-filter]"), "data-filter", state.filter);
  if (byId("search").value !== state.search) byId("search").value = state.search;
  if (theme !== state.theme) chart.restyle();
  theme = state.theme;
  if (searched !== `${state.filter} ${state.search}`) {
    searched = `${state.filter} ${state.search}`;
    forgetFound();
    searchAgain();
  }
  if (snapshot) drawChart();
  updateChart();
  draw();
});

for (const button of document.querySelectorAll("[data-theme-choice]")) {
  button.addEventListener("click", () => change({ theme: button.getAttribute("data-theme-choice") }));
}
for (const button of document.querySelectorAll("[data-range]")) {
  button.addEventListener("click", () => change({ range: Number(button.getAttribute("data-range")) }));
}
byId("auto-choice").addEventListener("click", () => {
  chosenAt = -Infinity;
  change({ customers: null });
  byId("plot").focus();
});
startWall(searchAgain);
start();

document.addEventListener("visibilitychange", () => {
  updateChart();
  draw();
});
setInterval(() => {
  connection.watch();
  showConnection(connection, snapshot);
  if (connection.state !== "live" && connection.state !== "polling") return;
  updateChart();
  if (!document.hidden) askWall();
}, 1000);
