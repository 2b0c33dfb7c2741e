// One export at a time, whoever asked for it: a button or the palette.
import { exportAddress, getLedger, getStats } from '../api/client';
import { native, type ExportProgress } from '../api/native';
import { sentence } from '../api/problem';
import type { Exportable, ExportFormat } from '../api/types';
import { server } from './server.svelte';
import { toasts } from './toast.svelte';

const words: Record<Exportable, string> = { audit: 'record', ledger: 'line' };
const count = (n: number, what: Exportable): string => (n === 1 ? `1 ${words[what]}` : `${n.toLocaleString('en')} ${words[what]}s`);

/** What to say of a download that the browser did not take to its end; without records the server is gone. */
const brokenOff = (what: Exportable, n?: number): string =>
  n === undefined
    ? 'the server stopped before the download was complete. Start it and export again'
    : `the browser broke the download off after ${count(n, what)}. If nobody cancelled it, its disk may be full: the browser’s list of downloads says why. Make room and export again`;

class ExportState {
  busy = $state(false);
  cancelling = $state(false);
  progress = $state.raw<ExportProgress | null>(null);
  failed = $state(false);
  /** How it ended. */
  said = $state('');
  /** The same with the whole path of the file. */
  whole = $state('');

  /** Writes what filter chooses: the window through the system's dialog, a browser as a download. */
  async save(format: ExportFormat, filter: Record<string, string>, what: Exportable = 'audit'): Promise<void> {
    if (this.busy) return;
    this.#say('');
    this.busy = true;
    if (!native) {
      await this.#download(format, filter, what);
      this.busy = false;
      return;
    }
    const end = native.onExportProgress((now) => (this.progress = now));
    try {
      const { path, cancelled } = await (what === 'audit' ? native.ExportAudit(format, filter) : native.ExportLedger(format, filter));
      if (cancelled) this.#say('Export cancelled; no file was written.');
      else if (path) this.#say(`Saved as ${path.split('/').pop()}`, `Saved as ${path}`);
    } catch (error) {
      this.#failed(error);
    } finally {
      end();
      this.busy = this.cancelling = false;
      this.progress = null;
    }
  }

  /**
   * A browser writes the file by itself, shows how far it is and keeps no half one; but it tells the page nothing of a download. So
   * the server is asked beforehand whether it answers, and tells afterwards whether the browser took all of it.
   */
  async #download(format: ExportFormat, filter: Record<string, string>, what: Exportable): Promise<void> {
    try {
      await (what === 'audit' ? getStats(filter) : getLedger(filter));
    } catch (error) {
      this.#failed(error);
      return;
    }
    const watch = `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;
    const end = server.onExport((how) => {
      if (how && how.watch !== watch) return;
      end();
      if (how?.complete) this.#say(`Sent to the browser: ${count(how.records, what)}`);
      else this.#failed(new Error(brokenOff(what, how?.records)));
    });
    const link = document.createElement('a');
    link.href = exportAddress(what, format, filter, watch);
    link.download = '';
    link.click();
  }

  cancel(): void {
    this.cancelling = true;
    void native?.CancelExport();
  }

  /** The words beside the buttons have little room, and the buttons may be out of sight. */
  #failed(error: unknown): void {
    const whole = `Not exported: ${sentence(error)}`;
    this.#say('Not exported', whole);
    this.failed = true;
    toasts.show({ text: whole, tone: 'bad', lasts: 30_000 });
  }

  #say(said: string, whole = said): void {
    this.failed = false;
    this.said = said;
    this.whole = whole;
  }
}

export const exporting = new ExportState();
