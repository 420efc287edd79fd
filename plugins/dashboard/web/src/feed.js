// The alert feed: one row an alert that began or ended, newest first.

import { byId, element, icon } from "./dom.js";
import { isDate, KINDS, timeOfDay } from "./format.js";

const MOST_ROWS = 100;

const feed = byId("feed");
/** @type {Map<number, HTMLElement>} the rows by the alert's number, oldest first */
const rows = new Map();
let startedMs = 0;

function makeRow(alert, choose) {
  const name = element("button", { type: "button", class: "link", title: `Show ${alert.id} in the chart` }, alert.id);
  name.addEventListener("click", () => choose(alert.id));
  return element("div", { class: `alert ${alert.state}`, "data-kind": alert.kind },
    element("time", isDate(alert.time_ms) ? { datetime: new Date(alert.time_ms).toISOString() } : {}, timeOfDay(alert.time_ms)),
    element("span", { class: "what" }, icon(alert.kind), ` ${KINDS[alert.kind] ?? alert.kind} ${alert.state}`),
    name,
    element("span", { class: "value" }, element("b", {}, String(alert.heart_rate)), " bpm"));
}

/** @param {any} snapshot @param {(id: string) => void} choose shows a customer in the chart */
export function showFeed(snapshot, choose) {
  if (snapshot.started_ms !== startedMs) { // another start of the agent counts from the beginning
    startedMs = snapshot.started_ms;
    feed.replaceChildren();
    rows.clear();
    feed.setAttribute("aria-live", "off"); // what is old by now is not read out
  }
  const held = feed.scrollTop > 4 ? feed.scrollHeight - feed.scrollTop : 0; // who reads older ones is left there
  let added = false;
  for (const alert of [...snapshot.alerts].reverse()) {
    if (rows.has(alert.n)) continue;
    const row = makeRow(alert, choose);
    rows.set(alert.n, row);
    feed.prepend(row);
    added = true;
  }
  for (const [n, row] of rows) {
    if (rows.size <= MOST_ROWS) break;
    row.remove();
    rows.delete(n);
  }
  if (held && added) feed.scrollTop = feed.scrollHeight - held;
  byId("feed-empty").hidden = rows.size > 0;
  feed.hidden = rows.size === 0;
  if (!added) feed.setAttribute("aria-live", "polite");
}
