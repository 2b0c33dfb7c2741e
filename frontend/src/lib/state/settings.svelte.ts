// The settings as the server has them, and as the person is changing them.
import { getSettings, patchSettings } from '../api/client';
import { ApiError, sentence } from '../api/problem';
import type { Settings } from '../api/types';
import { difference, paths, type Json } from '../domain/patch';

class SettingsState {
  /** In force; null until they were read. */
  saved = $state.raw<Settings | null>(null);
  draft = $state<Settings | null>(null);
  /** What is wrong with a field, by its path: timeouts.chat. */
  faults = $state<Record<string, string>>({});
  /** Why they could not be read or saved, where no field is to blame. */
  problem = $state('');
  saving = $state(false);
  said = $state('');
  /** Somebody changed the file while there was something unsaved here. */
  outside = $state.raw<Settings | null>(null);

  readonly patch: Json | undefined = $derived(
    this.saved && this.draft ? difference(json(this.saved), json($state.snapshot(this.draft) as Settings)) : undefined,
  );
  readonly changed: string[] = $derived(paths(this.patch));

  /** Counts what was saved here: an answer that was asked for before that is out of date. */
  #saves = 0;

  /** Reads what is in force. What is unsaved here is kept, and the other offered. */
  async load(): Promise<void> {
    const saves = this.#saves;
    try {
      const now = await getSettings();
      if (saves !== this.#saves) return;
      this.problem = '';
      // One's own save is announced too: it must not take "Saved" away.
      if (this.saved && difference(json(this.saved), json(now)) === undefined) return;
      if (!this.saved || this.changed.length === 0) this.#take(now);
      else this.outside = now;
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  async save(): Promise<void> {
    const patch = this.patch;
    if (patch === undefined || this.saving || Object.keys(this.faults).length > 0) return;
    this.saving = true;
    this.problem = this.said = '';
    try {
      const now = await patchSettings(patch);
      this.#saves++;
      this.#take(now);
      this.said = 'Saved';
    } catch (error) {
      const fields = error instanceof ApiError ? error.fields : [];
      for (const f of fields) this.faults[f.location] = f.detail;
      if (fields.length === 0) this.problem = sentence(error);
    } finally {
      this.saving = false;
    }
  }

  revert(): void {
    if (this.saved) this.#take(this.saved);
  }

  takeOutside(): void {
    if (this.outside) this.#take(this.outside);
  }

  /** Says that the field at path is wrong, or with "" that it is right. */
  fault(path: string, detail: string): void {
    if (detail) this.faults[path] = detail;
    else delete this.faults[path];
    this.said = '';
  }

  #take(settings: Settings): void {
    this.saved = settings;
    this.draft = structuredClone(settings);
    this.faults = {};
    this.problem = this.said = '';
    this.outside = null;
  }
}

const json = (settings: Settings): Json => settings as unknown as Json;

export const settings = new SettingsState();
