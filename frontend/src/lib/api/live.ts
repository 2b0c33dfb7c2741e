// The server's events, fetched: an EventSource can neither say why it failed nor notice that a
// connection is dead after a laptop's sleep. A stream that broke off goes on after the last event heard.
import { EventParser, type ServerEvent } from '../domain/sse';
import { request } from './client';
import type { ActivityEvent, AuditRecord, BenchmarkJob, DownloadJob, ExportEvent, ModelList, Status } from './types';

export interface Listener {
  /** The stream is open. When it does not go on where it broke off, all that is shown must be read anew. */
  opened(resumed: boolean): void;
  /** Events were lost, or so much changed at once that all that is shown must be read anew. */
  reset(): void;
  /** The stream broke off, or could not be opened; it will be tried again. */
  lost(): void;
  state(status: Status): void;
  request(record: AuditRecord): void;
  activity(activity: ActivityEvent): void;
  benchmark(job: BenchmarkJob): void;
  models(list: ModelList): void;
  download(job: DownloadJob): void;
  exported(how: ExportEvent): void;
}

const firstPause = 500;
const longestPause = 5000;
const silence = 45_000; // the server pings every 15 seconds

/** Listens until the function that it gives is called. */
export function listen(listener: Listener): () => void {
  const stopped = new AbortController();
  void follow(listener, stopped.signal);
  return () => stopped.abort();
}

async function follow(listener: Listener, stopped: AbortSignal): Promise<void> {
  let last = '';
  let pause = firstPause;
  while (!stopped.aborted) {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    stopped.addEventListener('abort', stop);
    try {
      const response = await request('/api/live', { signal: attempt.signal, headers: last ? { 'Last-Event-ID': last } : {} });
      if (stopped.aborted) return;
      listener.opened(last !== '');
      pause = firstPause;
      for await (const [event, id] of events(response, attempt)) {
        if (stopped.aborted) return;
        last = id || last;
        if (event) tell(listener, event);
      }
    } catch {
      // Why it broke off is found out by whoever asks the server next.
    } finally {
      stopped.removeEventListener('abort', stop);
      attempt.abort();
    }
    if (stopped.aborted) return;
    listener.lost();
    await passed(pause, stopped);
    pause = Math.min(pause * 2, longestPause);
  }
}

/** The events of an answer, each with the id to go on from; null stands for an id alone. */
async function* events(response: Response, attempt: AbortController): AsyncGenerator<[ServerEvent | null, string]> {
  if (!response.body) return;
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  for (;;) {
    const dead = setTimeout(() => attempt.abort(), silence);
    const { done, value } = await reader.read().finally(() => clearTimeout(dead));
    if (done) return;
    const heard = parser.push(decoder.decode(value, { stream: true }));
    if (heard.length === 0) yield [null, parser.lastId];
    for (const event of heard) yield [event, event.id];
  }
}

function tell(listener: Listener, { event, data }: ServerEvent): void {
  switch (event) {
    case 'reset':
      return listener.reset();
    case 'state':
      return listener.state(JSON.parse(data) as Status);
    case 'request.start':
    case 'request.end':
      return listener.request(JSON.parse(data) as AuditRecord);
    case 'export':
      return listener.exported(JSON.parse(data) as ExportEvent);
    case 'activity':
      return listener.activity(JSON.parse(data) as ActivityEvent);
    case 'models':
      return listener.models(JSON.parse(data) as ModelList);
    case 'download':
      return listener.download(JSON.parse(data) as DownloadJob);
    case 'benchmark':
      return listener.benchmark(JSON.parse(data) as BenchmarkJob);
  }
}

/** Waits, but no longer than until the network is back. */
function passed(ms: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      clearTimeout(timer);
      removeEventListener('online', go);
      stopped.removeEventListener('abort', go);
      resolve();
    };
    const timer = setTimeout(go, ms);
    addEventListener('online', go);
    stopped.addEventListener('abort', go);
  });
}
