import { describe, expect, it } from 'vitest';
import type { DownloadJob } from '../api/types';
import { far, isBusy, jobOf, modelName, moment, reason, told } from './downloads';

const job = (change: Partial<DownloadJob> = {}): DownloadJob => ({
  id: 'a',
  repo: 'maker/Small-GGUF',
  file: 'small-Q4_K_M.gguf',
  revision: '0123',
  model: 'small-q4_k_m',
  parts: 1,
  status: 'downloading',
  problem: '',
  total_bytes: 98e6,
  done_bytes: 34e6,
  bytes_per_second: 0,
  seconds_left: null,
  retry_at: null,
  created_at: '2026-01-02T03:04:05Z',
  ...change,
});

describe('the list', () => {
  it('takes up a new one, changes one in place, and forgets a cancelled one', () => {
    const first = job();
    const second = job({ id: 'b' });
    let list = told(told([], first), second);
    expect(list).toEqual([first, second]);
    list = told(list, job({ status: 'paused' }));
    expect(list.map((j) => j.status)).toEqual(['paused', 'downloading']);
    expect(told(list, job({ status: 'cancelled' }))).toEqual([second]);
  });

  it('knows which are under way', () => {
    const under = (['queued', 'downloading', 'waiting', 'verifying', 'paused', 'failed', 'done'] as const).filter((status) => isBusy(job({ status })));
    expect(under).toEqual(['queued', 'downloading', 'waiting', 'verifying']);
  });
});

describe('what is said of one', () => {
  const now = new Date(2026, 0, 2, 12, 0, 0);

  it('is how far it is, how fast it comes and how long it takes', () => {
    expect(far(job())).toBe('34 MB of 98 MB');
    expect(far(job({ status: 'done' }))).toBe('98 MB');
    expect(moment(job(), now)).toBe('');
    expect(moment(job({ bytes_per_second: 12.3e6 }), now)).toBe('12 MB/s');
    expect(moment(job({ bytes_per_second: 12.3e6, seconds_left: 5.2 }), now)).toBe('12 MB/s · 5 s left');
    expect(moment(job({ bytes_per_second: 12.3e6, seconds_left: 0.1 }), now)).toBe('12 MB/s · 1 s left');
    expect(moment(job({ bytes_per_second: 12.3e6, seconds_left: 125 }), now)).toBe('12 MB/s · 2 min 5 s left');
  });

  it('is when one that waits is tried again, and why', () => {
    const waits = job({ status: 'waiting', problem: 'it limits requests', retry_at: new Date(2026, 0, 2, 12, 0, 30).toISOString() });
    expect(moment(waits, now)).toBe('tried again at 12:00:30');
    expect(reason(waits)).toBe('It limits requests.');
    expect(reason(job({ problem: 'The Hub cannot be reached.' }))).toBe('The Hub cannot be reached.');
    expect(reason(job())).toBe('');
  });
});

describe('an offer of the Hub', () => {
  it('is known under the name that the library will give it', () => {
    expect(modelName('maker/Small-GGUF', { file: 'Q4/Small-Q4_K_M.gguf' })).toBe('small-q4_k_m');
    expect(modelName('maker/Big', { file: 'Big-00001-of-00003.gguf' })).toBe('big');
    expect(modelName('maker/Small-MLX-4bit', { file: '' })).toBe('small-mlx-4bit');
  });

  it('is found among the downloads, the newest one', () => {
    const list = [job({ id: 'old', status: 'done' }), job({ id: 'new' }), job({ id: 'other', file: 'x.gguf' })];
    expect(jobOf(list, 'maker/Small-GGUF', { file: 'small-Q4_K_M.gguf' })?.id).toBe('new');
    expect(jobOf(list, 'maker/Other', { file: 'small-Q4_K_M.gguf' })).toBeUndefined();
  });
});
