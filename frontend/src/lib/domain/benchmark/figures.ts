// The figures of a benchmark and how they are written.
import type { Distribution, Estimate } from '../../api/types';
import type { Case } from './run';

/** Four digits that count, as a table has them: 22.04, 123.4, 1765. */
export function digits(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return '';
  if (n === 0) return '0';
  const whole = Math.max(1, Math.floor(Math.log10(Math.abs(n))) + 1);
  return n.toFixed(Math.min(6, Math.max(0, 4 - whole)));
}

/** Milliseconds for a person: 0.42 ms, 8.5 ms, 22 ms, 1.24 s. */
export function time(ms: number): string {
  if (ms >= 999.5) return `${(ms / 1000).toPrecision(3)} s`;
  return `${ms >= 99.5 ? Math.round(ms) : Number(ms.toPrecision(ms < 10 ? 2 : 3))} ms`;
}

/** Tokens in a second for a person. */
export const perSecond = (n: number): string => `${n >= 99.5 ? Math.round(n) : Number(n.toPrecision(3))} tokens/s`;

export interface Figure {
  id: 'first' | 'gap' | 'total' | 'reading' | 'writing' | 'throughput';
  label: string;
  unit: 'ms' | 'tokens/s';
  /** More of it is better. */
  higher: boolean;
  of: (c: Case) => Estimate | null;
  write: (n: number) => string;
}

const median = (d: Distribution | null | undefined): Estimate | null => d?.p50 ?? null;

/** The same as mlx-benchmark compares: medians, and the throughput, which has no interval. */
export const all: readonly Figure[] = [
  { id: 'first', label: 'First token', unit: 'ms', higher: false, of: (c) => median(c.first_token_ms), write: time },
  { id: 'gap', label: 'Between tokens', unit: 'ms', higher: false, of: (c) => median(c.inter_token_ms), write: time },
  { id: 'total', label: 'Whole answer', unit: 'ms', higher: false, of: (c) => median(c.total_ms), write: time },
  { id: 'reading', label: 'Reading the prompt', unit: 'tokens/s', higher: true, of: (c) => median(c.prompt_tokens_per_second), write: perSecond },
  { id: 'writing', label: 'Writing the answer', unit: 'tokens/s', higher: true, of: (c) => median(c.generation_tokens_per_second), write: perSecond },
  {
    id: 'throughput',
    label: 'Throughput',
    unit: 'tokens/s',
    higher: true,
    of: ({ throughput: { tokens_per_second: v } }) => (v > 0 ? { value: v, low: v, high: v } : null),
    write: perSecond,
  },
];

export function figure(id: Figure['id']): Figure {
  const found = all.find((f) => f.id === id);
  if (!found) throw new Error(`there is no figure ${id}`);
  return found;
}

/** The p-th percentile of values in order, interpolated as R and NumPy do. */
export function percentile(sorted: readonly number[], p: number): number {
  const at = (p / 100) * (sorted.length - 1);
  const [below, above] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN];
  return below + (above - below) * (at - Math.floor(at));
}
