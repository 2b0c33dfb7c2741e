// The charts of rows: model against model, and before against after.
import type { Axis, Group, Row, RowsChart } from '../chart/chart';
import { logTicks, upTo } from '../chart/scale';
import { amount, compare, confidence, speedOf, type Change } from './compare';
import { all, digits, figure } from './figures';
import { bounds, cells, interval, type LookOf } from './overtime';
import { choiceWords, chosenCases, seriesName, type Choice, type Run } from './run';

const plain = (n: number): string => String(Number(n.toPrecision(3)));

/** Every model that a run asked, under each figure. */
export function models(run: Run, chosen: Choice, look: LookOf): RowsChart {
  const cases = chosenCases(run, chosen);
  const compared = (['first', 'gap', 'writing'] as const).map(figure);
  const groups = compared.map((f): Group => {
    const rows = cases.flatMap((c): Row[] => {
      const e = f.of(c);
      const name = seriesName(c, run.cases);
      return e ? [{ name, look: look(name), ...e, text: f.write(e.value), whole: interval(f, e) }] : [];
    });
    const title = `${f.label}: ${f.higher ? 'more' : 'less'} is better`;
    return { title, axis: upTo(Math.max(0, ...rows.map((r) => r.high)), f.unit, plain), rows };
  });
  return {
    kind: 'rows',
    id: 'models',
    title: 'Model against model',
    note: `Medians and their 95 % intervals, ${choiceWords(chosen)}`,
    groups: groups.filter((g) => g.rows.length > 0),
    marks: 'bars',
    table: {
      columns: [{ label: 'Model' }, ...all.flatMap((f) => (f.id === 'throughput' ? [{ label: 'Throughput, tokens/s', number: true }] : bounds(`${f.label}, ${f.unit}`)))],
      rows: cases.map((c) => [
        seriesName(c, run.cases),
        ...all.flatMap((f) => {
          const e = f.of(c);
          if (f.id === 'throughput') return [digits(e?.value)];
          return e ? cells(e) : ['', '', ''];
        }),
      ]),
    },
    empty: cases.length > 0 ? '' : 'Nothing was measured.',
  };
}

/** How many times as fast each figure is, after against before: to the right is faster, whatever the figure. */
export function beforeAfter(before: Run, after: Run, chosen: Choice): RowsChart {
  const pairs = compare(before, after, chosen);
  const axis = speeds(pairs.flatMap((p) => p.changes));
  const groups = pairs.map((p): Group => ({
    title: seriesName(p.after, after.cases),
    axis,
    rows: p.changes.map((c): Row => {
      const { figure: f, before: was, after: now } = c;
      const ends = [speedOf(f, was.value, now.low), speedOf(f, was.value, now.high)];
      const base = [speedOf(f, was.value, was.low), speedOf(f, was.value, was.high)];
      const inks = { faster: 'ok', slower: 'bad', same: 'muted' } as const;
      return {
        name: f.label,
        look: 0,
        value: c.speed,
        low: Math.min(...ends),
        high: Math.max(...ends),
        text: amount(c),
        whole: `${f.write(was.value)} before, ${f.write(now.value)} after: ${amount(c)}, ${confidence(c)}`,
        band: { low: Math.min(...base), high: Math.max(...base) },
        ink: c.sure && !c.overlap ? inks[c.verdict] : 'muted', // what may be chance has no colour
      };
    }),
  }));
  return {
    kind: 'rows',
    id: 'before-after',
    title: 'Before against after',
    note: `Times as fast as before, with 95 % intervals; grey is the interval before; ${choiceWords(chosen)}`,
    groups,
    marks: 'dots',
    ends: ['← slower', 'faster →'],
    table: {
      columns: [
        { label: 'Model' },
        { label: 'Figure' },
        { label: 'Unit' },
        ...bounds('Before'),
        ...bounds('After'),
        { label: 'Change, %', number: true },
        { label: 'Now' },
        { label: 'Intervals' },
      ],
      rows: pairs.flatMap((p) =>
        p.changes.map((c) => [
          seriesName(p.after, after.cases),
          c.figure.label,
          c.figure.unit,
          ...cells(c.before),
          ...cells(c.after),
          `${c.percent > 0 ? '+' : ''}${c.percent.toFixed(1)}`,
          c.verdict,
          !c.sure ? 'none' : c.overlap ? 'overlap' : 'apart',
        ]),
      ),
    },
    empty: pairs.length > 0 ? '' : 'The two runs have nothing of this in common: they must have asked the same model, prompt and number at a time.',
  };
}

/** As far to the left as to the right of 1, and a fifth at least. */
function speeds(changes: readonly Change[]): Axis {
  const far = changes.flatMap((c) => [
    c.speed,
    ...[c.after.low, c.after.high, c.before.low, c.before.high].filter((v) => v > 0).map((v) => speedOf(c.figure, c.before.value, v)),
  ]);
  const top = Math.max(1.2, ...far.map((s) => Math.max(s, 1 / s))) * 1.04;
  return { kind: 'log', label: 'times as fast', from: 1 / top, to: top, at: around(top), format: (n) => `${plain(n)}×` };
}

/** 1 in the middle, and round figures to both sides. */
function around(top: number): number[] {
  const above = top < 1.35 ? [1.1, 1.2, 1.3] : top < 2.2 ? [1.25, 1.5, 2] : logTicks(1.5, top, 3);
  const right = above.filter((v) => v <= top && v > 1);
  return [...right.map((v) => Number((1 / v).toPrecision(2))).reverse(), 1, ...right];
}
