import { expect, it } from 'vitest';
import { draftOf, partsOf } from './draft';

const settings = { timeouts: { chat: '18m' }, engines: { llamacpp: null }, models: { folders: ['~/models'] } };
const models = [{ name: 'a', context_size: 0, arguments: ['--flash-attn', 'on'] }];

it('is one change of the settings, and comes apart again', () => {
  const draft = draftOf(settings, models);
  expect(draft).toEqual({ ...settings, models: { folders: ['~/models'], each: models } });
  expect(partsOf(draft!)).toEqual({ settings, models });
});

it('is the one where there is nothing of the other', () => {
  expect(draftOf(settings, [])).toEqual(settings);
  expect(partsOf(settings)).toEqual({ settings, models: [] });
  expect(partsOf(draftOf(undefined, models)!)).toEqual({ settings: { models: {} }, models });
  expect(draftOf(undefined, [])).toBeUndefined();
});
