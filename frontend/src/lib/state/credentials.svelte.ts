// The keys that providers are asked with, and how providers answer. What is done here counts at once: keys are no
// settings, only where one is kept is. A key that somebody types is sent and forgotten; nothing here holds it.
import { getProviders, removeProviderKey, setProviderKey, testProvider } from '../api/client';
import { sentence } from '../api/problem';
import type { ProviderState, ProviderTest } from '../api/types';
import type { Provider } from '../domain/routes';
import { Leaving } from './leaving.svelte';
import { settings } from './settings.svelte';
import { toasts } from './toast.svelte';

class Credentials {
  /** The saved providers, as they are now. */
  providers = $state.raw<readonly ProviderState[]>([]);
  problem = $state('');
  /** How each answered to its last test here, by name; null while it is asked. */
  tests = $state.raw<ReadonlyMap<string, ProviderTest | string | null>>(new Map());
  /** The providers whose key goes when the time to undo that is over. */
  going = new Leaving((name) => this.#remove(name));
  #asked = 0;

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
    this.going.stay(name); // what it was told to forget, it has anew
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

  /** Removes a provider's key, in a while. */
  remove(name: string): void {
    this.going.begin(name, `The key of ${name} goes out of the keychain.`);
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
    try {
      const { users } = await settings.along(() => removeProviderKey(name));
      this.#forgetTest(name);
      if (users.length > 0) toasts.show({ text: `${name} is asked without a key now. The keychain still has it, for ${users.join(', ')}.` });
    } catch (error) {
      toasts.show({ text: `The key of ${name} was not removed: ${sentence(error)}`, tone: 'bad' });
      await this.load();
    }
  }

  #tested(name: string, how: ProviderTest | string | null): void {
    this.tests = new Map([...this.tests, [name, how]]);
  }

  #forgetTest(name: string): void {
    this.tests = new Map([...this.tests].filter(([n]) => n !== name));
  }
}

export const credentials = new Credentials();
