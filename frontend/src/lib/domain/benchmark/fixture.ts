// Runs with known figures, for the tests beside this file.
import type { BenchmarkFile, BenchmarkSample, Distribution } from '../../api/types';
import type { Case, Run } from './run';

/** A distribution whose median has the interval that is given. */
export const spread = (value: number, low = value, high = value): Distribution => {
  const at = { value, low, high };
  return { n: 10, mean: value, min: low, max: high, p50: at, p90: at, p95: at, p99: at };
};

export function aCase(over: Partial<Case> = {}): Case {
  return {
    route: 'local-llamacpp',
    model: 'small',
    prompt: { name: 'short', characters: 40 },
    concurrency: 1,
    status: 'measured',
    ignore_eos: true,
    seconds: 1,
    answered: 10,
    failed: 0,
    errors: [],
    tokens: { prompt: 10, cached: 0, completion: 100 },
    first_token_ms: spread(20, 18, 22),
    inter_token_ms: spread(8, 7.5, 8.5),
    total_ms: spread(500, 480, 520),
    prompt_tokens_per_second: { source: 'engine', ...spread(1000, 900, 1100) },
    generation_tokens_per_second: { source: 'engine', ...spread(120, 110, 130) },
    throughput: { answers_per_second: 2, tokens_per_second: 80 },
    overhead: null,
    ...over,
  };
}

export function aRun(over: Partial<Run> = {}): Run {
  return {
    id: 1,
    label: '',
    command: 'run',
    started_at: '2026-01-02T10:00:00Z',
    ended_at: '2026-01-02T10:01:00Z',
    complete: true,
    tool: '0.1.0',
    server: { url: 'http://127.0.0.1:10242', version: '0.1.0' },
    machine: { os: 'linux/amd64', cpu: 'Made-up CPU', cpus: 2, memory_bytes: 16e9, go: 'go1.25', load_before: 0.2 },
    settings: { runs: 10, warmup: 1, max_tokens: 64, stream: true, temperature: 0, same_prompt: false, timeout_s: 900, seed: 1 },
    warnings: [],
    cases: [aCase()],
    ...over,
  };
}

export const sample = (over: Partial<BenchmarkSample>): BenchmarkSample => ({
  at_ms: 0,
  total_ms: 100,
  counted: true,
  prompt_tokens: 10,
  cached_tokens: 0,
  completion_tokens: 3,
  events: 3,
  ...over,
});

/** The whole file of a run, with these samples in each of its cases. */
export const aFile = (run: Run, samples: BenchmarkSample[]): BenchmarkFile =>
  ({ ...run, format: 'mlx-benchmark', version: 1, cases: run.cases.map((c) => ({ ...c, samples })) }) as unknown as BenchmarkFile;
