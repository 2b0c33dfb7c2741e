// What the window's own program can do for the page. In a browser there is none: native is null.
import type { ExportFormat } from './types';

export type Phase = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

export interface ServerState {
  phase: Phase;
  detail: string;
  server: { addr: string; url: string; version: string };
}

interface Bindings {
  ServerState(): Promise<ServerState>;
  StartServer(): Promise<ServerState>;
  StopServer(): Promise<ServerState>;
  ExportAudit(format: ExportFormat, filter: Record<string, string>): Promise<string>;
  CopyText(text: string): Promise<void>;
  OpenDataFolder(): Promise<void>;
}

interface Runtime {
  EventsOn(name: string, heard: (data: never) => void): () => void;
}

declare global {
  interface Window {
    go?: { main?: { App?: Bindings } };
    runtime?: Runtime;
  }
}

export interface Native extends Bindings {
  /** Calls heard with every new state of the server's process. */
  onServerState(heard: (state: ServerState) => void): () => void;
  /** Calls heard with the sentence of a server that the window could not start. */
  onServerFailed(heard: (sentence: string) => void): () => void;
}

function connect(): Native | null {
  const app = window.go?.main?.App;
  const runtime = window.runtime;
  if (!app || !runtime) return null;
  return {
    ServerState: () => app.ServerState(),
    StartServer: () => app.StartServer(),
    StopServer: () => app.StopServer(),
    ExportAudit: (format, filter) => app.ExportAudit(format, filter),
    CopyText: (text) => app.CopyText(text),
    OpenDataFolder: () => app.OpenDataFolder(),
    onServerState: (heard) => runtime.EventsOn('server:state', heard),
    onServerFailed: (heard) => runtime.EventsOn('server:failed', heard),
  };
}

export const native = connect();

/** Puts text on the clipboard, in the window or in a browser. */
export async function copyText(text: string): Promise<void> {
  if (native) await native.CopyText(text);
  else await navigator.clipboard.writeText(text);
}
