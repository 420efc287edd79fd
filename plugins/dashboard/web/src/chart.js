// Heart rate over time of the chosen customers: uPlot, with the alert bands, a crosshair, and chips as the legend.

import uPlot from "uplot";
import { byId, element, icon, setText, svg } from "./dom.js";
import { decimal, NONE, timeOfDay } from "./format.js";

// Lines differ in their dashes as well as in colour.
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [14, 5], [5, 2], [10, 3, 2, 3, 2, 3], [1, 5]];

const place = byId("plot");
const chips = byId("chips");
const shortTime = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });

export class Chart {
  #plot = /** @type {any} */ (null);
  #ids = /** @type {string[]} */ ([]);
  #limits = { low: 50, high: 120 };
  #data = /** @type {any[]} */ ([[]]);
  #cursorTime = /** @type {number | null} */ (null);
  #chips = new Map();
  #slots = new Map(); // which colour and dash a customer has, while it is shown
  #remove;

  /** @param {(id: string) => void} remove takes a customer out of the chart */
  constructor(remove) {
    this.#remove = remove;
    new ResizeObserver(() => this.#plot?.setSize(this.#size())).observe(place);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.restyle());
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("blur", () => this.#moveCursor(null));
  }

  /** Whether someone is reading values off the chart. */
  get isInspected() {
    return this.#cursorTime !== null || chips.matches(":hover");
  }

  /** Colours come from the style sheet, so another theme needs them read again. */
  restyle() {
    if (this.#plot) this.#build();
  }

  /** @param {string[]} ids @param {any[]} data aligned as uPlot wants it @param {{low: number, high: number}} limits */
  show(ids, data, limits) {
    const same = this.#plot && ids.join("\n") === this.#ids.join("\n") && limits.low === this.#limits.low && limits.high === this.#limits.high;
    this.#ids = ids;
    this.#limits = limits;
    this.#data = data;
    for (const id of this.#slots.keys()) if (!ids.includes(id)) this.#slots.delete(id);
    for (const id of ids) if (!this.#slots.has(id)) this.#slots.set(id, DASHES.findIndex((_, slot) => ![...this.#slots.values()].includes(slot)));
    if (same) this.#plot.setData(data);
    else this.#build();
    this.#showChips();
    this.#summarise();
  }

  #size() {
    return { width: Math.max(200, place.clientWidth), height: Math.max(160, place.clientHeight) };
  }

  #build() {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    const font = `12px ${style.getPropertyValue("--font")}`;
    const axis = { stroke: colour("text-2"), font, grid: { stroke: colour("line"), width: 1 }, ticks: { show: false } };
    this.#plot?.destroy();
    this.#plot = new uPlot({
      ...this.#size(),
      legend: { show: false },
      padding: [10, 12, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 7 } },
      scales: {
        x: { time: true, range: () => [this.#data[0][0] ?? 0, this.#data[0].at(-1) ?? 1] },
        y: { range: (_, low, high) => [Math.min(this.#limits.low - 10, (low ?? Infinity) - 5), Math.max(this.#limits.high + 15, (high ?? -Infinity) + 5)] },
      },
      axes: [
        { ...axis, size: 30, gap: 6, space: 72, values: (_, times, __, ___, step) => times.map((time) => (step < 60 ? timeOfDay : (ms) => shortTime.format(ms))(time * 1000)) },
        { ...axis, size: 40, gap: 8, space: 36, incrs: [5, 10, 20, 25, 50] },
      ],
      series: [{}, ...this.#ids.map((id) => ({
        label: id, width: 1.75, spanGaps: false, points: { show: false }, stroke: colour(`series-${this.#slots.get(id) + 1}`), dash: DASHES[this.#slots.get(id)],
      }))],
      hooks: {
        drawClear: [(plot) => this.#drawBands(plot, colour)],
        draw: [(plot) => this.#drawLabels(plot, colour, font)],
        setCursor: [(plot) => this.#cursorMoved(plot)],
      },
    }, this.#data, place);
  }

  #bands(plot) {
    const { low, high } = this.#limits;
    return [
      { kind: "high", limit: high, edge: plot.scales.y.max, text: `High > ${high}`, offset: -6 },
      { kind: "low", limit: low, edge: plot.scales.y.min, text: `Low < ${low}`, offset: 14 },
    ];
  }

  #drawBands(plot, colour) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    ctx.setLineDash([4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const { kind, limit, edge } of this.#bands(plot)) {
      const y = plot.valToPos(limit, "y", true);
      const end = plot.valToPos(edge, "y", true);
      ctx.fillStyle = colour(`${kind}-band`);
      ctx.fillRect(bbox.left, Math.min(y, end), bbox.width, Math.abs(end - y));
      ctx.strokeStyle = colour(kind);
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
    }
    ctx.restore();
  }

  /** Over the lines, with a rim of the ground's colour, so that they stay legible. */
  #drawLabels(plot, colour, font) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.font = font.replace("12px", `${11 * devicePixelRatio}px`);
    ctx.textAlign = "left";
    ctx.lineJoin = "round";
    ctx.lineWidth = 4 * devicePixelRatio;
    ctx.strokeStyle = colour("panel");
    for (const { kind, limit, text, offset } of this.#bands(plot)) {
      const x = bbox.left + 6 * devicePixelRatio;
      const y = plot.valToPos(limit, "y", true) + offset * devicePixelRatio;
      ctx.strokeText(text, x, y);
      ctx.fillStyle = colour(`${kind}-text`);
      ctx.fillText(text, x, y);
    }
    ctx.restore();
  }

  #cursorMoved(plot) {
    const shown = plot.cursor.left >= 0 && plot.cursor.idx != null;
    this.#cursorTime = shown ? this.#data[0][plot.cursor.idx] : null;
    this.#showChips();
  }

  #moveCursor(time) {
    if (!this.#plot) return;
    this.#plot.setCursor(time === null ? { left: -10, top: -10 } : { left: this.#plot.valToPos(time, "x"), top: 10 });
  }

  #key(event) {
    const times = this.#data[0];
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (event.key === "Escape") this.#moveCursor(null);
    else if (step && times.length) {
      const at = (this.#cursorTime ?? times.at(-1)) + step * (event.shiftKey ? 10 : 1);
      this.#moveCursor(Math.max(times[0], Math.min(times.at(-1), at)));
    } else return;
    event.preventDefault();
  }

  #makeChip(id) {
    const value = element("b");
    const sample = svg("line", { x1: 1, x2: 27, y1: 5, y2: 5 });
    const remove = element("button", { type: "button", class: "remove", "aria-label": `Remove ${id} from the chart`, title: "Remove" }, icon("close"));
    remove.addEventListener("click", () => {
      const next = item.nextElementSibling ?? item.previousElementSibling;
      this.#remove(id);
      (next?.querySelector("button") ?? place).focus();
    });
    const item = element("li", { class: "chip" }, svg("svg", { class: "sample", viewBox: "0 0 28 10", "aria-hidden": "true" }, sample),
      element("span", { class: "name", title: id }, id), element("span", { class: "value" }, value, " bpm"), remove);
    return { item, value, sample };
  }

  #showChips() {
    const slot = this.#cursorTime === null ? -1 : this.#cursorTime - this.#data[0][0];
    for (const [id, chip] of this.#chips) {
      if (this.#ids.includes(id)) continue;
      chip.item.remove();
      this.#chips.delete(id);
    }
    this.#ids.forEach((id, index) => {
      if (!this.#chips.has(id)) this.#chips.set(id, this.#makeChip(id));
      const chip = this.#chips.get(id);
      const style = this.#slots.get(id);
      chip.sample.setAttribute("class", `series-${style + 1}`);
      chip.sample.setAttribute("stroke-dasharray", DASHES[style].join(" "));
      const values = this.#data[index + 1] ?? [];
      const value = slot < 0 ? values.findLast((one) => one != null) : values[slot];
      setText(chip.value, value == null ? NONE : String(value));
      if (chips.children[index] !== chip.item) chips.insertBefore(chip.item, chips.children[index] ?? null);
    });
    setText(byId("cursor-time"), this.#cursorTime === null ? "" : `at ${timeOfDay(this.#cursorTime * 1000)}`);
  }

  #summarise() {
    const told = this.#ids.map((id, index) => {
      const values = (this.#data[index + 1] ?? []).filter((value) => value != null);
      if (!values.length) return `${id}: no readings.`;
      const average = values.reduce((sum, value) => sum + value, 0) / values.length;
      return `${id}: latest ${values.at(-1)}, average ${decimal(average)}, from ${Math.min(...values)} to ${Math.max(...values)} beats per minute.`;
    });
    setText(byId("trend-summary"), told.join(" ") || "No customer is chosen.");
  }
}
