import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { toasts } from './toast.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  for (const t of toasts.list) toasts.dismiss(t.id);
  vi.useRealTimers();
});

const texts = () => toasts.list.map((t) => t.text);

describe('a message', () => {
  it('goes by itself, one with something to do later', () => {
    const stop = toasts.tick(() => false);
    toasts.show({ text: 'Copied' });
    toasts.show({ text: 'Deleted', action: { label: 'Undo', run: () => {} } });
    vi.advanceTimersByTime(4400);
    expect(texts()).toEqual(['Deleted']);
    expect(toasts.list.map(toasts.secondsLeft)).toEqual([6]);
    vi.advanceTimersByTime(6000);
    expect(texts()).toEqual([]);
    stop();
  });

  it('waits while it is held, but not past a time that is the server’s', () => {
    const stop = toasts.tick(() => true);
    toasts.show({ text: 'Copied' });
    toasts.show({ text: 'Deleted', action: { label: 'Undo', run: () => {} }, until: new Date(Date.now() + 10_000) });
    vi.advanceTimersByTime(60_000);
    expect(texts()).toEqual(['Copied']);
    stop();
  });

  it('does what it offers once, and goes', async () => {
    const run = vi.fn(() => Promise.resolve());
    toasts.show({ text: 'Deleted', action: { label: 'Undo', run } });
    const [toast] = toasts.list;
    await Promise.all([toasts.act(toast!), toasts.act(toast!)]);
    expect(run).toHaveBeenCalledTimes(1);
    expect(texts()).toEqual([]);
  });

  it('tells why what it offers could not be done', async () => {
    toasts.show({ text: 'Deleted', action: { label: 'Undo', run: () => Promise.reject(new Error('The ten seconds are over.')) } });
    await toasts.act(toasts.list[0]!);
    expect(toasts.list.map((t) => [t.text, t.tone])).toEqual([['The ten seconds are over.', 'bad']]);
  });
});

it('shows four messages at most, the newest', () => {
  for (const n of [1, 2, 3, 4, 5, 6]) toasts.show({ text: `message ${n}` });
  expect(texts()).toEqual(['message 3', 'message 4', 'message 5', 'message 6']);
});
