// node --test: the page's history of values when the agent's clock is set while the page stays open.
import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "../../../plugins/dashboard/web/src/history.js";

const WINDOW = 900;

/** Answers as Board::history does (plugins/dashboard/board_views.cpp): each slot holds its second of the agent's clock. */
const clock = { now: 0 };
globalThis.fetch = async (address) => {
  const query = new URL(address, "http://localhost").searchParams;
  const since = query.has("since_s") ? Number(query.get("since_s")) : -Infinity;
  if (since < 0 && since !== -Infinity) return new Response("{}", { status: 400 });
  const from = Math.min(Math.max(since, clock.now - WINDOW + 1), clock.now + 1);
  const values = Array.from({ length: clock.now + 1 - from }, (_, slot) => from + slot);
  return Response.json({ from_s: from, step_s: 1, series: query.getAll("customer").map((id) => ({ id, known: true, values })) });
};

/** What the chart shows of the last `seconds`, checked against the clock: a value in another second's slot is an error. */
function shown(history, seconds) {
  const [times, values] = history.aligned(["a"], clock.now - seconds + 1, clock.now);
  times.forEach((time, slot) => values[slot] == null || assert.equal(values[slot], time));
  return values.filter((value) => value != null).length;
}

async function at(history, now) {
  clock.now = now;
  await history.update(["a"], WINDOW);
}

test("a clock that runs on gives every second", async () => {
  const history = new History();
  for (let second = 0; second < 2000; second += 1) await at(history, 1_800_000_000 + second);
  assert.equal(shown(history, WINDOW), WINDOW);
  assert.equal(shown(history, 2 * WINDOW), WINDOW + 5); // what is older is let go
});

test("after a silence of a few minutes the second before it are still there", async () => {
  const history = new History();
  await at(history, 1_800_000_000);
  clock.now = 1_800_000_300;
  await history.update(["a"], WINDOW);
  assert.equal(shown(history, WINDOW), WINDOW);
});

for (const [what, before, jump] of [
  ["back by an hour", 1_800_000_000, -3600],
  ["back by ten minutes", 1_800_000_000, -600],
  ["ahead by an hour", 1_800_000_000, 3600],
  ["from 1970 to 2027", 100, 1_800_000_000],
]) {
  test(`a clock that is set ${what} gives a chart again within seconds, in its own time`, { timeout: 10_000 }, async () => {
    const history = new History();
    await at(history, before);
    for (let second = 0; second < 20; second += 1) await at(history, before + jump + second);
    assert.ok(shown(history, 20) >= 19, "the seconds since are drawn");
  });
}

test("a clock that begins at 1970 asks for nothing before", async () => {
  const history = new History();
  await at(history, 3);
  await at(history, 5);
  assert.equal(shown(history, 5), 5);
});
