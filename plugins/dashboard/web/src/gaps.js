// What counts as a gap in a series with one slot a second.

/**
 * The longest distance in slots between two readings that still belong together: twice and a half the usual distance,
 * so that a device that measures every five seconds gives a line, and a second that fell between two slots no gap.
 * @param {(number | null)[]} values
 */
export function longestStep(values) {
  const steps = [];
  let last = -1;
  values.forEach((value, slot) => {
    if (value == null) return;
    if (last >= 0) steps.push(slot - last);
    last = slot;
  });
  steps.sort((a, b) => a - b);
  return steps.length ? 2.5 * steps[steps.length >> 1] : 1;
}

/** A copy in which null is a gap, and undefined a slot over which the line goes on (uPlot's convention). */
export function withGaps(values) {
  const longest = longestStep(values);
  const copy = values.map((value) => value ?? null);
  let last = -1;
  copy.forEach((value, slot) => {
    if (value === null) return;
    if (last >= 0 && slot - last > 1 && slot - last <= longest) copy.fill(undefined, last + 1, slot);
    last = slot;
  });
  return copy;
}
