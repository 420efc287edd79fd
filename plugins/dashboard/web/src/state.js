// What the viewer has chosen, kept in the URL's fragment so that a link shows the same page.

export const RANGES = [1, 5, 15]; // minutes
const FILTERS = ["all", "alert", "stale", "ok"];
const THEMES = ["auto", "light", "dark"];
export const MOST_CHOSEN = 8;

/** @type {{customers: string[] | null, range: number | null, search: string, filter: string, theme: string}} */
export const state = { customers: null, range: null, search: "", filter: "all", theme: "auto" };

/** @type {Set<() => void>} */
const listeners = new Set();

/** Calls back after each change of `state`, by whatever. */
export const onChange = (listener) => listeners.add(listener);

const oneOf = (allowed, value) => (allowed.includes(value) ? value : undefined);

function read() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  const chosen = [...new Set(wanted.getAll("c"))].filter(Boolean).slice(0, MOST_CHOSEN);
  state.customers = wanted.has("c") ? chosen : null; // null: the page chooses
  state.range = oneOf(RANGES, Number(wanted.get("range"))) ?? null; // null: as much as there is
  state.search = wanted.get("q") ?? "";
  state.filter = oneOf(FILTERS, wanted.get("show")) ?? "all";
  state.theme = oneOf(THEMES, wanted.get("theme")) ?? "auto";
}

function write() {
  const said = new URLSearchParams();
  if (state.customers) for (const id of state.customers.length ? state.customers : [""]) said.append("c", id);
  if (state.range !== null) said.set("range", String(state.range));
  if (state.search) said.set("q", state.search);
  if (state.filter !== "all") said.set("show", state.filter);
  if (state.theme !== "auto") said.set("theme", state.theme);
  const fragment = said.toString();
  history.replaceState(null, "", fragment ? `#${fragment}` : location.pathname + location.search);
}

/** Takes over what is given, and puts it into the URL. */
export function change(changes) {
  Object.assign(state, changes);
  write();
  for (const listener of listeners) listener();
}

/** Reads the URL now, and whenever it changes. */
export function start() {
  const reread = () => {
    read();
    for (const listener of listeners) listener();
  };
  addEventListener("hashchange", reread);
  reread();
}
