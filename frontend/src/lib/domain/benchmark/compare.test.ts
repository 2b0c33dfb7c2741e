import { describe, expect, it } from 'vitest';
import { amount, compare, confidence, words } from './compare';
import { digits, perSecond, percentile, time } from './figures';
import { aCase, aRun, spread } from './fixture';

const chosen = { prompt: 'short', at: 1 };
const pair = (after: Parameters<typeof aCase>[0], before: Parameters<typeof aCase>[0] = {}) => {
  const [found] = compare(aRun({ cases: [aCase(before)] }), aRun({ cases: [aCase(after)] }), chosen);
  if (!found) throw new Error('nothing in common');
  return found;
};
const changeOf = (p: ReturnType<typeof pair>, id: string) => {
  const found = p.changes.find((c) => c.figure.id === id);
  if (!found) throw new Error(`no ${id}`);
  return found;
};

describe('two runs', () => {
  it('are faster with less time and with more tokens a second', () => {
    const p = pair({ first_token_ms: spread(10, 9, 11), generation_tokens_per_second: { source: 'engine', ...spread(60, 55, 65) } });
    expect(changeOf(p, 'first')).toMatchObject({ percent: -50, speed: 2, verdict: 'faster', overlap: false, sure: true });
    expect(changeOf(p, 'writing')).toMatchObject({ percent: -50, speed: 0.5, verdict: 'slower', overlap: false });
    expect(amount(changeOf(p, 'first'))).toBe('50 % faster');
    expect(confidence(changeOf(p, 'first'))).toBe('intervals apart');
  });

  it('may differ by chance', () => {
    const c = changeOf(pair({ first_token_ms: spread(21, 19, 23) }), 'first');
    expect(c).toMatchObject({ verdict: 'slower', overlap: true });
    expect([amount(c), confidence(c)]).toEqual(['5.0 % slower', 'intervals overlap: may be chance']);
  });

  it('say in words what is faster, what is slower and what is not sure', () => {
    const p = pair({ first_token_ms: spread(10, 9, 11), inter_token_ms: spread(9, 8.6, 9.4), total_ms: spread(510, 490, 530), throughput: { answers_per_second: 2, tokens_per_second: 88 } });
    expect(words(p)).toEqual([
      'Faster, with intervals that do not overlap: first token 50 % faster.',
      'Slower, with intervals that do not overlap: between tokens 13 % slower.',
      'Overlapping intervals, so it may be chance: whole answer 2.0 % slower.',
      'Without an interval: throughput 10 % faster.',
    ]);
    expect(words({ ...p, changes: [] })).toEqual(['Nothing has changed by half a per cent.']);
  });

  it('have only those cases in common that both measured', () => {
    const before = aRun({ cases: [aCase({ answered: 0 }), aCase({ model: 'b', prompt: { name: 'short', characters: 41 } })] });
    expect(compare(before, aRun({ cases: [aCase(), aCase({ model: 'b' })] }), chosen)).toEqual([]);
  });

  it('compare no figure that one of them has not', () => {
    expect(pair({ first_token_ms: null }).changes.map((c) => c.figure.id)).not.toContain('first');
  });
});

describe('figures', () => {
  it.each([
    [22.0449, '22.04'],
    [1765.4, '1765'],
    [0.1234567, '0.123'],
    [0, '0'],
    [123456.7, '123457'],
  ])('%f is written %s', (n, text) => expect(digits(n)).toBe(text));

  it('that are not there are nothing', () => expect([digits(null), digits(Number.NaN)]).toEqual(['', '']));

  it('read as people say them', () => {
    expect([0.42, 8.5, 22.04, 140.4, 1240].map(time)).toEqual(['0.42 ms', '8.5 ms', '22 ms', '140 ms', '1.24 s']);
    expect([7.44, 68.25, 1765.4].map(perSecond)).toEqual(['7.44 tokens/s', '68.3 tokens/s', '1765 tokens/s']);
  });

  it('have percentiles between neighbours', () => {
    expect([0, 25, 50, 100].map((p) => percentile([1, 2, 3, 5], p))).toEqual([1, 1.75, 2.5, 5]);
    expect(percentile([7], 99)).toBe(7);
  });
});
