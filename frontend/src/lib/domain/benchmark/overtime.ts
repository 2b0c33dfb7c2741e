// The chart of a figure over runs, and of throughput against concurrency.
import { looks, type Series, type Stop, type Table, type XYChart } from '../chart/chart';
import { named, upTo, upToAny } from '../chart/scale';
import { clock } from '../units';
import { digits, figure, type Figure } from './figures';
import { choiceWords, chosenCases, measured, nameOf, seriesName, type Case, type Choice, type Run } from './run';

/** The colour, mark and dash of a series' name, the same in all charts. */
export type LookOf = (name: string) => number;

interface Value {
  name: string;
  x: number;
  value: number;
  low: number;
  high: number;
}

const short = (n: number): string => String(Number(n.toPrecision(3)));

/** Lines of values, one a name, and what there is to read at each x. */
export function lines(values: readonly Value[], look: LookOf, titles: readonly { x: number; title: string }[], write: (v: Value) => string, before = false) {
  const names = [...new Set(values.map((v) => v.name))].slice(0, looks);
  const series = names.map(
    (name): Series => ({
      name,
      look: look(name),
      before,
      points: values.filter((v) => v.name === name).map((v) => ({ x: v.x, y: v.value, low: v.low, high: v.high })),
    }),
  );
  const stops = titles.map(
    ({ x, title }): Stop => ({
      at: x,
      title,
      rows: values.filter((v) => v.x === x && names.includes(v.name)).map((v) => ({ name: v.name, look: look(v.name), before, text: write(v), x, y: v.value })),
    }),
  );
  return { series, stops: stops.filter((s) => s.rows.length > 0) };
}

export const interval = (f: Figure, v: { value: number; low: number; high: number }): string =>
  v.low < v.high ? `${f.write(v.value)}, interval ${f.write(v.low)} to ${f.write(v.high)}` : f.write(v.value);

/** The median of a figure in all runs that measured what was chosen, the oldest first. */
export function overTime(runs: readonly Run[], chosen: Choice, id: 'first' | 'writing', look: LookOf, shown: Run | null, now: Date): XYChart {
  const f = figure(id);
  const title = id === 'first' ? 'First token over runs' : 'Generation over runs';
  const ordered = [...runs].sort((a, b) => (a.started_at < b.started_at ? -1 : 1)).filter((r) => chosenCases(r, chosen).some((c) => f.of(c)));
  const values = ordered.flatMap((run, x) =>
    chosenCases(run, chosen).flatMap((c): Value[] => {
      const e = f.of(c);
      return e ? [{ name: seriesName(c, run.cases), x, ...e }] : [];
    }),
  );
  const at = (run: Run) => clock(new Date(run.started_at), now);
  const { series, stops } = lines(values, look, ordered.map((run, x) => ({ x, title: run.label ? `${run.label}, ${at(run)}` : `Run of ${at(run)}` })), (v) => interval(f, v));
  const table: Table = {
    columns: [{ label: 'Run' }, { label: 'Label' }, { label: 'Model' }, ...bounds(`Median, ${f.unit}`)],
    rows: values.map((v) => [at(ordered[v.x] as Run), ordered[v.x]?.label ?? '', v.name, ...cells(v)]),
  };
  const marked = ordered.findIndex((r) => r.id === shown?.id);
  return {
    kind: 'xy',
    id: id === 'first' ? 'first-token-over-runs' : 'generation-over-runs',
    title,
    note: `Median and its 95 % interval, ${choiceWords(chosen)}`,
    x: named(ordered.map((r) => nameOf(r, now)), 'run'),
    y: upToAny(values.flatMap((v) => [v.low, v.high]), f.unit, short),
    series,
    stops,
    along: 'x',
    line: 'straight',
    ...(marked >= 0 && ordered.length > 1 ? { rules: [marked] } : {}),
    table,
    empty: values.length > 0 ? '' : 'No run has measured this.',
  };
}

/** Tokens a second of all clients together, by how many ask at a time. */
export function throughput(run: Run, before: Run | null, { prompt }: Choice, look: LookOf): XYChart {
  const f = figure('throughput');
  const of = (r: Run) => r.cases.filter((c) => measured(c) && c.prompt.name === prompt && f.of(c));
  const value = (r: Run) => (c: Case): Value => ({ name: seriesName(c, r.cases), x: c.concurrency, ...(f.of(c) ?? { value: 0, low: 0, high: 0 }) });
  const [now, was] = [of(run).map(value(run)), before ? of(before).map(value(before)) : []];
  const numbers = [...new Set([...now, ...was].map((v) => v.x))].sort((a, b) => a - b);
  const index = (v: Value): Value => ({ ...v, x: numbers.indexOf(v.x) });
  const titles = numbers.map((n, x) => ({ x, title: `${n} at a time` }));
  const write = (v: Value) => f.write(v.value);
  const [a, b] = [lines(was.map(index), look, titles, write, true), lines(now.map(index), look, titles, write)];
  const stops = titles.map(({ x, title }) => ({ at: x, title, rows: [...b.stops, ...a.stops].filter((s) => s.at === x).flatMap((s) => s.rows) }));
  const row = (r: Run, which: string) => (c: Case) => [
    ...(before ? [which] : []),
    seriesName(c, r.cases),
    String(c.concurrency),
    digits(c.throughput.tokens_per_second),
    digits(c.throughput.answers_per_second),
    digits(c.first_token_ms?.p50.value),
  ];
  return {
    kind: 'xy',
    id: 'throughput',
    title: 'Throughput',
    note: `All clients together, prompt ${prompt}`,
    x: named(numbers.map(String), 'requests at a time'),
    y: upTo(Math.max(0, ...[...now, ...was].map((v) => v.value)), 'tokens/s', short),
    series: [...a.series, ...b.series],
    stops,
    along: 'x',
    line: 'straight',
    table: {
      columns: [
        ...(before ? [{ label: 'Run' }] : []),
        { label: 'Model' },
        { label: 'At a time', number: true },
        { label: 'Tokens/s', number: true },
        { label: 'Answers/s', number: true },
        { label: 'First token, ms', number: true },
      ],
      rows: [...of(run).map(row(run, 'after')), ...(before ? of(before).map(row(before, 'before')) : [])],
    },
    empty: now.length > 0 ? '' : 'This run has no throughput: half of its requests went past the gateway, or none was answered.',
  };
}

/** The columns of a value and its interval. */
export const bounds = (label: string) => [
  { label, number: true },
  { label: 'from', number: true },
  { label: 'to', number: true },
];

export const cells = (v: { value: number; low: number; high: number }): string[] => [digits(v.value), ...(v.low < v.high ? [digits(v.low), digits(v.high)] : ['', ''])];
