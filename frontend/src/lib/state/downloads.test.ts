import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as client from '../api/client';
import type { DownloadJob } from '../api/types';
import { downloads } from './downloads.svelte';
import { toasts } from './toast.svelte';

const place = vi.hoisted(() => ({ page: 'overview', spot: '' }));
vi.mock('../api/client');
vi.mock('./place.svelte', () => ({ place }));
vi.mock('./server.svelte', () => ({ server: { onDownload: (heard: typeof tell) => ((tell = heard), () => {}) } }));
const api = vi.mocked(client);

const job = (status: DownloadJob['status'], id = 'a', problem = ''): DownloadJob => ({
  id,
  repo: 'maker/m',
  file: 'm.gguf',
  revision: '0123',
  model: `model-${id}`,
  parts: 1,
  status,
  problem,
  total_bytes: 10,
  done_bytes: 0,
  bytes_per_second: 0,
  seconds_left: null,
  retry_at: null,
  created_at: '2026-01-01T00:00:00Z',
});

let tell: (job: DownloadJob) => void;
let leave: () => void;
const states = () => downloads.list.map((j) => `${j.id} ${j.status}`);
const said = () => toasts.list.map((t) => t.text);

beforeEach(() => (leave = downloads.follow()));
afterEach(() => {
  leave();
  for (const j of downloads.list) tell({ ...j, status: 'cancelled' });
  for (const t of toasts.list) toasts.dismiss(t.id);
  place.page = 'overview';
  vi.resetAllMocks();
});

describe('the list', () => {
  it('keeps what was told while an older answer was on its way', async () => {
    api.getDownloads.mockImplementationOnce(async () => {
      tell(job('done'));
      tell(job('queued', 'b'));
      return [job('downloading')];
    });
    await downloads.load();
    expect(states()).toEqual(['a done', 'b queued']);
    expect(downloads.running).toBe(1);
  });

  it('has a small one done, though the answer to its start comes later', async () => {
    api.startDownload.mockImplementationOnce(async () => {
      tell(job('downloading'));
      tell(job('done'));
      return job('queued');
    });
    await downloads.start({ repo: 'maker/m' });
    expect(states()).toEqual(['a done']);
  });

  it('takes the answer where nothing was told', async () => {
    tell(job('downloading'));
    api.pauseDownload.mockResolvedValueOnce(job('paused'));
    await downloads.pause(job('downloading'));
    expect(states()).toEqual(['a paused']);
  });

  it('forgets one that is done, though that is told once more', async () => {
    tell(job('done', 'gone'));
    api.cancelDownload.mockImplementationOnce(async () => tell(job('done', 'gone')));
    await downloads.forget(job('done', 'gone'));
    tell(job('done', 'gone'));
    expect(states()).toEqual([]);
  });

  it('stays as it is, and says why, when something cannot be done', async () => {
    tell(job('downloading'));
    api.pauseDownload.mockRejectedValueOnce(new Error('It is done.'));
    api.getDownloads.mockResolvedValueOnce([job('done')]);
    await downloads.pause(job('downloading'));
    expect(states()).toEqual(['a done']);
    expect(said()).toEqual(['Not paused: model-a. It is done.']);
  });
});

describe('messages', () => {
  it('tell of an end on other pages, once, and not of what ended before', () => {
    tell(job('done', 'old'));
    tell(job('downloading'));
    tell(job('done'));
    tell(job('done'));
    tell(job('downloading', 'b'));
    tell(job('failed', 'b', 'the hash is another'));
    expect(said()).toEqual(['model-a is downloaded.', 'The download of model-b failed. The hash is another.']);
  });

  it('leave who looks at the list alone', () => {
    place.page = 'models';
    place.spot = 'downloading';
    tell(job('downloading'));
    tell(job('done'));
    expect(said()).toEqual([]);
  });

  it('offer a cancelled one anew', async () => {
    tell(job('downloading'));
    api.cancelDownload.mockResolvedValueOnce();
    await downloads.cancel(job('downloading'));
    expect(states()).toEqual([]);
    api.startDownload.mockResolvedValueOnce(job('queued', 'c'));
    const [toast] = toasts.list;
    if (!toast) throw new Error('there is no message');
    await toasts.act(toast);
    expect(api.startDownload).toHaveBeenCalledWith({ repo: 'maker/m', file: 'm.gguf', revision: '0123' });
    expect(states()).toEqual(['c queued']);
  });
});
