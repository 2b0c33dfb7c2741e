// The keys that providers are asked with, and how providers answer. What is done here counts at once: keys are no
// settings, only where one is kept is. A key that somebody types is sent and forgotten; nothing here holds it.
import { getProviders, removeProviderKey, setProviderKey, testProvider } from '../api/client';
import { sentence } from '../api/problem';
import type { ProviderState, ProviderTest } from '../api/types';
import type { Provider } from '../domain/routes';
import { settings } from './settings.svelte';
import { toasts } from './toast.svelte';

const undoTime = 10_000;

class Credentials {
  /** The saved providers, as they are now. */
  providers = $state.raw<readonly ProviderState[]>([]);
  problem = $state('');
  /** How each answered to its last test here, by name; null while it is asked. */
  tests = $state.raw<ReadonlyMap<string, ProviderTest | string | null>>(new Map());
  /** The providers whose key goes when the time to undo that is over. */
  going = $state.raw<ReadonlyMap<string, ReturnType<typeof setTimeout>>>(new Map());
  #asked = 0;

  constructor() {
    // Who leaves the page does not undo any more.
    addEventListener('pagehide', () => {
      for (const name of this.going.keys()) void this.#remove(name);
    });
  }

  of = (name: string): ProviderState | undefined => this.providers.find((p) => p.name === name);

  async load(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const providers = await getProviders();
      if (asked !== this.#asked) return;
      this.providers = providers;
      this.problem = '';
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    }
  }

  async set(name: string, key: string): Promise<void> {
    this.#stay(name); // what it was told to forget, it has anew
    await settings.along(() => setProviderKey(name, key)); // the page reads where keys are whenever the settings were
    this.#forgetTest(name);
  }

  async test(name: string): Promise<void> {
    this.#tested(name, null);
    try {
      this.#tested(name, await testProvider(name));
    } catch (error) {
      this.#tested(name, sentence(error));
    }
    await this.load(); // a test may have found the keychain open
  }

  /** Removes a provider's key, in a while: the keychain does not give it back, so what can be undone is not done yet. */
  remove(name: string): void {
    this.#stay(name);
    const timer = setTimeout(() => void this.#remove(name), undoTime);
    this.going = new Map([...this.going, [name, timer]]);
    toasts.show({ text: `The key of ${name} goes out of the keychain.`, action: { label: 'Undo', run: () => this.#stay(name) }, until: new Date(Date.now() + undoTime) });
  }

  /** Offers to remove the keys of providers that are in the settings no longer. */
  left(before: readonly Provider[], now: readonly Provider[]): void {
    const used = now.flatMap((p) => [p.api_key_keychain, p.name]); // one of that name would lose its own
    for (const { name, api_key_keychain: kept } of before) {
      if (!kept || used.includes(kept)) continue;
      const run = async () => {
        await removeProviderKey(kept);
        toasts.show({ text: `Removed the key of ${name}.`, tone: 'ok' });
      };
      toasts.show({ text: `The keychain still has the key of ${name}.`, action: { label: 'Remove it', run }, lasts: 20_000 });
    }
  }

  async #remove(name: string): Promise<void> {
    this.#stay(name);
    try {
      const { users } = await settings.along(() => removeProviderKey(name));
      this.#forgetTest(name);
      if (users.length > 0) toasts.show({ text: `${name} is asked without a key now. The keychain still has it, for ${users.join(', ')}.` });
    } catch (error) {
      toasts.show({ text: `The key of ${name} was not removed: ${sentence(error)}`, tone: 'bad' });
      await this.load();
    }
  }

  #stay(name: string): void {
    clearTimeout(this.going.get(name));
    this.going = new Map([...this.going].filter(([n]) => n !== name));
  }

  #tested(name: string, how: ProviderTest | string | null): void {
    this.tests = new Map([...this.tests, [name, how]]);
  }

  #forgetTest(name: string): void {
    this.tests = new Map([...this.tests].filter(([n]) => n !== name));
  }
}

export const credentials = new Credentials();
