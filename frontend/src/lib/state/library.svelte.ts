// The models of this machine. Read at first and when events were missed; a change on disk the server tells.
import { getModelList, loadModel, removeModel, undeleteModel, unloadModel } from '../api/client';
import { sentence } from '../api/problem';
import type { EngineState, ModelList, Status } from '../api/types';
import { entries, shares, type Entry, type Share } from '../domain/library';
import { changedOf, editsOf, entriesOf, placeOf, settingsOf, withSettings, type Edits, type Form, type ModelSettings } from '../domain/modelsettings';
import type { Json } from '../domain/patch';
import { activity } from './activity.svelte';
import { server } from './server.svelte';
import { settings } from './settings.svelte';
import { toasts } from './toast.svelte';

class Library {
  list = $state.raw<ModelList | null>(null);
  problem = $state('');
  /** Names of those that something is being done with. */
  busy = $state.raw<readonly string[]>([]);

  /** The model whose row is open, or "". */
  open = $state('');
  /** What somebody is changing of single models, by name. */
  edits = $state.raw<Edits>({});
  readonly entries: readonly Entry[] = $derived(entries(this.list?.models ?? [], server.status?.engines ?? []));

  /** What each loaded model takes, as measured a moment ago where that is known. */
  readonly shares: readonly Share[] = $derived(
    shares(
      (server.status?.engines ?? []).map((e) => ({
        model: e.model,
        bytes: activity.now?.engines.find((a) => a.model === e.model && a.pid > 0)?.memory_bytes || (e.pid > 0 ? e.memory_bytes : 0),
      })),
    ),
  );

  /** What models may take together, what they do take, and what the machine has. */
  readonly memory: Status['memory'] | null = $derived(server.status?.memory ?? null);

  /** What is set for single models, as it is in force. */
  readonly each: readonly ModelSettings[] = $derived((settings.saved?.models.each ?? []));

  /** The models of which something is not saved; one that is gone may come back. */
  readonly changed: readonly string[] = $derived(changedOf(this.edits, this.each).filter((name) => !this.list || this.list.models.some((m) => m.name === name)));
  /** Something would be lost with the page. */
  readonly unsaved: boolean = $derived(this.changed.length > 0);
  /** What is not saved, as entries of models.each. */
  readonly patch: readonly ModelSettings[] = $derived(entriesOf(this.edits, this.each));

  #asked = 0;
  #told = 0;

  /** Hears what the server tells, until the function that it gives is called. */
  follow(): () => void {
    return server.onModels((list) => {
      this.#told++;
      this.list = list;
      this.problem = '';
    });
  }

  async load(): Promise<void> {
    const asked = ++this.#asked;
    const told = this.#told;
    try {
      const list = await getModelList();
      if (asked !== this.#asked || told !== this.#told) return;
      this.list = list;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  settingsOf = (name: string): ModelSettings => settingsOf(this.each, name);

  edit(name: string, change: Partial<Form>): void {
    this.edits = { ...this.edits, [name]: { ...this.edits[name], ...change } };
  }

  /** Takes up what was unsaved in an earlier window, and gives the names of the models that it changes by now. */
  resume(entries: readonly ModelSettings[]): readonly string[] {
    this.edits = { ...editsOf(entries), ...this.edits };
    return this.changed;
  }

  /** Gives up what is unsaved of a model, or is saved by now. */
  forget(name: string): void {
    this.edits = Object.fromEntries(Object.entries(this.edits).filter(([n]) => n !== name));
  }

  /** Loads a model that is not, and unloads one that is or is about to be. */
  turn = (name: string, state: EngineState): Promise<void> => this.#at(name, name, () => (state === 'ready' || state === 'loading' ? unloadModel(name) : loadModel(name)));

  /** Sets something for one model, at once and beside what is unsaved on the page of the settings. */
  set(name: string, change: Partial<ModelSettings>): Promise<void> {
    return settings.put('models.each', (now) => withSettings((now ?? []) as unknown as ModelSettings[], name, change) as unknown as Json);
  }

  /** Where a model's entry stands among the settings, or would. */
  placeOf = (name: string): number => placeOf(this.each, name);

  pin = (name: string, pin: boolean): Promise<void> => this.#at(name, pin ? 'Not pinned' : 'Not unpinned', () => this.set(name, { pin }));

  // Nobody is asked whether they are sure: for ten seconds it can be undone.
  remove = (name: string, broken = false): Promise<void> =>
    this.#at(name, 'Not removed', async () => {
      const { undo_until } = await removeModel(name, broken);
      toasts.show({ text: `Removed ${name}.`, action: { label: 'Undo', run: () => this.#restore(name) }, until: new Date(undo_until) });
      await this.load();
    });

  async #restore(name: string): Promise<void> {
    await undeleteModel(name);
    await this.load();
    toasts.show({ text: `${name} is back.`, tone: 'ok' });
  }

  async #at(name: string, what: string, work: () => Promise<void>): Promise<void> {
    if (this.busy.includes(name)) return;
    this.busy = [...this.busy, name];
    try {
      await work();
    } catch (error) {
      toasts.show({ text: `${what}: ${sentence(error)}`, tone: 'bad' });
    } finally {
      this.busy = this.busy.filter((n) => n !== name);
    }
  }
}

export const library = new Library();
