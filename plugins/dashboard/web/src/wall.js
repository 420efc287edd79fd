// The wall: one tile a customer, the most severe first. Tiles are kept and moved, never made anew for an update.

import { get } from "./api.js";
import { byId, element, icon, setAttribute, setIcon, setText, svg } from "./dom.js";
import { age, count, status } from "./format.js";
import { longestStep } from "./gaps.js";
import { change, state } from "./state.js";

const PAGE = 60;
const MOST = 480;
const HOLD_MS = 6000; // the order stays for so long after the pointer or a key was last used on the wall
const SPARK = { width: 120, height: 28, span: 24 };
const TRENDS = { "-1": ["down", "falling"], 0: ["steady", "steady"], 1: ["up", "rising"] };

const wall = byId("wall");
/** @type {Map<string, any>} the tiles by customer, in the order shown */
let tiles = new Map();
/** @type {any[]} tiles without a customer, to be used again */
const spare = [];
let limit = PAGE;
let heldUntil = 0;
/** @type {{matched: number, customers: any[]} | null} the answer to the search, when there is one */
let found = null;
let asking = false;

/** Whether more is wanted than the snapshot's own wall. */
const isSearch = () => state.search !== "" || state.filter !== "all" || limit > PAGE;

function makeTile(choose) {
  const path = svg("path");
  const tile = {
    item: element("li"), name: element("span", { class: "name" }), word: element("span"), statusIcon: icon("stale"),
    number: element("b"), path, trendIcon: icon("steady"), trendWord: element("span", { class: "sr" }), age: element("span", { class: "age" }),
    id: "", spark: "", button: /** @type {any} */ (null),
  };
  tile.button = element("button", { type: "button", class: "tile", "aria-pressed": "false" },
    element("span", { class: "top" }, tile.name, element("span", { class: "status" }, tile.statusIcon, tile.word)),
    element("span", { class: "rate" }, tile.number, element("span", { class: "unit" }, " bpm "), tile.trendIcon, tile.trendWord),
    svg("svg", { class: "spark", viewBox: `0 0 ${SPARK.width} ${SPARK.height}`, preserveAspectRatio: "none", "aria-hidden": "true" }, path),
    tile.age);
  tile.button.addEventListener("click", () => choose(tile.id));
  tile.item.append(tile.button);
  return tile;
}

/** The path of a sparkline; a second without a reading is a gap, a lone reading a dot. */
function sparkPath(values) {
  const known = values.filter((value) => value != null);
  if (!known.length) return "";
  const low = Math.min(...known);
  const span = Math.max(Math.max(...known) - low, SPARK.span);
  const bottom = low - (span - (Math.max(...known) - low)) / 2;
  const dx = SPARK.width / (values.length - 1);
  const longest = longestStep(values);
  let path = "";
  let last = -Infinity;
  values.forEach((value, second) => {
    if (value == null) return;
    const y = 2 + (1 - (value - bottom) / span) * (SPARK.height - 4);
    path += second - last <= longest ? "L" : "h.1M"; // the dot shows where a lone reading would leave no line
    path += `${(second * dx).toFixed(1)} ${y.toFixed(1)}`;
    last = second;
  });
  path = path.replace(/^h\.1/, "") + "h.1";
  return path;
}

function fillTile(tile, data, staleAfter) {
  const { kind, word, stale } = status(data, staleAfter);
  tile.id = data.id;
  setText(tile.name, data.id);
  setAttribute(tile.button, "title", data.id);
  setAttribute(tile.button, "data-kind", kind);
  tile.button.toggleAttribute("data-stale", stale);
  setText(tile.word, stale && kind !== "stale" ? `${word}, stale` : word);
  setAttribute(tile.word, "class", kind === "ok" ? "sr" : "");
  tile.statusIcon.toggleAttribute("hidden", kind === "ok");
  if (kind !== "ok") setIcon(tile.statusIcon, kind);
  setText(tile.number, String(data.heart_rate));
  const [arrow, trend] = TRENDS[data.trend] ?? TRENDS[0];
  setIcon(tile.trendIcon, arrow);
  setAttribute(tile.trendIcon, "data-trend", arrow);
  setText(tile.trendWord, `, ${trend}, `);
  setText(tile.age, `${age(data.age_s)} ago`);
  const spark = data.spark.join();
  if (tile.spark !== spark) {
    tile.spark = spark;
    tile.path.setAttribute("d", sparkPath(data.spark));
  }
}

/** Someone is about to press a tile: it must not move away. */
const isHeld = () => performance.now() < heldUntil && (wall.matches(":hover") || wall.querySelector(":focus-visible") !== null);

/** Those shown stay where they are; who is not among the newest any more is dimmed. */
function updateHeld(customers, staleAfter) {
  const byCustomer = new Map(customers.map((data) => [data.id, data]));
  for (const [id, tile] of tiles) {
    const data = byCustomer.get(id);
    tile.button.toggleAttribute("data-gone", !data);
    if (data) fillTile(tile, data, staleAfter);
  }
}

function arrange(customers, staleAfter, choose) {
  const before = tiles;
  tiles = new Map();
  for (const data of customers) {
    const tile = before.get(data.id);
    if (tile) tiles.set(data.id, tile);
  }
  for (const [id, tile] of before) if (!tiles.has(id)) spare.push(tile);
  const ordered = new Map();
  const focused = wall.contains(document.activeElement) ? document.activeElement : null;
  let place = wall.firstElementChild;
  for (const data of customers) {
    const tile = tiles.get(data.id) ?? spare.pop() ?? makeTile(choose);
    tile.button.removeAttribute("data-gone");
    fillTile(tile, data, staleAfter);
    ordered.set(data.id, tile);
    if (tile.item === place) place = place.nextElementSibling;
    else wall.insertBefore(tile.item, place);
  }
  tiles = ordered;
  for (const tile of spare) tile.item.remove();
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true }); // moving it took the focus
}

/** Shows which of the tiles are in the chart. @param {string[]} chosen */
export function markChosen(chosen) {
  for (const [id, tile] of tiles) setAttribute(tile.button, "aria-pressed", String(chosen.includes(id)));
}

/** @param {any} snapshot @param {(id: string) => void} choose puts a customer into the chart or takes it out */
export function showWall(snapshot, choose) {
  const search = isSearch();
  if (search && !found) return; // the answer is under way
  const customers = search ? found.customers : snapshot.wall;
  const matched = search ? found.matched : snapshot.totals.known;
  const held = isHeld() && tiles.size > 0;
  if (held) updateHeld(customers, snapshot.stale_after_s);
  else arrange(customers, snapshot.stale_after_s, choose);

  const some = customers.length < matched ? `${count(customers.length)} of ${count(matched)}` : count(matched);
  setText(byId("wall-note"), !customers.length ? "" : held ? `${some} · order held` : `${some}, most severe first`);
  byId("wall-empty").hidden = customers.length > 0;
  const filtered = state.search !== "" || state.filter !== "all";
  setText(byId("wall-empty-text"), filtered ? "No customer matches." : "No customer so far.");
  byId("wall-reset").hidden = !filtered;
  byId("wall-more").hidden = customers.length >= matched || limit >= MOST;
}

/** Asks for the customers that match; called once a second, and at once when the search has changed. */
export async function askWall() {
  if (!isSearch()) {
    found = null;
    return;
  }
  if (asking) return;
  asking = true;
  const asked = [["q", state.search], ["status", state.filter], ["sort", "severity"], ["limit", String(limit)]];
  try {
    const answer = await get("customers", asked);
    if (isSearch()) found = answer;
  } catch {
    // The connection's state says what is wrong; this asks again in a second.
  } finally {
    asking = false;
  }
}

/** @param {() => void} searchAgain called when another search was chosen */
export function startWall(searchAgain) {
  const hold = () => {
    heldUntil = performance.now() + HOLD_MS;
  };
  for (const kind of ["pointermove", "pointerdown", "focusin", "keydown"]) wall.addEventListener(kind, hold, { passive: true });
  byId("wall-more").addEventListener("click", () => {
    limit = Math.min(limit + PAGE, MOST);
    searchAgain();
  });
  byId("search").addEventListener("input", (event) => change({ search: event.target.value }));
  byId("wall-reset").addEventListener("click", () => {
    change({ search: "", filter: "all" });
    byId("search").focus();
  });
  for (const button of document.querySelectorAll("[data-filter]")) {
    button.addEventListener("click", () => change({ filter: button.getAttribute("data-filter") }));
  }
}

/** Another search: the order may change at once. */
export function forgetFound() {
  found = null;
  heldUntil = 0;
}
