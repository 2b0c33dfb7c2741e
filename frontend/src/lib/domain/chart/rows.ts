// The layout of rows: groups of bars or dots, each group with an axis of its own.
import { lookOf, type Group, type Row, type RowsChart } from './chart';
import type { Layout, Place } from './layout';
import { fitted, line, sharp, textWidth, type Mark } from './marks';
import { figures, scale } from './scale';

const titleHeight = 22;
const rowHeight = 22;
const gap = 10;
const barHeight = 8;
const foot = 22;

/** How high the rows are together. */
export const rowsHeight = (chart: RowsChart): number =>
  chart.groups.reduce((sum, g) => sum + titleHeight + g.rows.length * rowHeight + gap, 0) + (chart.ends ? foot + 12 : 0);

export function rowsLayout(chart: RowsChart, width: number, height: number): Layout {
  const rows = chart.groups.flatMap((g) => g.rows);
  const names = Math.min(Math.max(...rows.map((r) => textWidth(r.name)), 0) + 22, Math.max(90, width * 0.32));
  const texts = Math.max(...rows.map((r) => textWidth(r.text)), 0) + 10;
  const area = { left: Math.ceil(names), top: 0, right: Math.max(names + 30, width - texts), bottom: height };
  const marks: Mark[] = [];
  const places: Place[] = [];
  let top = 0;
  for (const group of chart.groups) {
    marks.push({ kind: 'text', x: 0, y: top + 14, text: group.title, anchor: 'start', ink: 'text', strong: true });
    const x = scale(group.axis, area.left, area.right);
    const from = top + titleHeight;
    const to = from + group.rows.length * rowHeight;
    for (const v of chart.marks === 'dots' ? figures(group.axis, 5) : [0]) {
      const ink = v === (chart.marks === 'dots' ? 1 : 0) ? 'line-strong' : 'line';
      marks.push({ kind: 'path', d: line(sharp(x(v)), from, sharp(x(v)), to), ink, width: 1 });
    }
    for (const [i, row] of group.rows.entries()) {
      const y = from + (i + 0.5) * rowHeight;
      marks.push(...(chart.marks === 'bars' ? bar(row, x, y, area) : dot(row, x, y)));
      const key: Mark[] = chart.marks === 'bars' ? [{ kind: 'dot', x: 6, y, shape: lookOf(row.look, row.before).shape, ink: lookOf(row.look).ink }] : [];
      const start = chart.marks === 'bars' ? 16 : 0;
      marks.push(...key, { kind: 'text', x: start, y: y + 4, text: fitted(row.name, names - start - 6), anchor: 'start', ink: 'muted' });
      marks.push({ kind: 'text', x: width, y: y + 4, text: row.text, anchor: 'end', ink: row.ink ?? 'text' });
      places.push({ at: y, title: group.title, rows: [{ name: row.name, look: row.look, before: row.before ?? false, text: row.whole }], points: [{ x: x(row.value), y }] });
    }
    top = to + gap;
  }
  if (chart.ends) marks.push(...axisBelow(chart, area, top));
  return { width, height, marks, along: 'y', places, area };
}

function bar(row: Row, x: (v: number) => number, y: number, area: Layout['area']): Mark[] {
  const { ink } = lookOf(row.look);
  const end = Math.max(x(row.value), area.left + 1);
  const marks: Mark[] = [{ kind: 'area', d: box(area.left, y - barHeight / 2, end, y + barHeight / 2), ink, opacity: row.before ? 0.3 : 0.75 }];
  if (row.low < row.high) marks.push(whisker(x(row.low), x(row.high), y, 'text'));
  return marks;
}

function dot(row: Row, x: (v: number) => number, y: number): Mark[] {
  const ink = row.ink ?? 'muted';
  const marks: Mark[] = [];
  if (row.band) marks.push({ kind: 'area', d: box(x(row.band.low), y - 7, x(row.band.high), y + 7), ink: 'muted', opacity: 0.18 });
  if (row.low < row.high) marks.push(whisker(x(row.low), x(row.high), y, ink));
  return [...marks, { kind: 'dot', x: x(row.value), y, shape: ink === 'bad' ? 'diamond' : 'circle', ink }];
}

function axisBelow(chart: RowsChart, area: Layout['area'], top: number): Mark[] {
  const axis: Group['axis'] | undefined = chart.groups[0]?.axis;
  if (!axis || !chart.ends) return [];
  const x = scale(axis, area.left, area.right);
  const marks = figures(axis, 5).map((v): Mark => ({ kind: 'text', x: x(v), y: top + 4, text: axis.format(v), anchor: 'middle', ink: 'muted' }));
  const [left, right] = chart.ends;
  return [
    ...marks,
    { kind: 'text', x: area.left, y: top + 20, text: left, anchor: 'start', ink: 'muted' },
    { kind: 'text', x: area.right, y: top + 20, text: right, anchor: 'end', ink: 'muted' },
  ];
}

const whisker = (low: number, high: number, y: number, ink: Row['ink'] & string): Mark => ({
  kind: 'path',
  d: line(low, y, high, y) + line(low, y - 3, low, y + 3) + line(high, y - 3, high, y + 3),
  ink,
  width: 1,
});

const box = (left: number, top: number, right: number, bottom: number): string =>
  `M${left.toFixed(1)} ${top.toFixed(1)}H${right.toFixed(1)}V${bottom.toFixed(1)}H${left.toFixed(1)}Z`;
