// Kept benchmarks, and the one that runs. Read at first and when events were missed or something was changed,
// here or elsewhere; how far a run is, the server tells.
import { untrack } from 'svelte';
import { getBenchmark, getBenchmarks, renameBenchmark, startBenchmark, stopBenchmark } from '../api/client';
import { ApiError, isAbort, sentence } from '../api/problem';
import type { BenchmarkFile, BenchmarkJob, BenchmarkRun } from '../api/types';
import { predecessors } from '../domain/benchmark/run';
import { isRequest, toRequest, type Form } from '../domain/benchmark/view';
import { server } from './server.svelte';

const pageSize = 100;
const mostRuns = 1000; // the server gives no more at once
const mostFiles = 6; // whole files that are remembered; a large one has megabytes

class Benchmarks {
  runs = $state.raw<BenchmarkRun[]>([]);
  /** What each is held against, by its id. */
  readonly earlier = $derived(predecessors(this.runs));
  loaded = $state(false);
  /** There are older ones than those that were read. */
  more = $state(false);
  problem = $state('');
  job = $state.raw<BenchmarkJob | null>(null);

  /** What is wrong with what was to be started, by field; "" is for what concerns none of them. */
  faults = $state.raw<Record<string, string>>({});
  starting = $state(false);

  files = $state.raw<ReadonlyMap<number, BenchmarkFile>>(new Map());
  /** Why a file that is looked at could not be read, or "". */
  readonly fileProblem = $derived.by(() => [...this.#unread.values()][0] ?? '');

  #unread = $state.raw<ReadonlyMap<number, string>>(new Map()); // why, by the id of the run
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
      const wanted = Math.min(this.#wanted, mostRuns);
      const { runs, job } = await getBenchmarks(wanted);
      if (asked !== this.#asked) return;
      this.runs = runs;
      this.more = runs.length >= wanted;
      this.#answered(job);
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

  /** Takes what an answer says of the job, unless an event has told since that it is over: the answer is older. */
  #answered(job: BenchmarkJob | null): void {
    if (job && this.job?.id === job.id && !this.running) return;
    this.job = job;
  }

  /** Reads the whole of those files that are looked at; others that are on their way are given up. */
  want(ids: readonly number[]): void {
    for (const [id, control] of this.#reading) {
      if (ids.includes(id)) continue;
      control.abort();
      this.#reading.delete(id);
    }
    // Who looks at files does not look at what failed: that would have it asked for again at once.
    untrack(() => {
      const unread = [...this.#unread].filter(([id]) => ids.includes(id));
      if (unread.length < this.#unread.size) this.#unread = new Map(unread);
    });
    for (const id of ids) if (!this.files.has(id) && !this.#reading.has(id)) void this.#read(id, ids);
  }

  async #read(id: number, wanted: readonly number[]): Promise<void> {
    const control = new AbortController();
    this.#reading.set(id, control);
    try {
      const file = await getBenchmark(id, control.signal);
      const kept = [...this.files].filter(([k]) => wanted.includes(k) || this.files.size < mostFiles);
      this.files = new Map([...kept, [id, file]]);
      this.#unread = new Map([...this.#unread].filter(([k]) => k !== id));
    } catch (error) {
      if (!isAbort(error)) this.#unread = new Map([...this.#unread, [id, sentence(error)]]);
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
      this.#answered(await startBenchmark(what));
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
    this.#answered(await stopBenchmark());
  }
}

/** By the name of the field: body.concurrency[1] is about concurrency. */
function faultsOf(error: unknown): Record<string, string> {
  const fields = error instanceof ApiError ? error.fields : [];
  if (fields.length === 0) return { '': sentence(error) };
  return Object.fromEntries(fields.map((f) => [f.location.replace(/^body\.?/, '').replace(/\[.*$/, ''), f.detail]));
}

export const benchmarks = new Benchmarks();
