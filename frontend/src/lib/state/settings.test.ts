import { beforeEach, expect, it, vi } from 'vitest';
import { getSettings, patchSettings } from '../api/client';
import type { Settings } from '../api/types';
import { settings } from './settings.svelte';

vi.mock('../api/client', () => ({ getSettings: vi.fn(), getSettingsSchema: vi.fn(() => Promise.resolve({})), patchSettings: vi.fn() }));

const inForce = (local_only: boolean): Settings => ({ local_only, providers: [], routes: [] }) as unknown as Settings;
/** Lets everything that waits for nothing but a promise go on. */
const settle = () => new Promise((resolve) => setTimeout(resolve));

beforeEach(async () => {
  vi.mocked(getSettings).mockResolvedValue(inForce(false));
  await settings.load();
});

it('does what is done beside a save when the save is over, and one after the other', async () => {
  let saved!: (now: Settings) => void;
  vi.mocked(patchSettings).mockReturnValue(new Promise((resolve) => (saved = resolve)));
  settings.set('local_only', true);
  const save = settings.save();
  const done: string[] = [];
  let first!: () => void;
  const works = [
    settings.along(() => new Promise<void>((resolve) => (first = () => (done.push('first'), resolve())))),
    settings.along(async () => void done.push('second')),
  ];
  await settle();
  expect(first).toBeUndefined(); // the save is under way
  vi.mocked(getSettings).mockResolvedValue(inForce(true));
  saved(inForce(true));
  await save;
  await settle();
  expect(done).toEqual([]);
  first();
  await Promise.all(works);
  expect(done).toEqual(['first', 'second']);
  expect(settings.saving).toBe(false);
  expect(settings.saved?.local_only).toBe(true);
});

it('goes on when a save before it fails', async () => {
  let refused!: (why: Error) => void;
  vi.mocked(patchSettings).mockReturnValue(new Promise((_, reject) => (refused = reject)));
  settings.set('local_only', true);
  const save = settings.save();
  const work = settings.along(() => Promise.resolve('done'));
  refused(new Error('no'));
  await save;
  expect(await work).toBe('done');
  expect(settings.draft?.local_only).toBe(true); // what is unsaved stays
});
