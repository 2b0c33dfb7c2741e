// The API keys that were given out. They are no settings: what is done here counts at once.
import { changeKey, createKey, getKeys, restoreKey, revokeKey } from '../api/client';
import { sentence } from '../api/problem';
import type { AccessKey, KeyRequest, NewKey } from '../api/types';
import { toasts } from './toast.svelte';

const undoTime = 10_000; // the server's

class Access {
  keys = $state.raw<readonly AccessKey[]>([]);
  loaded = $state(false);
  problem = $state('');
  #asked = 0;

  async load(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const keys = await getKeys();
      if (asked !== this.#asked) return;
      this.keys = keys;
      this.loaded = true;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  /** Makes a key and gives it with its secret, which nothing here keeps. */
  async create(what: KeyRequest): Promise<NewKey> {
    const made = await createKey(what);
    await this.load();
    return made;
  }

  async change(id: string, what: KeyRequest): Promise<void> {
    await changeKey(id, what);
    await this.load();
  }

  // Nobody is asked whether they are sure: for ten seconds it can be undone.
  async revoke({ id, name }: AccessKey): Promise<void> {
    const from = Date.now();
    try {
      await revokeKey(id);
      toasts.show({ text: `Revoked ${name}: it is refused from now on.`, action: { label: 'Undo', run: () => this.#restore(id, name) }, until: new Date(from + undoTime) });
    } catch (error) {
      toasts.show({ text: `${name} was not revoked: ${sentence(error)}`, tone: 'bad' });
    }
    await this.load();
  }

  async #restore(id: string, name: string): Promise<void> {
    await restoreKey(id);
    toasts.show({ text: `${name} is good again.`, tone: 'ok' });
    await this.load();
  }
}

export const access = new Access();
