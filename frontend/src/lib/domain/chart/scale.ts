// From values to places and back, and the round figures that an axis names.
import type { Axis } from './chart';

/** A step of 1, 2, 2.5 or 5 times a power of ten, with which span takes at most so many steps. */
export function step(span: number, most: number): number {
  if (!(span > 0) || most < 1) return 1;
  const power = 10 ** Math.floor(Math.log10(span / most));
  for (const m of [1, 2, 2.5, 5, 10]) if (m * power * most >= span * (1 - 1e-9)) return m * power;
  return 10 * power;
}

/** Round figures from one value to another. */
export function ticks(from: number, to: number, most: number): number[] {
  const by = step(to - from, most);
  const first = Math.ceil(from / by - 1e-9);
  const last = Math.floor(to / by + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * by).toPrecision(12)));
}

/** 1, 2 and 5 times the powers of ten between two values, thinned to at most so many. */
export function logTicks(from: number, to: number, most: number): number[] {
  const between = (of: readonly number[]) => {
    const found: number[] = [];
    for (let p = Math.floor(Math.log10(from)); p <= Math.ceil(Math.log10(to)); p++) {
      for (const m of of) found.push(Number((m * 10 ** p).toPrecision(6)));
    }
    return found.filter((v) => v >= from * (1 - 1e-9) && v <= to * (1 + 1e-9));
  };
  for (const of of [[1, 2, 5], [1, 3], [1]]) {
    const found = between(of);
    if (found.length <= most) return found.length > 0 ? found : [from, to];
  }
  const all = between([1]);
  const every = Math.ceil(all.length / Math.max(1, most));
  return all.filter((_, i) => i % every === 0);
}

/** An axis from nothing to a round figure above max. */
export function upTo(max: number, label: string, format: (n: number) => string, most = 5): Axis {
  const top = max > 0 ? max : 1;
  const by = step(top, most);
  return { kind: 'linear', label, from: 0, to: Number((Math.ceil(top / by - 1e-9) * by).toPrecision(12)), format };
}

/** The same, but in powers where values are so far apart that the small ones could not be read. */
export function upToAny(values: readonly number[], label: string, format: (n: number) => string): Axis {
  const positive = values.filter((v) => v > 0);
  const [least, top] = [Math.min(...positive), Math.max(0, ...positive)];
  if (positive.length === 0 || top / least < 30) return upTo(top, label, format);
  return { kind: 'log', label: `${label}, logarithmic`, from: least * 0.8, to: top * 1.2, format };
}

/** Even distances with a name each. */
export const named = (names: readonly string[], label: string): Axis => ({
  kind: 'names',
  label,
  from: 0,
  to: Math.max(0, names.length - 1),
  at: names.map((_, i) => i),
  format: (i) => names[i] ?? '',
});

/** Where a value of an axis stands between two places. */
export function scale(axis: Axis, start: number, end: number): (value: number) => number {
  const length = end - start;
  if (axis.kind === 'names') {
    const share = length / (axis.to - axis.from + 1);
    return (v) => start + share * (v - axis.from + 0.5);
  }
  const of = axis.kind === 'log' ? Math.log : (v: number) => v;
  const [from, to] = [of(axis.from), of(axis.to)];
  return (v) => (to === from ? start : start + (length * (of(v) - from)) / (to - from));
}

/** The figures that are named on an axis with room for so many. */
export function figures(axis: Axis, most: number): readonly number[] {
  if (axis.kind === 'names') {
    const all = axis.at ?? [];
    const every = Math.ceil(all.length / Math.max(1, most));
    return all.filter((_, i) => (all.length - 1 - i) % every === 0); // the last one always
  }
  if (axis.at) return axis.at;
  return axis.kind === 'log' ? logTicks(axis.from, axis.to, most) : ticks(axis.from, axis.to, most);
}
