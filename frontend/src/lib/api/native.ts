// What the window's own program can do for the page. In a browser there is none: native is null.
import type { ExportFormat } from './types';

export type Phase = 'stopped' | 'starting' | 'running' | 'stopping' | 'failed';

export interface ServerState {
  phase: Phase;
  detail: string;
  server: { addr: string; url: string; version: string };
}

/** How an export ended: path is "" when there is no file. */
export interface Exported {
  path: string;
  records: number;
  cancelled: boolean;
}

/** total is 0 until it is known. */
export interface ExportProgress {
  done: number;
  total: number;
}

/** change is JSON, "" for none; of it was left out what may be a secret in the wrong place, if anything. */
export interface Unsaved {
  change: string;
  left_out: boolean;
}

interface Bindings {
  ServerState(): Promise<ServerState>;
  StartServer(): Promise<ServerState>;
  StopServer(): Promise<ServerState>;
  ExportAudit(format: ExportFormat, filter: Record<string, string>): Promise<Exported>;
  /** The same with the ledger of some days. */
  ExportLedger(format: ExportFormat, period: Record<string, string>): Promise<Exported>;
  /** Ends the export that runs, if one does; ExportAudit then tells that it was cancelled. */
  CancelExport(): Promise<void>;
  /** Asks where to save and writes there what base64 holds; "" when somebody thought better of it. */
  SaveFile(name: string, base64: string): Promise<string>;
  /** What was unsaved in the settings when the last window closed. */
  Draft(): Promise<Unsaved>;
  /** Has a change of them that is unsaved outlive the window; "" is none. */
  KeepDraft(change: string): Promise<void>;
  CopyText(text: string): Promise<void>;
  OpenDataFolder(): Promise<void>;
  OpenModelsFolder(): Promise<void>;
  /** The folder that a model of the models folder lies in. */
  OpenFolderOf(path: string): Promise<void>;
}

interface Runtime {
  EventsOn(name: string, heard: (data: never) => void): () => void;
  /** In the system's browser. */
  BrowserOpenURL(url: string): void;
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
  /** Calls heard while an export runs, and once at its end. */
  onExportProgress(heard: (progress: ExportProgress) => void): () => void;
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
    ExportLedger: (format, period) => app.ExportLedger(format, period),
    CancelExport: () => app.CancelExport(),
    SaveFile: (name, base64) => app.SaveFile(name, base64),
    Draft: () => app.Draft(),
    KeepDraft: (change) => app.KeepDraft(change),
    CopyText: (text) => app.CopyText(text),
    OpenDataFolder: () => app.OpenDataFolder(),
    OpenModelsFolder: () => app.OpenModelsFolder(),
    OpenFolderOf: (path) => app.OpenFolderOf(path),
    onServerState: (heard) => runtime.EventsOn('server:state', heard),
    onServerFailed: (heard) => runtime.EventsOn('server:failed', heard),
    onExportProgress: (heard) => runtime.EventsOn('export:progress', heard),
  };
}

export const native = connect();

/** Puts text on the clipboard, in the window or in a browser. */
export async function copyText(text: string): Promise<void> {
  if (native) await native.CopyText(text);
  else await navigator.clipboard.writeText(text);
}

/** Opens a page outside, where the window would go there itself; false in a browser, which knows what to do with a link. */
export function openLink(href: string): boolean {
  if (native) window.runtime?.BrowserOpenURL(href);
  return native !== null;
}
