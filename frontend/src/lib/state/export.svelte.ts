// One export of the audit at a time, whoever asked for it: a button or the palette.
import { exportAddress } from '../api/client';
import { native, type ExportProgress } from '../api/native';
import { sentence } from '../api/problem';
import type { ExportFormat } from '../api/types';
import { toasts } from './toast.svelte';

class ExportState {
  busy = $state(false);
  cancelling = $state(false);
  progress = $state.raw<ExportProgress | null>(null);
  failed = $state(false);
  /** How it ended. */
  said = $state('');
  /** The same with the whole path of the file. */
  whole = $state('');

  /** Writes the records that filter chooses: the window through the system's dialog, a browser as a download. */
  async save(format: ExportFormat, filter: Record<string, string>): Promise<void> {
    if (this.busy) return;
    this.#say('');
    if (!native) {
      const link = document.createElement('a');
      link.href = exportAddress(format, filter);
      link.download = '';
      link.click();
      return;
    }
    this.busy = true;
    const end = native.onExportProgress((now) => (this.progress = now));
    try {
      const { path, cancelled } = await native.ExportAudit(format, filter);
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
