// The chosen customers' values of the window, one slot a second: loaded once, then kept up to date by the second.

import { get } from "./api.js";
import { withGaps } from "./gaps.js";

const OVERLAP_S = 12; // slots that are asked for again: late readings still come in

export class History {
  /** @type {Map<string, {from: number, values: (number | null)[]}>} */
  #series = new Map();
  #window = 900;
  #busy = false;
  #loaded = 0; // counts forgetting, so that an answer to an older question is dropped

  /** Everything is to be loaded again: another start of the agent, or a connection that was lost. */
  forget() {
    this.#series.clear();
    this.#loaded += 1;
  }

  /** Loads what is new of these customers. @param {string[]} ids @param {number} windowSeconds */
  async update(ids, windowSeconds) {
    this.#window = windowSeconds;
    for (const id of this.#series.keys()) if (!ids.includes(id)) this.#series.delete(id);
    if (this.#busy || !ids.length) return;
    this.#busy = true;
    const asked = this.#loaded;
    try {
      const fresh = ids.filter((id) => !this.#series.has(id));
      const known = ids.filter((id) => this.#series.has(id));
      const since = Math.max(0, Math.min(...known.map((id) => this.#end(id))) - OVERLAP_S); // 0: a clock that begins at 1970
      const answers = await Promise.all([
        fresh.length ? get("history", fresh.map((id) => ["customer", id])) : null,
        known.length ? get("history", [...known.map((id) => ["customer", id]), ["since_s", String(since)]]) : null,
      ]);
      if (asked !== this.#loaded) return;
      for (const answer of answers) if (answer) this.#take(answer);
    } finally {
      this.#busy = false;
    }
  }

  #end(id) {
    const { from, values } = this.#series.get(id);
    return from + values.length;
  }

  #take({ from_s, series }) {
    for (const { id, values } of series) {
      let old = this.#series.get(id);
      // The agent's clock was set: these are two time axes, which do not go together.
      if (old && (from_s < old.from || from_s - old.from > 2 * this.#window)) old = undefined;
      const kept = old ? old.values.slice(0, Math.max(0, from_s - old.from)) : [];
      const from = old ? old.from : from_s;
      while (old && kept.length < from_s - from) kept.push(null); // a hole between the two answers
      const joined = [...kept, ...values];
      const surplus = Math.max(0, joined.length - this.#window - 5);
      this.#series.set(id, { from: from + surplus, values: joined.slice(surplus) });
    }
  }

  /** uPlot's data from `from` to `to` (seconds): the times, then the values of each id. */
  aligned(ids, from, to) {
    const times = Array.from({ length: to - from + 1 }, (_, slot) => from + slot);
    return [times, ...ids.map((id) => {
      const series = this.#series.get(id);
      return withGaps(times.map((time) => series?.values[time - series.from] ?? null));
    })];
  }
}
