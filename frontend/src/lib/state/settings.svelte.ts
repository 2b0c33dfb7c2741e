// The settings as the server has them, and as the person is changing them.
import { getSettings, getSettingsSchema, patchSettings } from '../api/client';
import { ApiError, sentence } from '../api/problem';
import type { Settings } from '../api/types';
import { faultsIn, sections } from '../domain/fields';
import { difference, merged, patchAt, paths, valueAt, type Json } from '../domain/patch';
import { carried, type Provider } from '../domain/routes';
import { facts, type Facts } from '../domain/schema';
import { toasts } from './toast.svelte';

const known = [...sections.flatMap((s) => s.fields.map((f) => f.path)), 'providers', 'routes'];

class SettingsState {
  /** In force; null until they were read. */
  saved = $state.raw<Settings | null>(null);
  draft = $state.raw<Settings | null>(null);
  /** What is wrong with a field, by its path: timeouts.chat. */
  faults = $state<Record<string, string>>({});
  /** Why they could not be read or saved, where no field is to blame. */
  problem = $state('');
  saving = $state(false);
  said = $state('');
  /** What is unsaved was so when the last window closed. */
  resumed = $state(false);
  /** Somebody changed the file while there was something unsaved here. */
  outside = $state.raw<Settings | null>(null);

  readonly patch: Json | undefined = $derived(this.saved && this.draft ? difference(json(this.saved), json(this.draft)) : undefined);
  readonly changed: string[] = $derived(paths(this.patch));
  readonly faulty: boolean = $derived(Object.keys(this.faults).length > 0);
  /** Something would be lost with the page. */
  readonly unsaved: boolean = $derived(this.changed.length > 0 || this.faulty);

  #schema = $state.raw<Json | undefined>();
  /** Counts what was asked and saved here: an answer that was asked for before that is out of date. */
  #asked = 0;
  /** The problem is that the server could not be asked, and goes when it answers. */
  #passing = false;
  /** What waits for the end of a save. */
  readonly #waiting: (() => void)[] = [];
  /** They changed while a save was under way, whose answer tells more. */
  #again = false;

  /** Reads what is in force. What is unsaved here is kept, and the other offered. */
  async load(): Promise<void> {
    if (this.saving) {
      this.#again = true;
      return;
    }
    const asked = ++this.#asked;
    try {
      const [now, schema] = await Promise.all([getSettings(), this.#schema ?? getSettingsSchema()]);
      this.#schema = schema;
      if (this.#late(asked)) return;
      if (this.#passing) this.problem = '';
      this.#passing = false;
      // One's own save is announced too: it must not take "Saved" away.
      if (this.saved && difference(json(this.saved), json(now)) === undefined) this.outside = null;
      else if (!this.saved) this.#take(now);
      else if (this.unsaved) this.outside = now;
      else {
        this.#take(now);
        toasts.show({ text: 'The settings were changed outside. They are shown as they are now.' });
      }
    } catch (error) {
      if (this.#late(asked)) return;
      this.problem = sentence(error);
      this.#passing = true;
    }
  }

  /** Something that was asked later tells more, or will. */
  #late(asked: number): boolean {
    if (asked === this.#asked && this.saving) this.#again = true;
    return asked !== this.#asked || this.saving;
  }

  async save(): Promise<void> {
    const patch = this.patch;
    const sent = this.draft;
    if (patch === undefined || !sent || this.saving || this.faulty) return;
    this.saving = true;
    this.problem = this.said = '';
    try {
      const now = await patchSettings(patch);
      this.#asked++;
      this.#rebase(sent, now);
      this.resumed = false;
      this.said = 'Saved';
    } catch (error) {
      this.#refused(error, sent);
    } finally {
      this.#settled();
    }
  }

  /**
   * Does something at the server that changes the settings beside what is changed here, as a key's way into the keychain
   * does: that is no change from outside, and what is unsaved here stays.
   */
  async along<T>(work: () => Promise<T>): Promise<T> {
    while (this.saving) await new Promise<void>((resume) => this.#waiting.push(resume));
    this.saving = true;
    try {
      const done = await work();
      const [now, before] = [await getSettings(), this.saved];
      this.#asked++;
      if (this.draft && before) {
        const providers = carried(...([this.draft, before, now].map((s) => s.providers) as [Provider[], Provider[], Provider[]]));
        this.draft = merged(json(this.draft), { providers: providers as unknown as Json }) as unknown as Settings;
        this.#rebase(before, now);
      }
      return done;
    } finally {
      this.#settled();
    }
  }

  /** Puts at a path what make makes of what is in force there: at once, and beside what is unsaved here. */
  async put(path: string, make: (now: Json | undefined) => Json): Promise<void> {
    await this.along(async () => {
      const now = await getSettings();
      await patchSettings(patchAt(path, make(valueAt(json(now), path))));
    });
  }

  #settled(): void {
    this.saving = false;
    for (const resume of this.#waiting.splice(0)) resume(); // one goes on, the others wait for it
    if (!this.#again) return;
    this.#again = false;
    void this.load();
  }

  /** Puts what was unsaved in an earlier window on top of what is in force; false when it is so by now. */
  resume(patch: Json): boolean {
    if (!this.saved || !this.draft) return false;
    this.draft = merged(json(this.draft), patch) as unknown as Settings;
    this.resumed = difference(json(this.saved), json(this.draft)) !== undefined;
    return this.resumed;
  }

  revert(): void {
    const now = this.outside ?? this.saved; // what is in force
    if (now) this.#take(now);
  }

  /** Shows what somebody else made of the settings, and forgets what is unsaved here. */
  takeOutside(): void {
    if (this.outside) this.#take(this.outside);
  }

  /** Keeps what is unsaved here, on top of what somebody else changed. */
  keepMine(): void {
    if (this.outside && this.saved) this.#rebase(this.saved, this.outside);
  }

  /** What stands in the field at a path. */
  value(path: string): Json | undefined {
    return this.draft ? valueAt(json(this.draft), path) : undefined;
  }

  /** Puts a value at a path, and forgets what was wrong there: with all of it, or with the entry that was changed. */
  set(path: string, value: Json, entry = path): void {
    if (!this.draft) return;
    this.draft = merged(json(this.draft), patchAt(path, value)) as unknown as Settings;
    this.forgive(entry);
  }

  /** Forgets what was wrong at a place and beneath it. */
  forgive(place: string): void {
    for (const at of faultsIn(this.faults, place)) delete this.faults[at];
    this.problem = this.said = '';
  }

  /** Says that what stands in the field at a path can be no value. */
  fault(path: string, detail: string): void {
    this.faults[path] = detail;
    this.said = '';
  }

  /** What the server says of the setting at a path. */
  facts(path: string): Facts {
    return facts(this.#schema, path);
  }

  #take(settings: Settings): void {
    this.saved = this.draft = settings;
    this.resumed = false;
    this.faults = {};
    this.problem = this.said = '';
    this.outside = null;
  }

  /** Takes what is in force now, and keeps on top of it what was changed here since `base`. */
  #rebase(base: Settings, now: Settings): void {
    const mine = this.draft ? difference(json(base), json(this.draft)) : undefined;
    this.saved = now;
    this.draft = merged(json(now), mine) as unknown as Settings;
    this.outside = null;
  }

  #refused(error: unknown, sent: Settings): void {
    const fields = error instanceof ApiError ? error.fields : [];
    const elsewhere: string[] = [];
    for (const { location, detail } of fields) {
      const path = location.replace(/\[.*$/, '');
      if (!known.includes(path)) elsewhere.push(`${location} ${detail}`.trim());
      // Who has changed it meanwhile knows better.
      else if (difference(valueAt(json(sent), path), this.value(path) ?? null) === undefined) this.faults[location] = detail;
    }
    this.#passing = error instanceof ApiError && error.kind === 'server-stopped';
    if (fields.length === 0) this.problem = sentence(error);
    else if (elsewhere.length > 0) this.problem = elsewhere.join('; ');
  }
}

const json = (settings: Settings): Json => settings as unknown as Json;

export const settings = new SettingsState();
