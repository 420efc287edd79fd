// What the dashboard sink knows, for the development server: plain and slow, but with the same meaning.

const WINDOW = 900;
const STALE_S = 10;
const LIMITS = { low: 50, high: 120 };
const BITS = { low: 1, high: 2, jump: 4, flatline: 8, clock: 16 };
const KINDS = ["low", "high", "jump", "flatline"];

export class Board {
  startedMs = Date.now();
  readings = 0;
  alerts = [];
  #alertNumber = 0;
  #number = 0;
  #arrivals = []; // [arrival in ms, lag in ms]
  /** @type {Map<string, any>} */
  #customers = new Map();
  /** @type {Map<number, number[]>} every heart rate by second */
  #seconds = new Map();

  /** @param {number | null} received milliseconds, or null for what was there before the start */
  add(id, timeMs, rate, received) {
    const second = Math.floor(timeMs / 1000);
    const customer = this.#customers.get(id) ?? { id, slots: new Map(), flags: [], rate, timeMs };
    this.#customers.set(id, customer);
    const flags = [];
    if (rate < LIMITS.low) flags.push("low");
    if (rate > LIMITS.high) flags.push("high");
    if (timeMs - customer.timeMs < 2000 && Math.abs(rate - customer.rate) > 25) flags.push("jump");
    for (const kind of KINDS) {
      const began = flags.includes(kind) && !customer.flags.includes(kind);
      if (!began && !(customer.flags.includes(kind) && !flags.includes(kind))) continue;
      this.alerts.unshift({ n: ++this.#alertNumber, time_ms: timeMs, id, heart_rate: rate, kind, state: began ? "began" : "ended" });
      this.alerts.length = Math.min(this.alerts.length, 50);
    }
    Object.assign(customer, { flags, rate, timeMs });
    customer.slots.set(second, rate);
    customer.slots.delete(second - WINDOW - 5);
    if (!this.#seconds.has(second)) this.#seconds.set(second, []);
    this.#seconds.get(second).push(rate);
    this.readings += 1;
    if (received !== null) this.#arrivals.push([received, received - timeMs]);
  }

  #tile(customer, now) {
    const second = Math.floor(now / 1000);
    const spark = Array.from({ length: 60 }, (_, index) => customer.slots.get(second - 59 + index) ?? null);
    const mean = (values) => {
      const known = values.filter((value) => value !== null);
      return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : NaN;
    };
    const rise = mean(spark.slice(50)) - mean(spark.slice(30, 50));
    const age = Math.max(0, (now - customer.timeMs) / 1000);
    const severity = this.#severity(customer, age);
    return {
      id: customer.id, heart_rate: customer.rate, time_ms: customer.timeMs, age_s: Math.round(age * 10) / 10, flags: customer.flags, severity,
      trend: rise >= 3 ? 1 : rise <= -3 ? -1 : 0, spark,
    };
  }

  #severity(customer, age) {
    if (age > STALE_S) return 1;
    if (customer.flags.includes("low") || customer.flags.includes("high")) return 3;
    return customer.flags.length ? 2 : 0;
  }

  #sorted(now) {
    return [...this.#customers.values()]
      .map((customer) => ({ customer, severity: this.#severity(customer, (now - customer.timeMs) / 1000) }))
      .sort((a, b) => b.severity - a.severity || (a.customer.id < b.customer.id ? -1 : 1));
  }

  snapshot() {
    const now = Date.now();
    const sorted = this.#sorted(now);
    for (const second of this.#seconds.keys()) if (second < now / 1000 - WINDOW) this.#seconds.delete(second);
    const counts = new Array(60).fill(0);
    let [count, sum, min, max] = [0, 0, Infinity, -Infinity];
    for (const rates of this.#seconds.values()) {
      for (const rate of rates) {
        counts[Math.max(0, Math.min(59, Math.floor((rate - 20) / 5)))] += 1;
        count += 1;
        sum += rate;
        min = Math.min(min, rate);
        max = Math.max(max, rate);
      }
    }
    this.#arrivals = this.#arrivals.filter(([at]) => at > now - 5000);
    const lags = this.#arrivals.filter(([at]) => at > now - 1000).map(([, lag]) => lag).sort((a, b) => a - b);
    const fresh = sorted.filter(({ severity }) => severity !== 1);
    const having = (kind) => fresh.filter(({ customer }) => customer.flags.includes(kind)).length;
    return {
      version: 1, n: ++this.#number, time_ms: now, agent: "edge-01", started_ms: this.startedMs, window_s: WINDOW, refresh_ms: 500,
      stale_after_s: STALE_S, limits: LIMITS,
      totals: {
        readings: this.readings, readings_per_s: this.#arrivals.length / 5, lag_ms: lags.length ? lags[lags.length >> 1] : null,
        known: sorted.length, active: fresh.length, stale: sorted.length - fresh.length,
        low: having("low"), high: having("high"), jump: having("jump"), flatline: having("flatline"),
        count, average: count ? sum / count : null, min: count ? min : null, max: count ? max : null,
      },
      distribution: { from: 20, step: 5, counts },
      wall: sorted.slice(0, 60).map(({ customer }) => this.#tile(customer, now)), alerts: this.alerts,
    };
  }

  search(text, wanted, limit) {
    const now = Date.now();
    const fits = { all: () => true, alert: (severity) => severity >= 2, stale: (severity) => severity === 1, ok: (severity) => severity === 0 }[wanted];
    const matched = this.#sorted(now).filter(({ customer, severity }) => fits(severity) && customer.id.toLowerCase().includes(text.toLowerCase()));
    return { matched: matched.length, customers: matched.slice(0, limit).map(({ customer }) => this.#tile(customer, now)) };
  }

  history(ids, since) {
    const to = Math.floor(Date.now() / 1000);
    const from = Math.max(to - WINDOW + 1, Number(since ?? 0));
    const series = ids.map((id) => {
      const slots = this.#customers.get(id)?.slots;
      const values = Array.from({ length: to - from + 1 }, (_, index) => slots?.get(from + index) ?? null);
      return { id, known: slots !== undefined, values, flags: values.map((rate) => (rate === null ? 0 : rate < LIMITS.low ? BITS.low : rate > LIMITS.high ? BITS.high : 0)) };
    });
    return { from_s: from, step_s: 1, series };
  }
}
