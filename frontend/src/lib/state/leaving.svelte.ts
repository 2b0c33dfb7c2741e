// Secrets that leave the keychain in a while: it does not give them back, so what can be undone is not done yet.
import { toasts } from './toast.svelte';

const undoTime = 10_000;

export class Leaving {
  /** What goes when the time to undo that is over. */
  names = $state.raw<ReadonlySet<string>>(new Set());
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  readonly #remove: (name: string) => Promise<void>;

  constructor(remove: (name: string) => Promise<void>) {
    this.#remove = remove;
    // Who leaves the page does not undo any more.
    addEventListener('pagehide', () => {
      for (const name of this.names) this.#go(name);
    });
  }

  has = (name: string): boolean => this.names.has(name);

  /** Has a secret go, and offers to undo that; text says so. */
  begin(name: string, text: string): void {
    this.stay(name);
    this.#timers.set(name, setTimeout(() => this.#go(name), undoTime));
    this.names = new Set([...this.names, name]);
    toasts.show({ text, action: { label: 'Undo', run: () => this.stay(name) }, until: new Date(Date.now() + undoTime) });
  }

  stay(name: string): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
    this.names = new Set([...this.names].filter((n) => n !== name));
  }

  #go(name: string): void {
    this.stay(name);
    void this.#remove(name);
  }
}
