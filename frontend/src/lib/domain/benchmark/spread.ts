// The distribution of a latency: which share of the values is at most so much. Unlike a histogram it has no
// bins that one could choose wrongly, shows ten values as well as ten thousand, and lets several models be laid over each other.
import type { BenchmarkFile, BenchmarkSample, Distribution } from '../../api/types';
import { looks, type Axis, type Point, type Series, type Stop, type XYChart } from '../chart/chart';
import { upTo } from '../chart/scale';
import { digits, percentile, time } from './figures';
import { choiceWords, keyOf, chosenCases, seriesName, type Case, type Choice, type Run } from './run';
import type { LookOf } from './overtime';

type Which = 'first' | 'gap';

const shown = [50, 90, 99];
const read = [1, 5, 10, 25, 50, 75, 90, 95, 99, 100];
const most = 300; // points of a line: more are not seen

/** The values of a case's answered requests, in order. */
export function values(samples: readonly BenchmarkSample[], which: Which): number[] {
  const good = samples.filter((s) => !s.error);
  const found = which === 'gap' ? good.flatMap((s) => s.gaps_ms ?? []) : good.flatMap((s) => (s.first_token_ms ? [s.first_token_ms] : []));
  return found.sort((a, b) => a - b);
}

/** The line of the shares, in at most so many points. */
export function shares(sorted: readonly number[]): Point[] {
  const n = sorted.length;
  const every = Math.max(1, n / most);
  const points: Point[] = [{ x: sorted[0] ?? 0, y: 0 }];
  for (let i = 0; i < n; i += every) points.push({ x: sorted[Math.floor(i)] ?? 0, y: (100 * (Math.floor(i) + 1)) / n });
  points.push({ x: sorted[n - 1] ?? 0, y: 100 });
  return points;
}

interface Line {
  c: Case;
  name: string;
  look: number;
  before: boolean;
  sorted: number[];
}

/** A run, and its file with the samples. */
export interface Sampled {
  run: Run;
  file: BenchmarkFile;
}

export function distribution({ run, file }: Sampled, before: Sampled | null, chosen: Choice, which: Which, look: LookOf): XYChart {
  const of = (s: Sampled, was: boolean): Line[] =>
    chosenCases(s.run, chosen).map((c) => {
      const name = seriesName(c, s.run.cases);
      const samples = s.file.cases.find((o) => keyOf(o) === keyOf(c))?.samples ?? [];
      return { c, name, look: look(name), before: was, sorted: values(samples, which) };
    });
  const all = [...of({ run, file }, false), ...(before ? of(before, true) : [])].filter((l) => l.sorted.length > 0);
  const drawn = all.slice(0, looks);
  const x = across(drawn);
  const within = (v: number) => Math.max(v, x.from); // what is faster than the axis begins stands at its beginning
  const series = [...drawn].reverse().map((l): Series => {
    const marked = shown.map((p) => ({ x: within(percentile(l.sorted, p)), y: p }));
    return { name: l.name, look: l.look, before: l.before, points: shares(l.sorted).map((p) => ({ x: within(p.x), y: p.y })), marked };
  });
  const stops = read.map(
    (p): Stop => ({
      at: p,
      title: p === 100 ? 'The slowest' : p === 50 ? 'Half of them within' : `${p} % within`,
      rows: drawn.map((l) => ({ name: l.name, look: l.look, before: l.before, text: time(percentile(l.sorted, p)), x: within(percentile(l.sorted, p)), y: p })),
    }),
  );
  const first = which === 'first';
  return {
    kind: 'xy',
    id: first ? 'first-token' : 'between-tokens',
    title: first ? 'Time to first token' : 'Time between tokens',
    note: `Share of ${first ? 'requests' : 'tokens'} within a time; marks at 50, 90 and 99 %; ${choiceWords(chosen)}`,
    x,
    y: { kind: 'linear', label: first ? '% of requests' : '% of tokens', from: 0, to: 100, at: [0, 25, 50, 75, 90, 100], format: String },
    series,
    stops,
    along: 'y',
    line: 'steps',
    table: table(all, which, before !== null),
    empty: all.length > 0 ? '' : run.settings.stream ? 'No request of this was answered.' : 'The answers were not streamed, so there is no time of single tokens.',
  };
}

/** From nothing on; where a few values are far off, in powers, so that the others can be told apart. */
function across(drawn: readonly Line[]): Axis {
  const top = Math.max(0, ...drawn.map((l) => l.sorted.at(-1) ?? 0));
  const medians = drawn.map((l) => percentile(l.sorted, 50));
  const middle = Math.max(0, ...medians);
  // Tokens that came in one piece have next to nothing between them: powers down to there would push the rest aside.
  const low = Math.max(Math.min(top, ...drawn.map((l) => l.sorted[0] ?? top)), Math.min(top, ...medians) / 20);
  const far = low > 0 && top > 8 * middle;
  const seconds = top >= 2000;
  const format = (n: number) => String(Number((seconds ? n / 1000 : n).toPrecision(3)));
  const unit = seconds ? 's' : 'ms';
  if (far) return { kind: 'log', label: `${unit}, logarithmic`, from: low * 0.95, to: top * 1.05, format };
  return upTo(top, unit, format, 6);
}

function table(all: readonly Line[], which: Which, both: boolean): XYChart['table'] {
  const of = (c: Case): Distribution | null => (which === 'first' ? c.first_token_ms : c.inter_token_ms);
  return {
    columns: [
      ...(both ? [{ label: 'Run' }] : []),
      { label: 'Model' },
      { label: 'Values', number: true },
      ...['p50', 'p90', 'p95', 'p99', 'Mean', 'Least', 'Most'].map((label) => ({ label: `${label}, ms`, number: true })),
    ],
    rows: all.map((l) => {
      const d = of(l.c);
      return [
        ...(both ? [l.before ? 'before' : 'after'] : []),
        l.name,
        String(l.sorted.length),
        ...[d?.p50.value, d?.p90.value, d?.p95.value, d?.p99.value, d?.mean, d?.min, d?.max].map(digits),
      ];
    }),
  };
}
