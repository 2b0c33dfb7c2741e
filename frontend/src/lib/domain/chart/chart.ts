// What a chart shows, before it has a size: two axes with lines, or rows with bars. Each one also says what a
// reader gets at each stop of the pointer or the arrow keys, and the same numbers as a table.

export interface Axis {
  label: string;
  /** names: even distances, one a name. */
  kind: 'linear' | 'log' | 'names';
  /** Of the values; for names 0 and the last one's index. */
  from: number;
  to: number;
  /** Figures with an own line in the grid; else round ones are found. */
  at?: readonly number[];
  format: (n: number) => string;
}

export interface Point {
  x: number;
  y: number;
  /** The interval of y. */
  low?: number;
  high?: number;
}

export interface Series {
  name: string;
  /** Which colour, mark and dash: the same number for the same thing in all charts of a page. */
  look: number;
  /** Drawn lighter and dashed: what was before. */
  before?: boolean;
  points: readonly Point[];
  /** Points that a mark stands at; all of them when absent. */
  marked?: readonly Point[];
}

export interface Stop {
  /** Where on the axis that the stops are along. */
  at: number;
  title: string;
  /** What each series has there. */
  rows: readonly { name: string; look: number; before?: boolean; text: string; x: number; y: number }[];
}

export interface Table {
  columns: readonly { label: string; number?: boolean }[];
  rows: readonly (readonly string[])[];
}

interface Common {
  /** In file names and addresses. */
  id: string;
  title: string;
  /** What the figures are of, in a few words. */
  note: string;
  table: Table;
  /** Why nothing is drawn, or "". */
  empty: string;
}

export interface XYChart extends Common {
  kind: 'xy';
  x: Axis;
  y: Axis;
  series: readonly Series[];
  stops: readonly Stop[];
  /** The axis along which the stops are. */
  along: 'x' | 'y';
  /** How points are joined: steps for shares, which change at a value. */
  line: 'straight' | 'steps';
  /** Where on the x axis something stands out. */
  rules?: readonly number[];
}

export interface Row {
  name: string;
  look: number;
  before?: boolean;
  value: number;
  low: number;
  high: number;
  /** What stands at its end. */
  text: string;
  /** The whole of it, for one who hovers. */
  whole: string;
  /** The interval that it is held against. */
  band?: { low: number; high: number };
  ink?: Ink;
}

export interface Group {
  title: string;
  axis: Axis;
  rows: readonly Row[];
}

export interface RowsChart extends Common {
  kind: 'rows';
  groups: readonly Group[];
  /** Bars from nothing, or dots to either side of 1. */
  marks: 'bars' | 'dots';
  /** Under all groups, at the two ends. */
  ends?: readonly [string, string];
}

export type Chart = XYChart | RowsChart;

/** A colour by the name of its token. */
export type Ink = 'text' | 'muted' | 'line' | 'line-strong' | 'panel' | 'ok' | 'bad' | `chart-${1 | 2 | 3 | 4 | 5 | 6}`;

const inks = ['chart-1', 'chart-2', 'chart-3', 'chart-4', 'chart-5', 'chart-6'] as const;
export const shapes = ['circle', 'square', 'triangle', 'diamond', 'plus', 'ring', 'cross', 'open-diamond', 'open-square', 'open-triangle', 'down', 'open-down'] as const;
const dashes = ['', '7 3', '7 2 2 2', '12 3', '4 2', '12 3 3 3', '16 4', '10 2 4 2', '3 4', '14 2 2 2 2 2', '6 6', '8 2 2 2 2 2 2 2'] as const;

export interface Look {
  ink: Ink;
  shape: (typeof shapes)[number];
  dash: string;
}

/** How many series are told apart; more of them would not be. Each colour is there twice, with another mark and dash. */
export const looks = shapes.length;

/** Colour, mark and dash of a series, never the colour alone; before: as it is drawn when it is what was before. */
export function lookOf(i: number, before = false): Look {
  const ink = inks[i % inks.length] ?? 'chart-1';
  const second = i % looks >= inks.length;
  if (before) return { ink, shape: second ? 'open-square' : 'ring', dash: second ? '1.5 6' : '1.5 3' };
  return { ink, shape: shapes[i % looks] ?? 'circle', dash: dashes[i % looks] ?? '' };
}

/** What the legend names. */
export function legend(chart: Chart): { name: string; look: number; before: boolean }[] {
  const all = chart.kind === 'xy' ? chart.series : chart.marks === 'bars' ? chart.groups.flatMap((g) => g.rows) : [];
  const found = new Map(all.map((s) => [`${s.name} ${s.before ?? false}`, { name: s.name, look: s.look, before: s.before ?? false }]));
  return [...found.values()].sort((a, b) => Number(a.before) - Number(b.before) || a.look - b.look);
}
