import { describe, expect, it } from 'vitest';
import type { RowsChart, XYChart } from './chart';
import { csv } from './csv';
import { layout } from './layout';
import { fitted, type Mark } from './marks';
import { named, upTo } from './scale';
import { picture } from './svg';

const lines: XYChart = {
  kind: 'xy',
  id: 'a',
  title: 'Speed & <more>',
  note: 'of "all"',
  x: named(['one', 'two'], 'at a time'),
  y: upTo(100, 'tokens/s', String),
  series: [
    { name: 'small', look: 0, points: [{ x: 0, y: 50, low: 40, high: 60 }, { x: 1, y: 100 }] },
    { name: 'small', look: 0, before: true, points: [{ x: 0, y: 0 }] },
  ],
  stops: [{ at: 1, title: 'two at a time', rows: [{ name: 'small', look: 0, text: '100 tokens/s', x: 1, y: 100 }] }],
  along: 'x',
  line: 'straight',
  table: { columns: [{ label: 'Model' }, { label: 'Tokens/s', number: true }], rows: [['small', '50.00']] },
  empty: '',
};

const row = { name: 'a model with quite a long name', look: 1, value: 50, low: 40, high: 60, text: '50 ms', whole: '50 ms, interval 40 ms to 60 ms' };
const rows: RowsChart = { kind: 'rows', id: 'b', title: 'Models', note: '', groups: [{ title: 'First token', axis: upTo(100, 'ms', String), rows: [row] }], marks: 'bars', table: lines.table, empty: '' };

const text = (marks: readonly Mark[]) => marks.flatMap((m) => (m.kind === 'text' ? [m.text] : []));

describe('a layout', () => {
  it('puts points where their values are, and stops where one reads them', () => {
    const { area, marks, places } = layout(lines, 400, 200);
    const dots = marks.flatMap((m) => (m.kind === 'dot' ? [m] : []));
    expect(dots.map((d) => d.shape)).toEqual(['circle', 'circle', 'ring']);
    expect(dots[1]?.y).toBeCloseTo(area.top, 0); // 100 of 100
    expect(dots[2]?.y).toBeCloseTo(area.bottom, 0);
    expect(places.map((p) => p.title)).toEqual(['two at a time']);
    expect(places[0]?.at).toBeCloseTo(dots[1]?.x ?? 0, 0);
    expect(places[0]?.points[0]?.y).toBeCloseTo(dots[1]?.y ?? 0, 0);
    expect(text(marks)).toEqual(expect.arrayContaining(['tokens/s', 'at a time', 'one', 'two', '0', '100']));
  });

  it.each([320, 400, 900])('keeps all within %i pixels', (width) => {
    for (const chart of [lines, rows]) {
      const { marks, area } = layout(chart, width, 200);
      expect(area.right).toBeLessThanOrEqual(width);
      for (const m of marks) if (m.kind === 'dot' || m.kind === 'text') expect(m.x).toBeLessThanOrEqual(width);
    }
  });

  it('shortens names for which there is no room', () => {
    expect(fitted('a model with quite a long name', 62)).toBe('a model w…');
    expect(fitted('short', 62)).toBe('short');
    expect(fitted('🦙🦙🦙🦙', 25)).toBe('🦙🦙🦙🦙');
    for (let room = 0; room < 62; room++) expect(() => encodeURIComponent(fitted('a🦙b🦙🦙c🦙', room))).not.toThrow();
    expect(text(layout(rows, 320, 80).marks).some((t) => t.endsWith('…'))).toBe(true);
    expect(layout(rows, 320, 80).places[0]?.rows[0]?.text).toBe('50 ms, interval 40 ms to 60 ms');
  });
});

describe('a picture', () => {
  const drawn = picture(lines, (ink) => `#${ink}`, 'on a <machine>');

  it('has all of its words in it, and can be no markup', () => {
    expect(drawn.svg).toContain('Speed &amp; &lt;more&gt;');
    expect(drawn.svg).toContain('of &quot;all&quot;');
    expect(drawn.svg).toContain('on a &lt;machine&gt;');
    expect(drawn.svg).toContain('>small</text>'); // the legend
    expect(drawn.svg).toContain('>small (before)</text>');
    expect(drawn.svg).not.toMatch(/var\(|style=|<script|undefined|NaN/);
    expect(drawn.svg).toContain(`height="${drawn.height}"`);
  });

  it('is as high as its rows need', () => {
    expect(picture(rows, () => '#000', '').height).toBeLessThan(drawn.height);
  });
});

describe('a table as CSV', () => {
  const of = (...cells: string[]) => csv({ columns: cells.map((label) => ({ label })), rows: [] });
  it('has a line for each row', () => expect(csv(lines.table)).toBe('Model,Tokens/s\r\nsmall,50.00\r\n'));
  it.each([
    ['a,b', '"a,b"\r\n'],
    ['say "hi"', '"say ""hi"""\r\n'],
    ['=1+1', "'=1+1\r\n"],
    ['@cmd', "'@cmd\r\n"],
    ['-50.0', '-50.0\r\n'],
    ['+8.1', '+8.1\r\n'],
    ['-x', "'-x\r\n"],
  ])('writes %s as %s', (cell, line) => expect(of(cell)).toBe(line));
});
