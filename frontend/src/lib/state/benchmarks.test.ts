import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import * as client from '../api/client';
import type { BenchmarkFile, BenchmarkJob, BenchmarkRun } from '../api/types';
import { usual } from '../domain/benchmark/view';
import { benchmarks } from './benchmarks.svelte';

vi.mock('../api/client');
vi.mock('./server.svelte', () => ({ server: { onBenchmark: (heard: typeof tell) => ((tell = heard), () => {}) } }));
const api = vi.mocked(client);

const job = (state: BenchmarkJob['state'], id = 'bench_a'): BenchmarkJob => ({ id, state, kind: 'run', detail: '', done: 0, total: 1, what: '', run_id: null, started_at: '2026-01-01T00:00:00Z' });
const runs = (n: number) => Array.from({ length: n }, (_, i) => ({ id: n - i })) as BenchmarkRun[];
const file = {} as BenchmarkFile;

/** What the live events of a benchmark are told to. */
let tell: (job: BenchmarkJob) => void;
let leave: () => void;

beforeEach(() => {
  leave = benchmarks.follow(() => {});
  benchmarks.job = null;
});
afterEach(() => {
  leave();
  benchmarks.want([]);
  benchmarks.files = new Map();
  vi.resetAllMocks();
});

describe('the job that runs', () => {
  it('stays over when the answer to its stop comes after the event of its end', async () => {
    tell(job('running'));
    api.stopBenchmark.mockImplementationOnce(async () => {
      tell(job('done'));
      return job('stopping');
    });
    await benchmarks.stop();
    expect(benchmarks.job?.state).toBe('done');
  });

  it('stays over when the answer to its start comes after the event of its end', async () => {
    api.startBenchmark.mockImplementationOnce(async () => {
      tell(job('failed'));
      return job('running');
    });
    expect(await benchmarks.start(usual)).toBe(true);
    expect(benchmarks.job?.state).toBe('failed');
  });

  it('is what the answer says, where no event has said that it is over', async () => {
    tell(job('running'));
    api.stopBenchmark.mockResolvedValueOnce(job('stopping'));
    await benchmarks.stop();
    expect(benchmarks.job?.state).toBe('stopping');
    tell(job('done'));
    api.getBenchmarks.mockResolvedValueOnce({ runs: [], job: job('running', 'bench_b') });
    await benchmarks.load();
    expect(benchmarks.job).toMatchObject({ id: 'bench_b', state: 'running' });
  });
});

describe('kept runs', () => {
  it('go on past the thousand that the server gives at once', async () => {
    api.getBenchmarks.mockResolvedValueOnce({ runs: runs(1100).slice(0, 1000), job: null });
    await benchmarks.load();
    api.getBenchmarks.mockResolvedValueOnce({ runs: runs(100), job: null });
    await benchmarks.older();
    expect(benchmarks.runs).toHaveLength(1100);
    api.getBenchmarks.mockResolvedValueOnce({ runs: runs(1100).slice(0, 1000), job: null });
    await benchmarks.load();
    expect(api.getBenchmarks).toHaveBeenLastCalledWith(1000);
    expect(benchmarks.more).toBe(true);
  });
});

describe('files', () => {
  it('of which one cannot be read say so, though the other was read, until others are wanted', async () => {
    api.getBenchmark.mockImplementation(async (id) => {
      if (id === 1) throw new Error('the disk is gone');
      await Promise.resolve();
      return file;
    });
    benchmarks.want([2, 1]);
    await vi.waitFor(() => expect(benchmarks.files.has(2)).toBe(true));
    await vi.waitFor(() => expect(benchmarks.fileProblem).toMatch(/disk is gone/));
    benchmarks.want([2]);
    expect(benchmarks.fileProblem).toBe('');

    benchmarks.want([2, 1]);
    await vi.waitFor(() => expect(benchmarks.fileProblem).not.toBe(''));
    api.getBenchmark.mockResolvedValue(file);
    benchmarks.want([2, 1]);
    await vi.waitFor(() => expect(benchmarks.files.has(1)).toBe(true));
    expect(benchmarks.fileProblem).toBe('');
  });
});
