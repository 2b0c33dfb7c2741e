// Putting the entries of a list in another order, by pointer and by keyboard.

/** The list with its entry at `from` taken to `to`. */
export function moved<T>(list: readonly T[], from: number, to: number): T[] {
  const next = [...list];
  const [entry] = next.splice(from, 1);
  if (entry === undefined) return next;
  next.splice(to, 0, entry);
  return next;
}

/** Which gap between rows is nearest to y: 0 before the first one. middles are the rows' own, from the top. */
export const gapAt = (middles: readonly number[], y: number): number => middles.filter((middle) => middle < y).length;

/** Where an entry comes to lie that is taken from `from` into a gap. */
export const landing = (from: number, gap: number): number => (gap > from ? gap - 1 : gap);

const steps: ReadonlyMap<string, (at: number, last: number) => number> = new Map([
  ['ArrowUp', (at: number) => at - 1],
  ['ArrowDown', (at: number) => at + 1],
  ['Home', () => 0],
  ['End', (_: number, last: number) => last],
]);

/** Where a key takes the entry at `at` of `count`, or null when it is none that moves. */
export function keyTo(key: string, at: number, count: number): number | null {
  const step = steps.get(key);
  return step ? Math.min(Math.max(step(at, count - 1), 0), count - 1) : null;
}
