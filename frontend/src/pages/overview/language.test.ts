import { expect, it, vi } from 'vitest';

it.each([
  ['C', 'en'],
  ['de-DE', 'de-DE'],
])('of a system whose language is %s, charts see %s', async (says, seen) => {
  vi.resetModules();
  vi.stubGlobal('navigator', { language: says });
  await import('./language');
  expect(navigator.language).toBe(seen);
  vi.unstubAllGlobals();
});
