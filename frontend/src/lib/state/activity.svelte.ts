// What goes on at this moment: requests that run, what machine and engines use, the last ten minutes, and
// what failed of late. Read at first and when events were missed; then the server tells it every second.
import { getActivity, getAudit, getStats } from '../api/client';
import { sentence } from '../api/problem';
import type { ActivityEvent, AuditRecord, AuditStats, RunningRequest } from '../api/types';
import { noFilter, toQuery } from '../domain/filter';
import { series, withPoint, type Point } from '../domain/series';
import { clock } from './clock.svelte';
import { server } from './server.svelte';

const sumEvery = 1000;
const refresh = 60_000; // the last hour passes by itself
const failuresKept = 20;
const failuresAsked = 200; // editors cancel a lot, and those are left out

class ActivityState {
  now = $state.raw<Omit<ActivityEvent, 'point'> | null>(null);
  running = $state.raw<RunningRequest[]>([]);
  points = $state.raw<Point[]>([]);
  /** Sums of the last hour. */
  hour = $state.raw<AuditStats | null>(null);
  /** Requests that failed, newest first; those that somebody cancelled are not among them. */
  failures = $state.raw<AuditRecord[]>([]);
  failuresRead = $state(false);
  problem = $state('');

  readonly series = $derived(series(this.points, this.now ? new Date(this.now.at) : clock.now));

  #summing: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;
  #sums = 0;
  #since: AuditRecord[] = []; // failed since it was asked

  /** Reads and follows until the function that it gives is called. */
  follow(): () => void {
    const ends = [server.onActivity((a) => this.#told(a)), server.onRequest((r) => this.#heard(r))];
    const timer = setInterval(() => this.#sumSoon(), refresh);
    return () => {
      clearInterval(timer);
      for (const end of ends) end();
    };
  }

  async load(): Promise<void> {
    const asked = ++this.#asked;
    this.#since = [];
    try {
      const query = { status: 'error' };
      const [now, failed] = await Promise.all([getActivity(), getAudit(failuresAsked, query), this.#sum()]);
      if (asked !== this.#asked) return;
      this.points = now.history;
      this.now = now;
      this.running = now.running;
      this.failures = failed.records.filter(counts).slice(0, failuresKept);
      for (const record of this.#since) this.#failed(record);
      this.failuresRead = true;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  /** Nothing is known any more of what goes on. */
  lost(): void {
    this.now = null;
    this.running = [];
  }

  #told(activity: ActivityEvent): void {
    this.now = activity;
    this.running = activity.running;
    this.points = withPoint(this.points, activity.point);
  }

  /** A request began or ended: its row need not wait for the next second. */
  #heard(record: AuditRecord): void {
    const others = this.running.filter((r) => r.id !== record.id);
    if (record.status !== 'running') {
      this.running = others;
      if (counts(record)) {
        this.#since = [...this.#since, record].slice(-failuresKept);
        this.#failed(record);
      }
      this.#sumSoon();
    } else if (others.length === this.running.length) {
      this.running = [...others, { ...record, phase: 'waiting', bytes: 0, tokens: 0 }];
    }
  }

  #failed(record: AuditRecord): void {
    this.failures = [record, ...this.failures.filter((r) => r.id !== record.id)].slice(0, failuresKept);
  }

  #sumSoon(): void {
    this.#summing ??= setTimeout(() => {
      this.#summing = undefined;
      this.#sum().catch(() => undefined); // asked again with the next request that ends
    }, sumEvery);
  }

  async #sum(): Promise<void> {
    const sums = ++this.#sums;
    const hour = await getStats(toQuery({ ...noFilter, range: 'hour' }, new Date()));
    if (sums === this.#sums) this.hour = hour;
  }
}

const counts = (r: AuditRecord): boolean => r.status !== 'running' && r.status !== 'success' && r.status !== 'cancelled';

export const activity = new ActivityState();
