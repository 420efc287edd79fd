// The six large numbers.

import { byId, setText } from "./dom.js";
import { count, decimal, lastSeconds, NONE, timeOfDay } from "./format.js";

export function showStats({ totals, window_s, started_ms }) {
  setText(byId("stat-readings"), count(totals.readings));
  setText(byId("stat-readings-note"), `since ${timeOfDay(started_ms)}`);
  setText(byId("stat-average"), decimal(totals.average));
  setText(byId("stat-min"), count(totals.min));
  setText(byId("stat-max"), count(totals.max));
  for (const note of document.querySelectorAll("[data-window]")) setText(note, lastSeconds(window_s));
  setText(byId("stat-active"), count(totals.active));
  setText(byId("stat-known"), `of ${count(totals.known)}`);
  setText(byId("stat-stale"), totals.stale ? `${count(totals.stale)} stale` : totals.known ? "none stale" : "\u00a0");

  const kinds = [["high", totals.high], ["low", totals.low], ["jump", totals.jump], ["flat", totals.flatline]];
  const alerts = kinds.reduce((sum, [, number]) => sum + number, 0);
  const told = kinds.filter(([, number]) => number).map(([kind, number]) => `${count(number)} ${kind}`);
  // Whoever is silent, or not watched by an alert processor, is not thereby well.
  setText(byId("stat-alerts"), alerts || totals.active ? count(alerts) : NONE);
  setText(byId("stat-alerts-note"), told.join(" · ") || (totals.active ? "none flagged" : "\u00a0"));
  byId("stat-alerts-cell").toggleAttribute("data-alarm", alerts > 0);
}
