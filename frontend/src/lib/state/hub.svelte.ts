// Looking for models at the Hugging Face Hub. Nothing is asked there before somebody says so, for the words leave this
// machine; so they stand here and not in the address, which would ask again by itself.
import { getHubFiles, searchHub } from '../api/client';
import { ApiError, isAbort, sentence } from '../api/problem';
import type { HubFiles, HubFound } from '../api/types';
import { server } from './server.svelte';

export interface Trouble {
  kind: string;
  text: string;
}

export const troubleOf = (error: unknown): Trouble => ({ kind: error instanceof ApiError ? error.kind : '', text: sentence(error) });

class Hub {
  typed = $state('');
  format = $state<'gguf' | 'mlx'>('gguf');
  /** null until something was looked for. */
  found = $state.raw<readonly HubFound[] | null>(null);
  /** What was looked for. */
  sought = $state('');
  searching = $state(false);
  problem = $state.raw<Trouble | null>(null);
  /** The repository that is open, or "". */
  open = $state('');
  files = $state.raw<ReadonlyMap<string, HubFiles | Trouble>>(new Map());

  #search: AbortController | null = null;

  async search(): Promise<void> {
    this.#search?.abort();
    const control = (this.#search = new AbortController());
    const words = this.typed.trim();
    this.searching = true;
    this.problem = null;
    try {
      const found = await searchHub(words, this.format, control.signal);
      this.found = found;
      this.sought = words;
      this.open = '';
      this.files = new Map();
    } catch (error) {
      if (!isAbort(error)) this.problem = troubleOf(error);
    } finally {
      if (this.#search === control) this.searching = false;
    }
  }

  /** Shows what a repository holds, or shows it no more. */
  async toggle(repo: string): Promise<void> {
    this.open = this.open === repo ? '' : repo;
    const known = this.files.get(repo);
    if (this.open === repo && (!known || 'kind' in known)) await this.look(repo);
  }

  /** What was looked for is nobody else's business. */
  forget(): void {
    this.#search?.abort();
    this.typed = this.sought = this.open = '';
    this.found = this.problem = null;
    this.files = new Map();
  }

  async look(repo: string): Promise<void> {
    this.files = new Map([...this.files].filter(([r]) => r !== repo));
    let answer: HubFiles | Trouble;
    try {
      answer = await getHubFiles(repo);
    } catch (error) {
      answer = troubleOf(error);
    }
    this.files = new Map([...this.files, [repo, answer]]);
  }
}

export const hub = new Hub();

server.onLogout(() => hub.forget());
