import { describe, expect, it } from 'vitest';
import { aCase, aFile, aRun, sample, spread } from './fixture';
import { overTime, throughput } from './overtime';
import { beforeAfter, models } from './rows';
import { distribution, shares, values } from './spread';

const chosen = { prompt: 'short', at: 1 };
const look = (name: string) => ['small', 'big'].indexOf(name);
const now = new Date('2026-01-02T12:00:00');

describe('a latency’s distribution', () => {
  const run = aRun();
  const samples = [10, 20, 30, 40].map((first_token_ms) => sample({ first_token_ms, gaps_ms: [5, 6] }));
  const file = aFile(run, [...samples, sample({ error: 'timeout', first_token_ms: 999, gaps_ms: [999] })]);

  it('leaves out what failed', () => {
    const all = file.cases[0]?.samples ?? [];
    expect(values(all, 'first')).toEqual([10, 20, 30, 40]);
    expect(values(all, 'gap')).toEqual([5, 5, 5, 5, 6, 6, 6, 6]);
  });

  it('is the share of the values up to a time', () => {
    expect(shares([10, 20, 30, 40])).toEqual([{ x: 10, y: 0 }, { x: 10, y: 25 }, { x: 20, y: 50 }, { x: 30, y: 75 }, { x: 40, y: 100 }, { x: 40, y: 100 }]);
    expect(shares(Array.from({ length: 10_000 }, (_, i) => i)).length).toBeLessThan(310);
  });

  it('is marked at 50, 90 and 99 %, and read there', () => {
    const chart = distribution({ run, file }, null, chosen, 'first', look);
    expect(chart.series[0]?.marked?.map((p) => p.y)).toEqual([50, 90, 99]);
    expect(chart.stops.find((s) => s.at === 50)).toMatchObject({ title: 'Half of them within', rows: [{ name: 'small', text: '25 ms' }] });
    expect(chart.x).toMatchObject({ kind: 'linear', from: 0, to: 40 });
    expect(chart.table.rows).toEqual([['small', '4', '20.00', '20.00', '20.00', '20.00', '20.00', '18.00', '22.00']]);
    expect(chart.empty).toBe('');
  });

  it('lays what was before over it', () => {
    const chart = distribution({ run, file }, { run, file: aFile(run, [sample({ first_token_ms: 15 })]) }, chosen, 'first', look);
    expect(chart.series.map((s) => s.before)).toEqual([true, false]); // what is now is drawn on top
    expect(chart.table.rows.map((r) => r.slice(0, 3))).toEqual([['after', 'small', '4'], ['before', 'small', '1']]);
  });

  it('is drawn in powers when a few values are far off, and not down to nothing', () => {
    const far = aFile(run, [sample({ gaps_ms: [0.001, 10, 10, 10, 10, 1000] })]);
    const chart = distribution({ run, file: far }, null, chosen, 'gap', look);
    expect(chart.x.kind).toBe('log');
    expect(chart.x.from).toBeCloseTo(0.475);
    for (const p of chart.series[0]?.points ?? []) expect(p.x).toBeGreaterThanOrEqual(chart.x.from);
    expect(chart.stops[0]?.rows[0]?.text).toBe('0.5 ms'); // what is read is what was measured
  });

  it('says why there is none', () => {
    const whole = aRun({ settings: { ...run.settings, stream: false } });
    expect(distribution({ run: whole, file: aFile(whole, [sample({})]) }, null, chosen, 'gap', look).empty).toContain('not streamed');
    expect(distribution({ run, file: aFile(run, []) }, null, chosen, 'gap', look).empty).toContain('No request');
  });
});

describe('figures over runs', () => {
  const runs = [
    aRun({ id: 2, started_at: '2026-01-02T11:00:00', label: 'second', cases: [aCase({ first_token_ms: spread(30) }), aCase({ model: 'big' })] }),
    aRun({ id: 1, started_at: '2026-01-02T10:00:00' }),
    aRun({ id: 3, started_at: '2026-01-02T09:00:00', cases: [aCase({ concurrency: 2 })] }),
  ];

  it('go from the oldest run that measured this to the newest', () => {
    const chart = overTime(runs, chosen, 'first', look, runs[0] ?? null, now);
    expect(chart.series.map((s) => [s.name, s.look, s.points.map((p) => [p.x, p.y])])).toEqual([
      ['small', 0, [[0, 20], [1, 30]]],
      ['big', 1, [[1, 20]]],
    ]);
    expect(chart.stops.map((s) => s.title)).toEqual(['Run of 10:00:00', 'second, 11:00:00']);
    expect(chart.stops[0]?.rows[0]?.text).toBe('20 ms, interval 18 ms to 22 ms');
    expect(chart.rules).toEqual([1]);
    expect(chart.table.rows).toEqual([
      ['10:00:00', '', 'small', '20.00', '18.00', '22.00'],
      ['11:00:00', 'second', 'small', '30.00', '', ''],
      ['11:00:00', 'second', 'big', '20.00', '18.00', '22.00'],
    ]);
  });

  it('are in powers when they are far apart', () => {
    const slow = aRun({ id: 9, started_at: '2026-01-02T12:00:00', cases: [aCase({ first_token_ms: spread(4000) })] });
    expect(overTime([...runs, slow], chosen, 'first', look, null, now).y).toMatchObject({ kind: 'log', label: 'ms, logarithmic' });
  });

  it('say so when no run has measured this', () => {
    expect(overTime(runs, { prompt: 'long', at: 1 }, 'writing', look, null, now).empty).not.toBe('');
  });
});

describe('throughput', () => {
  const at = (concurrency: number, tokens_per_second: number) => aCase({ concurrency, throughput: { answers_per_second: 1, tokens_per_second } });

  it('goes from few requests at a time to many, in even distances', () => {
    const chart = throughput(aRun({ cases: [at(4, 200), at(1, 80)] }), aRun({ cases: [at(2, 90)] }), chosen, look);
    expect(chart.stops.map((s) => [s.title, s.rows.map((r) => [r.text, r.before])])).toEqual([
      ['1 at a time', [['80 tokens/s', false]]],
      ['2 at a time', [['90 tokens/s', true]]],
      ['4 at a time', [['200 tokens/s', false]]],
    ]);
    expect(chart.table.rows.map((r) => r.slice(0, 4))).toEqual([
      ['after', 'small', '4', '200.0'],
      ['after', 'small', '1', '80.00'],
      ['before', 'small', '2', '90.00'],
    ]);
  });

  it('is not there when half of the requests went elsewhere', () => {
    expect(throughput(aRun({ cases: [at(1, 0)] }), null, chosen, look).empty).toContain('no throughput');
  });
});

describe('rows', () => {
  it('hold models against each other, each figure on an axis of its own', () => {
    const chart = models(aRun({ cases: [aCase(), aCase({ model: 'big', first_token_ms: spread(80, 70, 95) })] }), chosen, look);
    expect(chart.groups.map((g) => g.title)).toEqual(['First token: less is better', 'Between tokens: less is better', 'Writing the answer: more is better']);
    expect(chart.groups[0]?.axis).toMatchObject({ from: 0, to: 100 });
    expect(chart.groups[0]?.rows[1]).toMatchObject({ name: 'big', look: 1, value: 80, text: '80 ms', whole: '80 ms, interval 70 ms to 95 ms' });
    expect(chart.table.rows[1]?.slice(0, 4)).toEqual(['big', '80.00', '70.00', '95.00']);
    expect(chart.table.rows[0]?.length).toBe(chart.table.columns.length);
  });

  it('show to the right what is faster, whatever the figure', () => {
    const before = aRun();
    const after = aRun({ cases: [aCase({ first_token_ms: spread(10, 8, 12.5), generation_tokens_per_second: { source: 'engine', ...spread(60, 55, 65) } })] });
    const chart = beforeAfter(before, after, chosen);
    const [first, , , , writing] = chart.groups[0]?.rows ?? [];
    expect(first).toMatchObject({ value: 2, low: 1.6, high: 2.5, ink: 'ok', text: '50 % faster' });
    expect(writing).toMatchObject({ value: 0.5, ink: 'bad' });
    expect(writing?.band?.low).toBeCloseTo(110 / 120);
    expect((chart.groups[0]?.axis.from ?? 0) * (chart.groups[0]?.axis.to ?? 0)).toBeCloseTo(1); // 1 is in the middle
    expect(chart.table.rows[0]).toEqual(['small', 'First token', 'ms', '20.00', '18.00', '22.00', '10.00', '8.000', '12.50', '-50.0', 'faster', 'apart']);
  });

  it('say when there is nothing in common', () => {
    expect(beforeAfter(aRun({ cases: [aCase({ model: 'other' })] }), aRun(), chosen).empty).toContain('nothing of this in common');
  });
});
