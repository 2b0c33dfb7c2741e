import { describe, expect, it } from 'vitest';
import { aCase, aRun } from './fixture';
import { asked, changes, choice, choiceWords, engineChanges, keyOf, missing, modelNames, nameOf, outcome, predecessors, seriesName } from './run';

const now = new Date('2026-01-02T12:00:00');

describe('what a run asked', () => {
  it('is told in a line', () => {
    const run = aRun({ cases: [aCase(), aCase({ concurrency: 2 }), aCase({ prompt: { name: 'long', characters: 9 } })] });
    expect(asked(run)).toBe('short, long · 1, 2 at a time · 10 × 64 tokens');
    expect(asked(aRun({ settings: { ...run.settings, stream: false, same_prompt: true } }))).toContain('not streamed · same prompt');
  });

  it('names a few models, and counts the rest', () => {
    const cases = ['a', 'b', 'c', 'd', 'a'].map((model) => aCase({ model }));
    expect(modelNames(aRun({ cases }))).toBe('a, b and 2 more');
    expect(modelNames(aRun({ cases: [] }))).toBe('no model');
  });

  it('is called by its label, else by its time', () => {
    expect(nameOf(aRun({ label: 'with cache' }), now)).toBe('with cache');
    expect(nameOf(aRun({ started_at: '2025-11-24T14:02:00' }), now)).toBe('24 Nov 2025 14:02');
  });
});

describe('what became of it', () => {
  const failed = aCase({ answered: 0, failed: 10, status: 'failed', reason: 'no answer' });
  it.each([
    ['complete', 'ok', aRun()],
    ['complete', 'ok', aRun({ cases: [aCase(), aCase({ status: 'skipped', answered: 0 })] })],
    ['broken off', 'warn', aRun({ complete: false, broken_off: 'Ctrl-C' })],
    ['3 failed', 'warn', aRun({ cases: [aCase({ failed: 3 })] })],
    ['1 of 2 not measured', 'bad', aRun({ cases: [aCase(), failed] })],
    ['nothing measured', 'bad', aRun({ cases: [failed] })],
    ['nothing measured', 'bad', aRun({ cases: [] })],
  ])('%s, %s', (word, tone, run) => expect(outcome(run)).toMatchObject({ word, tone }));

  it('says which cases had no answer', () => {
    expect(missing(aRun({ cases: [aCase(), failed] }))).toBe('Not measured: small, short, 1 at a time.');
    expect(missing(aRun())).toBe('');
  });
});

describe('what has changed', () => {
  it('is what may be the reason for other figures', () => {
    const before = aRun({ cases: [aCase({ model_sha256: 'aa', fingerprint: 'b1' })] });
    const after = aRun({
      server: { url: 'http://127.0.0.1:1', version: '0.2.0' },
      settings: { ...before.settings, max_tokens: 128 },
      cases: [aCase({ model_sha256: 'bb', fingerprint: 'b2' })],
    });
    expect(changes(before, after)).toEqual(['mlxbar 0.1.0 → 0.2.0', 'another file of small', 'engine b1 → b2', 'tokens 64 → 128']);
    expect(changes(before, before)).toEqual([]);
  });

  it('tells of the engines’ settings by their names', () => {
    const file = (engines: unknown) => ({ server: { engines } });
    expect(engineChanges(file({ llamacpp: { parallel: 1, threads: 0 } }), file({ llamacpp: { parallel: 4, threads: 0 }, preload: ['a'] }))).toEqual([
      'llamacpp.parallel 1 → 4',
      'preload unset → ["a"]',
    ]);
  });

  it('is found in one go through the runs', () => {
    let looked = 0;
    const runs = Array.from({ length: 1000 }, (_, i) => {
      const run = aRun({ id: i + 1, started_at: new Date(i * 1000).toISOString() });
      return Object.defineProperty(run, 'cases', { get: () => (looked++, [aCase()]) });
    });
    expect(predecessors(runs).size).toBe(999);
    expect(looked).toBe(1000);
  });

  it('is held against the newest earlier run that measured the same', () => {
    const at = (id: number, started_at: string, over = {}) => aRun({ id, started_at, ...over });
    const runs = [
      at(4, '2026-01-04T00:00:00Z'),
      at(3, '2026-01-03T00:00:00Z', { cases: [aCase({ model: 'another' })] }),
      at(2, '2026-01-02T00:00:00Z'),
      at(1, '2026-01-01T00:00:00Z'),
    ];
    const earlier = (of: typeof runs) => [...predecessors(of)].map(([id, r]) => [id, r.id]).sort();
    expect(earlier(runs)).toEqual([[2, 1], [4, 2]]);
    const both = at(5, '2026-01-04T00:00:00Z', { cases: [aCase({ model: 'another' }), aCase()] });
    expect(earlier([both, ...runs])).toEqual([[2, 1], [4, 2], [5, 3]]); // of two, the newer; none of its own second
    expect(earlier([at(6, '2026-01-05T00:00:00Z', { cases: [aCase({ answered: 0 })] }), ...runs])).toEqual([[2, 1], [4, 2]]);
  });
});

describe('what is looked at', () => {
  const run = aRun({ cases: [aCase({ concurrency: 4 }), aCase(), aCase({ prompt: { name: 'long', characters: 9 }, concurrency: 2 }), aCase({ concurrency: 8, answered: 0 })] });

  it('is what was chosen, where the run has it', () => {
    expect(choice(run, { prompt: 'long', at: 2 })).toEqual({ prompt: 'long', at: 2 });
    expect(choice(run, { prompt: 'long', at: 4 })).toEqual({ prompt: 'long', at: 2 });
    expect(choice(run, { prompt: 'none', at: 8 })).toEqual({ prompt: 'short', at: 1 });
    expect(choice(aRun({ cases: [] }), {})).toEqual({ prompt: '', at: 1 });
    expect(choiceWords({ prompt: 'short', at: 2 })).toBe('prompt short, 2 at a time');
  });

  it('names a route where there are several to a model', () => {
    const cases = [aCase({ route: 'failover' }), aCase({ route: 'openai' }), aCase({ model: 'other' })];
    expect(cases.map((c) => seriesName(c, cases))).toEqual(['small (failover)', 'small (openai)', 'other']);
    expect(new Set(cases.map(keyOf)).size).toBe(3);
  });
});
