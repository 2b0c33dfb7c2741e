// The token that the Hugging Face Hub is asked with: where it is, never what it is.
import { getHubToken, removeHubToken, setHubToken, testHubToken } from '../api/client';
import { sentence } from '../api/problem';
import type { HubTokenTest, SecretState } from '../api/types';
import { Leaving } from './leaving.svelte';
import { toasts } from './toast.svelte';

const name = 'the Hub’s token';

class HubToken {
  now = $state.raw<SecretState | null>(null);
  problem = $state('');
  /** What the Hub said to it when it was last tested here; null while it is asked. */
  test = $state.raw<HubTokenTest | string | null | undefined>(undefined);
  #leaving = new Leaving(() => this.#remove());

  get going(): boolean {
    return this.#leaving.has(name);
  }

  async load(): Promise<void> {
    try {
      this.now = await getHubToken();
      this.problem = '';
    } catch (error) {
      this.problem = sentence(error);
    }
  }

  async set(token: string): Promise<void> {
    this.#leaving.stay(name);
    this.now = await setHubToken(token);
    this.test = undefined;
  }

  /** Removes it, in a while. */
  remove(): void {
    this.#leaving.begin(name, 'The Hub’s token goes out of the keychain.');
  }

  async ask(): Promise<void> {
    this.test = null;
    try {
      this.test = await testHubToken();
    } catch (error) {
      this.test = sentence(error);
    }
    await this.load(); // a test may have found the keychain open
  }

  async #remove(): Promise<void> {
    try {
      await removeHubToken();
      this.test = undefined;
    } catch (error) {
      toasts.show({ text: `The Hub’s token was not removed: ${sentence(error)}`, tone: 'bad' });
    }
    await this.load();
  }
}

export const hubToken = new HubToken();
