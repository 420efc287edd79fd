// The bar at the top: whether the numbers below are alive, said in words and shapes; and the banner when they are not.

import { byId, setAttribute, setText } from "./dom.js";
import { age, count, duration, rate, timeOfDay } from "./format.js";

const OLD_MS = 5000;

const SHOWN = {
  connecting: { icon: "i-wait", text: "Connecting", said: "Connecting" },
  live: { icon: "i-live", text: "Live", said: "Live" },
  polling: { icon: "i-live", text: "Live, every 2 s", said: "Live, asking every 2 seconds" },
  waiting: { icon: "i-wait", text: "Reconnecting", said: "Connection lost, reconnecting" },
  stale: { icon: "i-off", text: "Old data", said: "The data is old" },
  refused: { icon: "i-off", text: "Token needed", said: "This page needs a token" },
};

const tokenHelp = () =>
  `Open ${location.origin}${location.pathname}?token=TOKEN, with the token of the dashboard sink in the agent's ` +
  "configuration; this browser then remembers it until it is closed.";

/** What is wrong with the data, as [title, text, severity], or null. */
function trouble(connection, snapshot) {
  if (connection.state === "refused") return ["This page needs the token.", tokenHelp()];
  const old = performance.now() - connection.receivedAt;
  if (!snapshot) return connection.state === "waiting" ? ["The agent does not answer.", "Trying again by itself."] : null;
  if (old > OLD_MS) {
    return [`No data for ${age(old / 1000)}.`, `Everything below is as it was at ${timeOfDay(Date.now() - old)}. Trying again by itself.`];
  }
  if (snapshot.totals.known === 0) return ["No reading so far.", "The agent runs; nothing has come to this page yet."];
  if (snapshot.totals.readings_per_s === 0) {
    return ["No readings are arriving.", "The agent runs, but nothing has come to this page in the last 5 s."];
  }
  return null;
}

/** Shows the connection's state; called for each change of it, each snapshot, and once a second. */
export function showConnection(connection, snapshot) {
  const old = snapshot && performance.now() - connection.receivedAt > OLD_MS;
  const state = old && (connection.state === "live" || connection.state === "polling") ? "stale" : connection.state;
  const shown = SHOWN[state];
  const wait = Math.ceil((connection.retryAt - performance.now()) / 1000);
  const countdown = state === "waiting" && wait > 0 ? ` in ${wait} s` : "";
  setAttribute(byId("connection"), "data-state", state);
  setAttribute(byId("connection-icon"), "href", `#${shown.icon}`);
  setText(byId("connection-text"), shown.text + countdown);

  const wrong = trouble(connection, snapshot);
  byId("banner").hidden = !wrong;
  if (wrong) {
    setText(byId("banner-title"), wrong[0]);
    setText(byId("banner-text"), wrong[1]);
  }
  // Said once for each change, not each second with the countdown.
  setText(byId("announcer"), wrong && state !== "waiting" ? `${shown.said}. ${wrong[0].replace(/ for .*/, ".")}` : shown.said);
  document.documentElement.toggleAttribute("data-old", Boolean(old));
}

/** Shows what a snapshot says about the flow of readings. */
export function showFlow(snapshot) {
  setText(byId("agent"), snapshot.agent);
  setText(byId("rate"), rate(snapshot.totals.readings_per_s));
  setText(byId("lag"), duration(snapshot.totals.lag_ms));
  const alerts = snapshot.totals.low + snapshot.totals.high + snapshot.totals.jump + snapshot.totals.flatline;
  setText(document.querySelector("title"), `${alerts ? `(${count(alerts)}) ` : ""}Heart rates · ${snapshot.agent}`);
}
