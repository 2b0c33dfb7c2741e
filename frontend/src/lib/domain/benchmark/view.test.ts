import { expect, it } from 'vitest';
import { aCase, aRun } from './fixture';
import { isRequest, shownRun, toAddress, toRequest, typedNumbers, usual, viewFrom } from './view';

it('writes what is looked at into the address, and reads it there', () => {
  const view = { run: 12, before: 3, prompt: 'long', at: 4 };
  expect(viewFrom(toAddress(view))).toEqual(view);
  expect(toAddress(viewFrom(new URLSearchParams())).toString()).toBe('');
  expect(viewFrom(new URLSearchParams('run=-1&before=x&at=1e9'))).toEqual({ run: 0, before: 0, prompt: '', at: 0 });
});

it('shows the newest run that measured something, unless another was chosen', () => {
  const runs = [aRun({ id: 3, cases: [aCase({ answered: 0 })] }), aRun({ id: 2 }), aRun({ id: 1 })];
  expect(shownRun(runs, 0)?.id).toBe(2);
  expect(shownRun(runs, 3)?.id).toBe(3);
  expect(shownRun(runs, 99)?.id).toBe(2);
  expect(shownRun(runs.slice(0, 1), 0)?.id).toBe(3);
  expect(shownRun([], 0)).toBeNull();
});

it.each([
  ['1, 2, 4', [1, 2, 4]],
  ['1 2;4,', [1, 2, 4]],
  ['', null],
  ['1, two', null],
  ['1.5', null],
  ['-1', null],
])('reads “%s”', (text, numbers) => expect(typedNumbers(text)).toEqual(numbers));

it('asks for one model with one prompt, or for a suite', () => {
  expect(toRequest({ ...usual, model: 'small', label: ' new ' })).toEqual({
    kind: 'run', model: 'small', prompt: 'short', runs: 10, max_tokens: 128, concurrency: [1, 2, 4], warmup: 1, stream: true, same_prompt: false, label: 'new',
  });
  expect(toRequest(usual)).toMatchObject({ kind: 'suite', prompt: 'short' });
  expect(toRequest(usual)).not.toHaveProperty('model');
  expect(toRequest({ ...usual, model: 'small', prompt: '' })).toMatchObject({ kind: 'suite', model: 'small' });
  expect(toRequest({ ...usual, prompt: '' })).not.toHaveProperty('prompt');
});

it('leaves routes out where all models are asked, and only there', () => {
  const local = { ...usual, routes: ['local-llamacpp', 'local-mlx'] as const };
  expect(toRequest(local)).toMatchObject({ kind: 'suite', routes: ['local-llamacpp', 'local-mlx'] });
  expect(toRequest({ ...local, model: 'small', prompt: '' })).not.toHaveProperty('routes');
  expect(toRequest(usual)).not.toHaveProperty('routes');
  expect(toRequest({ ...usual, routes: [] })).toEqual({ routes: 'must be one at least' });
  expect(isRequest(toRequest({ ...usual, model: 'small', routes: [] }))).toBe(true);
});

it('says what cannot be asked at all', () => {
  const faults = toRequest({ ...usual, runs: null, concurrency: 'many' });
  expect(isRequest(faults)).toBe(false);
  expect(faults).toEqual({ runs: 'must be a number', concurrency: 'must be numbers, such as 1, 2, 4' });
});
