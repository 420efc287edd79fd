// The distribution of the window's readings: bars, the alert bands behind them, and the same as text and table.

import { byId, element, setAttribute, setText, svg } from "./dom.js";
import { count, decimal } from "./format.js";

const MARGIN = { left: 38, right: 8, top: 20, bottom: 22 };

const picture = byId("bars");
let width = 0;
let height = 0;
let shape = ""; // what the static parts were drawn for
let bars = [];
let rows = [];
/** @type {any} */
let newest = null;

new ResizeObserver(([entry]) => {
  width = Math.floor(entry.contentRect.width);
  height = Math.floor(entry.contentRect.height);
  if (newest) showSpread(newest);
}).observe(picture);

/** The bins worth showing: those with readings, and the limits with room around them. */
function shownBins({ from, step, counts }, { low, high }) {
  const bin = (bpm) => Math.floor((bpm - from) / step);
  const filled = counts.flatMap((number, index) => (number ? [index] : []));
  const first = Math.max(0, Math.min(filled[0] ?? Infinity, bin(low) - 2));
  const last = Math.min(counts.length - 1, Math.max(filled.at(-1) ?? -Infinity, bin(high) + 2));
  return { first, last };
}

/** A round number at or above. */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)));
  return [1, 2, 4, 5, 10].map((factor) => factor * power).find((round) => round >= value);
}

function drawFrame(first, last, snapshot) {
  const { from, step } = snapshot.distribution;
  const { low, high } = snapshot.limits;
  const bottom = height - MARGIN.bottom;
  const binWidth = (width - MARGIN.left - MARGIN.right) / (last - first + 1);
  const x = (bpm) => MARGIN.left + ((bpm - from) / step - first) * binWidth;
  const left = from + first * step;
  const right = from + (last + 1) * step;

  const hatch = (kind, angle) =>
    svg("pattern", { id: `hatch-${kind}`, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: `rotate(${angle})` },
      svg("rect", { class: "hatch-ground", width: 5, height: 5 }), svg("rect", { class: "hatch-line", width: 2, height: 5 }));
  const parts = [svg("defs", {}, hatch("low", -45), hatch("high", 45))];
  const band = (kind, a, b, label, anchor, at) => {
    if (b <= a) return;
    parts.push(svg("rect", { class: `band ${kind}`, x: x(a), y: MARGIN.top - 6, width: x(b) - x(a), height: bottom - MARGIN.top + 6 }));
    parts.push(svg("line", { class: `limit ${kind}`, x1: x(at), x2: x(at), y1: MARGIN.top - 6, y2: bottom }));
    parts.push(svg("text", { class: `limit-label ${kind}`, x: x(at) + (anchor === "end" ? 3 : -3), y: 10, "text-anchor": anchor }, label));
  };
  band("low", left, low, `Low < ${low}`, "middle", low);
  band("high", high, right, `High > ${high}`, "middle", high);
  const apart = (x(left + 20) - x(left) < 26 ? 2 : 1) * 20; // labels of three digits need that many pixels
  for (let bpm = Math.ceil(left / apart) * apart; x(bpm) <= width - 11; bpm += apart) {
    parts.push(svg("text", { class: "tick", x: x(bpm), y: height - 6, "text-anchor": "middle" }, String(bpm)));
  }
  parts.push(svg("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: MARGIN.top, y2: MARGIN.top }));
  parts.push(svg("text", { class: "tick share", x: MARGIN.left - 6, y: MARGIN.top + 4, "text-anchor": "end" }));
  bars = [];
  for (let index = first; index <= last; index++) {
    const start = from + index * step;
    const kind = start + step <= low ? "low" : start >= high ? "high" : "normal";
    const bar = svg("rect", { class: `column ${kind}`, x: x(start) + 0.75, width: Math.max(1, binWidth - 1.5) });
    bars.push({ index, bar });
    parts.push(bar);
  }
  parts.push(svg("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom + 0.5, y2: bottom + 0.5 }));
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  picture.replaceChildren(...parts);

  rows = bars.map(({ index }) => {
    const start = from + index * step;
    return element("tr", {}, element("th", { scope: "row" }, `${start}–${start + step - 1}`), element("td"), element("td"));
  });
  byId("spread-rows").replaceChildren(...rows);
}

export function showSpread(snapshot) {
  newest = snapshot;
  if (width < 40) return;
  const { from, step, counts } = snapshot.distribution;
  const { low, high } = snapshot.limits;
  const { first, last } = shownBins(snapshot.distribution, snapshot.limits);
  const wanted = [width, height, first, last, low, high, from, step].join();
  if (wanted !== shape) {
    drawFrame(first, last, snapshot);
    shape = wanted;
  }
  const total = counts.reduce((sum, number) => sum + number, 0);
  const most = Math.max(...counts);
  const share = (number) => (total ? (100 * number) / total : 0);
  const top = ceiling(share(most));
  const room = height - MARGIN.bottom - MARGIN.top;
  setText(picture.querySelector(".share"), `${top} %`);
  bars.forEach(({ index, bar }, row) => {
    const number = counts[index];
    const tall = number ? Math.max(1.5, (share(number) / top) * room) : 0;
    setAttribute(bar, "y", (height - MARGIN.bottom - tall).toFixed(1));
    setAttribute(bar, "height", tall.toFixed(1));
    setText(rows[row].children[1], count(number));
    setText(rows[row].children[2], `${decimal(share(number))} %`);
  });
  setText(byId("spread-summary"), summary(snapshot, total, most, share));
}

/** In words what the bars show. The bins cut at the limits only where these are multiples of the step: said as "about". */
function summary({ distribution: { from, step, counts }, limits }, total, most, share) {
  if (!total) return "No readings in the window.";
  const peak = from + counts.indexOf(most) * step;
  const within = (test) => share(counts.reduce((sum, number, index) => sum + (test(from + index * step) ? number : 0), 0));
  const exact = (limits.low - from) % step === 0 && (limits.high - from) % step === 0 ? "" : "about ";
  const below = decimal(within((start) => start + step <= limits.low));
  const above = decimal(within((start) => start >= limits.high));
  return `Most often ${peak} to ${peak + step - 1} bpm. Below ${limits.low}: ${exact}${below} %; from ${limits.high} up: ${exact}${above} %.`;
}
