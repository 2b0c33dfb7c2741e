// Kept benchmarks, and the one that runs. Read at first and when events were missed or something was changed,
// here or elsewhere; how far a run is, the server tells.
import { getBenchmark, getBenchmarks, renameBenchmark, startBenchmark, stopBenchmark } from '../api/client';
import { ApiError, isAbort, sentence } from '../api/problem';
import type { BenchmarkFile, BenchmarkJob, BenchmarkRun } from '../api/types';
import { isRequest, toRequest, type Form } from '../domain/benchmark/view';
import { server } from './server.svelte';

const pageSize = 100;
const mostFiles = 6; // whole files that are remembered; a large one has megabytes

class Benchmarks {
  runs = $state.raw<BenchmarkRun[]>([]);
  loaded = $state(false);
  /** There are older ones than those that were read. */
  more = $state(false);
  problem = $state('');
  job = $state.raw<BenchmarkJob | null>(null);

  /** What is wrong with what was to be started, by field; "" is for what concerns none of them. */
  faults = $state.raw<Record<string, string>>({});
  starting = $state(false);

  files = $state.raw<ReadonlyMap<number, BenchmarkFile>>(new Map());
  fileProblem = $state('');

  #asked = 0;
  #wanted = pageSize;
  #reading = new Map<number, AbortController>();

  readonly running = $derived(this.job?.state === 'running' || this.job?.state === 'stopping');

  /** Hears what the server tells, until the function that it gives is called. */
  follow(ended: (job: BenchmarkJob) => void): () => void {
    return server.onBenchmark((job) => {
      const was = this.running;
      this.job = job;
      if (was && !this.running) ended(job);
    });
  }

  async load(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const { runs, job } = await getBenchmarks(Math.min(this.#wanted, 1000));
      if (asked !== this.#asked) return;
      this.runs = runs;
      this.more = runs.length >= this.#wanted;
      this.job = job;
      this.problem = '';
      this.loaded = true;
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  async older(): Promise<void> {
    const last = this.runs.at(-1);
    if (!last) return;
    try {
      const { runs } = await getBenchmarks(pageSize, last.id);
      this.runs = [...this.runs, ...runs.filter((r) => !this.runs.some((known) => known.id === r.id))];
      this.#wanted = this.runs.length;
      this.more = runs.length >= pageSize;
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  /** Reads the whole of those files that are looked at; others that are on their way are given up. */
  want(ids: readonly number[]): void {
    for (const [id, control] of this.#reading) {
      if (ids.includes(id)) continue;
      control.abort();
      this.#reading.delete(id);
    }
    for (const id of ids) if (!this.files.has(id) && !this.#reading.has(id)) void this.#read(id, ids);
  }

  async #read(id: number, wanted: readonly number[]): Promise<void> {
    const control = new AbortController();
    this.#reading.set(id, control);
    try {
      const file = await getBenchmark(id, control.signal);
      const kept = [...this.files].filter(([k]) => wanted.includes(k) || this.files.size < mostFiles);
      this.files = new Map([...kept, [id, file]]);
      this.fileProblem = '';
    } catch (error) {
      if (!isAbort(error)) this.fileProblem = sentence(error);
    } finally {
      if (this.#reading.get(id) === control) this.#reading.delete(id);
    }
  }

  async rename(id: number, label: string): Promise<void> {
    await renameBenchmark(id, label);
    this.runs = this.runs.map((r) => (r.id === id ? { ...r, label } : r));
  }

  /** Starts a benchmark, or says at which field what is wrong. */
  async start(form: Form): Promise<boolean> {
    if (this.starting) return false;
    const what = toRequest(form);
    if (!isRequest(what)) {
      this.faults = what;
      return false;
    }
    this.starting = true;
    this.faults = {};
    try {
      this.job = await startBenchmark(what);
      return true;
    } catch (error) {
      this.faults = faultsOf(error);
      return false;
    } finally {
      this.starting = false;
    }
  }

  /** Forgets what was wrong with fields that are being changed. */
  forgive(fields: readonly string[]): void {
    this.faults = Object.fromEntries(Object.entries(this.faults).filter(([field]) => field !== '' && !fields.includes(field)));
  }

  async stop(): Promise<void> {
    this.job = await stopBenchmark();
  }
}

/** By the name of the field: body.concurrency[1] is about concurrency. */
function faultsOf(error: unknown): Record<string, string> {
  const fields = error instanceof ApiError ? error.fields : [];
  if (fields.length === 0) return { '': sentence(error) };
  return Object.fromEntries(fields.map((f) => [f.location.replace(/^body\.?/, '').replace(/\[.*$/, ''), f.detail]));
}

export const benchmarks = new Benchmarks();
