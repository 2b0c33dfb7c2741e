// A chart in a size: marks with places, and where the pointer and the arrow keys stop.
import { lookOf, type Chart, type Stop, type XYChart } from './chart';
import { line, round, sharp, textWidth, type Mark } from './marks';
import { rowsLayout } from './rows';
import { figures, scale } from './scale';

export interface Place {
  /** Along the axis of the stops. */
  at: number;
  title: string;
  rows: readonly { name: string; look: number; before?: boolean; text: string }[];
  points: readonly { x: number; y: number }[];
}

export interface Layout {
  width: number;
  height: number;
  marks: Mark[];
  along: 'x' | 'y';
  places: Place[];
  /** Where the figures are drawn. */
  area: { left: number; top: number; right: number; bottom: number };
}

const cap = 3;

export function layout(chart: Chart, width: number, height: number): Layout {
  return chart.kind === 'xy' ? xyLayout(chart, width, height) : rowsLayout(chart, width, height);
}

function xyLayout(chart: XYChart, width: number, height: number): Layout {
  const yFigures = figures(chart.y, Math.max(2, Math.floor(height / 44)));
  const left = Math.max(...yFigures.map((v) => textWidth(chart.y.format(v))), 12) + 10;
  const area = { left, top: 24, right: Math.max(left + 20, width - 12), bottom: height - 36 };
  const x = scale(chart.x, area.left, area.right);
  const y = scale(chart.y, area.bottom, area.top);
  const marks: Mark[] = [{ kind: 'text', x: 0, y: 11, text: chart.y.label, anchor: 'start', ink: 'muted' }];
  marks.push({ kind: 'text', x: area.right, y: height - 4, text: chart.x.label, anchor: 'end', ink: 'muted' });

  for (const v of yFigures) {
    marks.push({ kind: 'path', d: line(area.left, sharp(y(v)), area.right, sharp(y(v))), ink: v === chart.y.from ? 'line-strong' : 'line', width: 1 });
    marks.push({ kind: 'text', x: area.left - 8, y: round(y(v) + 4), text: chart.y.format(v), anchor: 'end', ink: 'muted' });
  }
  marks.push(...xAxis(chart, x, area));
  for (const at of chart.rules ?? []) {
    marks.push({ kind: 'path', d: line(sharp(x(at)), area.top, sharp(x(at)), area.bottom), ink: 'line-strong', width: 1, dash: '3 3' });
  }
  for (const s of chart.series) marks.push(...seriesMarks(s, chart.line, x, y));

  const along = chart.along === 'x' ? x : y;
  const place = (s: Stop): Place => ({ at: along(s.at), title: s.title, rows: s.rows, points: s.rows.map((r) => ({ x: x(r.x), y: y(r.y) })) });
  return { width, height, marks, along: chart.along, places: chart.stops.map(place), area };
}

function xAxis(chart: XYChart, x: (v: number) => number, area: Layout['area']): Mark[] {
  const widest = Math.max(...figures(chart.x, 8).map((v) => textWidth(chart.x.format(v))), 20);
  const most = Math.max(1, Math.floor((area.right - area.left) / (widest + 16)));
  return figures(chart.x, most).flatMap((v): Mark[] => {
    const text = chart.x.format(v);
    const half = textWidth(text) / 2;
    const at = Math.min(Math.max(x(v), half), area.right + 10 - half);
    return [
      { kind: 'path', d: line(sharp(x(v)), area.bottom, sharp(x(v)), area.bottom + 4), ink: 'line-strong', width: 1 },
      { kind: 'text', x: round(at), y: area.bottom + 16, text, anchor: 'middle', ink: 'muted' },
    ];
  });
}

function seriesMarks(s: XYChart['series'][number], joined: XYChart['line'], x: (v: number) => number, y: (v: number) => number): Mark[] {
  const { ink, shape, dash } = lookOf(s.look, s.before);
  const opacity = s.before ? 0.8 : 1; // not less: it is to have three times the contrast of what is behind it
  const marks: Mark[] = [];
  for (const p of s.points) {
    if (p.low === undefined || p.high === undefined || p.low === p.high) continue;
    const [at, low, high] = [x(p.x), y(p.low), y(p.high)];
    const d = line(at, low, at, high) + line(at - cap, low, at + cap, low) + line(at - cap, high, at + cap, high);
    marks.push({ kind: 'path', d, ink, width: 1, opacity: opacity * 0.7 });
  }
  if (s.points.length > 1) {
    const d = s.points.map((p, i) => (i === 0 ? `M${round(x(p.x))} ${round(y(p.y))}` : joined === 'steps' ? `H${round(x(p.x))}V${round(y(p.y))}` : `L${round(x(p.x))} ${round(y(p.y))}`));
    marks.push({ kind: 'path', d: d.join(''), ink, width: 1.5, opacity, ...(dash ? { dash } : {}) });
  }
  for (const p of s.marked ?? s.points) marks.push({ kind: 'dot', x: round(x(p.x)), y: round(y(p.y)), shape, ink });
  return marks;
}
