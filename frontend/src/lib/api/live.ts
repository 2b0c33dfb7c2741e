// The server's events. The browser takes a lost stream up by itself, but gives up for good when the
// answer is an error, as it is while the server is stopped: then we ask again.
import type { AuditRecord, Status } from './types';

export interface Listener {
  /** The stream is open, for the first time or again: load anew what is shown. */
  opened(): void;
  /** The stream broke off; it will be tried again. */
  lost(): void;
  state(status: Status): void;
  request(type: 'request.start' | 'request.end', record: AuditRecord): void;
}

const firstPause = 500;
const longestPause = 5000;

/** Listens until the function that it gives is called. */
export function listen(listener: Listener): () => void {
  let source: EventSource | null = null;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let pause = firstPause;

  const open = () => {
    source = new EventSource('/api/live');
    source.addEventListener('open', () => {
      pause = firstPause;
      listener.opened();
    });
    source.addEventListener('reset', () => listener.opened());
    source.addEventListener('state', (e: MessageEvent<string>) => listener.state(JSON.parse(e.data) as Status));
    for (const type of ['request.start', 'request.end'] as const) {
      source.addEventListener(type, (e: MessageEvent<string>) => listener.request(type, JSON.parse(e.data) as AuditRecord));
    }
    source.addEventListener('error', () => {
      listener.lost();
      if (source?.readyState !== EventSource.CLOSED) return;
      source.close();
      timer = setTimeout(open, pause);
      pause = Math.min(pause * 2, longestPause);
    });
  };
  open();
  return () => {
    clearTimeout(timer);
    source?.close();
  };
}
