// What every page wants to know of the server, kept up to date.
import { getAudit, getStatus, login, logout, shutdown } from '../api/client';
import { listen } from '../api/live';
import { native, type Phase, type ServerState } from '../api/native';
import { ApiError, sentence } from '../api/problem';
import type { ActivityEvent, AuditRecord, BenchmarkJob, DownloadJob, EngineStatus, ExportEvent, ModelList, Status } from '../api/types';
import { reduce, shown } from '../domain/requests';

class Server {
  /** unknown: not asked yet. locked: it wants the admin token first. */
  phase = $state<Phase | 'unknown' | 'locked'>('unknown');
  detail = $state('');
  status = $state.raw<Status | null>(null);
  /** The engines that have their model loaded. */
  readonly ready: readonly EngineStatus[] = $derived(this.status?.engines.filter((e) => e.state === 'ready') ?? []);
  readonly failed: readonly EngineStatus[] = $derived(this.status?.engines.filter((e) => e.state === 'failed') ?? []);
  requests = $state.raw<AuditRecord[]>([]);
  /** The requests were read at least once. */
  loaded = $state(false);
  /** Why the requests could not be read, or "". */
  loadError = $state('');
  live = $state(false);
  /** What tools are given, the last one known while the server is stopped; or "". */
  address = $state('');

  /** Counts how often all that is shown had to be read anew: at first, and when events were missed. */
  epoch = $state(0);

  /** What was heard since a reset: all else may be gone from the audit. */
  #sinceReset: AuditRecord[] | null = null;
  /** Counts what was told of the server's state: an answer that was asked for before that is out of date. */
  #tellings = 0;
  #unlisten: (() => void) | null = null;
  readonly #logouts: (() => void)[] = [];
  readonly #requests = new Set<(record: AuditRecord) => void>();
  readonly #exports = new Set<(how: ExportEvent | null) => void>();
  readonly #activities = new Set<(activity: ActivityEvent) => void>();
  readonly #benchmarks = new Set<(job: BenchmarkJob) => void>();
  readonly #models = new Set<(list: ModelList) => void>();
  readonly #downloads = new Set<(job: DownloadJob) => void>();

  /** Calls heard with every request that begins or ends, until the function that it gives is called. */
  onRequest(heard: (record: AuditRecord) => void): () => void {
    this.#requests.add(heard);
    return () => this.#requests.delete(heard);
  }

  /** Calls heard once a second with what goes on, until the function that it gives is called. */
  onActivity(heard: (activity: ActivityEvent) => void): () => void {
    this.#activities.add(heard);
    return () => this.#activities.delete(heard);
  }

  /** Calls heard with how far a benchmark is, until the function that it gives is called. */
  onBenchmark(heard: (job: BenchmarkJob) => void): () => void {
    this.#benchmarks.add(heard);
    return () => this.#benchmarks.delete(heard);
  }

  /** Calls heard with the models of this machine when they have changed, until the function that it gives is called. */
  onModels(heard: (list: ModelList) => void): () => void {
    this.#models.add(heard);
    return () => this.#models.delete(heard);
  }

  /** Calls heard with how far a model's download is, until the function that it gives is called. */
  onDownload(heard: (job: DownloadJob) => void): () => void {
    this.#downloads.add(heard);
    return () => this.#downloads.delete(heard);
  }

  /** Calls heard with how each export's download ended, and with null when the server can tell no more. */
  onExport(heard: (how: ExportEvent | null) => void): () => void {
    this.#exports.add(heard);
    return () => this.#exports.delete(heard);
  }

  /** Calls heard whenever somebody logs out: what is theirs alone is not for the next one at this browser. */
  onLogout(heard: () => void): void {
    this.#logouts.push(heard);
  }

  /** Begins to follow the server. Called once, by the application. */
  follow(): void {
    native?.onServerState((s) => this.#observed(s));
    native?.onServerFailed((why) => this.#failed(why));
    void native?.ServerState().then((s) => this.#observed(s));
    void this.#enter();
  }

  /** Says why a login link did not log in, if the address tells of one, and loads. */
  async #enter(): Promise<void> {
    if (location.hash === '#login=expired') {
      history.replaceState(null, '', location.pathname);
      // Who is logged in already sees the page all the same.
      this.detail = 'This link has been used or is too old. `mlxbar link` prints another.';
    }
    await this.load();
  }

  /** Reads status and requests anew, and listens from then on. */
  async load(): Promise<void> {
    const tellings = this.#tellings;
    try {
      const status = await getStatus();
      if (tellings === this.#tellings || !this.status) this.#told(status);
    } catch (error) {
      this.#refused(error);
      return;
    }
    if (!this.#unlisten) {
      this.#listen(); // which loads again as soon as nothing can be missed
      return;
    }
    try {
      const page = await getAudit(shown);
      this.requests = reduce(this.#sinceReset ?? this.requests, { type: 'loaded', records: page.records });
      this.#sinceReset = null;
      this.loadError = '';
      this.loaded = true;
    } catch (error) {
      this.loadError = sentence(error);
    }
  }

  async start(): Promise<void> {
    if (!native) return;
    this.phase = 'starting';
    this.detail = '';
    try {
      this.#observed(await native.StartServer());
    } catch (error) {
      this.#failed(sentence(error));
    }
  }

  async stop(): Promise<void> {
    this.phase = 'stopping';
    try {
      if (native) this.#observed(await native.StopServer());
      else await shutdown();
    } catch (error) {
      this.detail = sentence(error);
      void this.load();
    }
  }

  async login(token: string): Promise<void> {
    await login({ token });
    this.phase = 'unknown';
    await this.load();
  }

  async logout(): Promise<void> {
    await logout();
    for (const heard of this.#logouts) heard();
    this.#lock();
  }

  #listen(): void {
    this.#unlisten = listen({
      opened: (resumed) => {
        this.live = true;
        if (!resumed) this.epoch++;
        void this.load();
      },
      reset: () => {
        this.epoch++;
        this.#sinceReset = [];
        void this.load();
      },
      lost: () => {
        this.live = false;
        // The window is told by its program. A browser has to find out: stopped, or logged out?
        if (!native) void this.load();
      },
      state: (status) => this.#told(status),
      request: (record) => {
        this.requests = reduce(this.requests, { type: 'heard', record });
        if (this.#sinceReset) this.#sinceReset = reduce(this.#sinceReset, { type: 'heard', record });
        for (const heard of this.#requests) heard(record);
      },
      exported: (how) => {
        for (const heard of this.#exports) heard(how);
      },
      activity: (activity) => {
        for (const heard of this.#activities) heard(activity);
      },
      models: (list) => {
        for (const heard of this.#models) heard(list);
      },
      download: (job) => {
        for (const heard of this.#downloads) heard(job);
      },
      benchmark: (job) => {
        for (const heard of this.#benchmarks) heard(job);
      },
    });
  }

  #told(status: Status): void {
    this.#tellings++;
    this.status = status;
    this.address = `${status.url}/v1`;
    this.phase = status.state === 'draining' ? 'stopping' : 'running';
    this.detail = '';
  }

  #observed(s: ServerState): void {
    if (s.phase === 'running') {
      if (this.phase === 'running' && this.status) return;
      if (!this.live) this.#unlistenNow(); // it may be in a pause between two attempts
      void this.load();
      return;
    }
    this.phase = s.phase;
    this.detail = s.detail || (s.phase === 'failed' ? this.detail : '');
    if (s.phase !== 'stopping') this.status = null;
  }

  #refused(error: unknown): void {
    this.status = null;
    for (const heard of this.#exports) heard(null);
    if (error instanceof ApiError && error.status === 401) {
      this.#lock();
    } else if (error instanceof ApiError && error.kind === 'server-stopped') {
      if (!native) this.phase = 'stopped'; // the window's program tells more exactly
    } else {
      this.#failed(sentence(error));
    }
  }

  #failed(why: string): void {
    this.phase = 'failed';
    this.detail = why;
  }

  #unlistenNow(): void {
    this.#unlisten?.();
    this.#unlisten = null;
    this.live = false;
  }

  #lock(): void {
    this.#unlistenNow();
    this.phase = 'locked';
    this.status = null;
    this.requests = [];
    this.loaded = false;
  }
}

export const server = new Server();
