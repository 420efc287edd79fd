// Numbers, times and the words for what the flags mean.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const NONE = "–";

/** 12345 -> "12,345" */
export const count = (value) => (value == null ? NONE : whole.format(value));

/** 72.31 -> "72.3" */
export const decimal = (value) => (value == null ? NONE : one.format(value));

/** Readings a second: exact below ten, whole above. */
export const rate = (value) => (value == null ? NONE : value < 10 && value % 1 ? one.format(value) : whole.format(value));

/** Whether a Date can hold these milliseconds since the epoch; a reading's time may lie beyond the year 275760. */
export const isDate = (ms) => !Number.isNaN(new Date(ms).getTime());

/** Milliseconds since the epoch -> "14:02:09" in the viewer's time zone. */
export const timeOfDay = (ms) => (isDate(ms) ? clock.format(ms) : NONE);

/** A length of time in milliseconds, with the unit that reads best. */
export function duration(ms) {
  if (ms == null) return NONE;
  if (Math.abs(ms) < 995) return `${Math.round(ms)} ms`;
  if (Math.abs(ms) < 99_500) return `${one.format(ms / 1000)} s`;
  return age(ms / 1000);
}

/** An age in seconds, short: "0.8 s", "42 s", "7 min", "3 h", "2 d". */
export function age(seconds) {
  if (seconds < 9.95) return `${one.format(Math.max(0, seconds))} s`;
  if (seconds < 99.5) return `${Math.round(seconds)} s`;
  if (seconds < 5_940) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Seconds -> "last 15 min", for what is said about the window. */
export const lastSeconds = (seconds) => `last ${seconds % 60 ? `${seconds} s` : `${seconds / 60} min`}`;

/** What each flag is called on the page. */
export const KINDS = { high: "High", low: "Low", jump: "Jump", flatline: "Flat", clock: "Clock" };

/**
 * What a tile's flags and age come to. @returns {{kind: string, word: string, stale: boolean}} kind is also the icon's
 * name and the class; "ok" has neither icon nor word for the eye.
 */
export function status(tile, staleAfter) {
  const stale = tile.severity === 1 || tile.age_s > staleAfter;
  for (const kind of ["high", "low", "jump", "flatline"]) {
    if (tile.severity > 1 && tile.flags.includes(kind)) return { kind, word: KINDS[kind], stale };
  }
  return stale ? { kind: "stale", word: "Stale", stale } : { kind: "ok", word: "OK", stale };
}
