// Which columns of the audit's table somebody wants to see; this browser remembers it.
import { chosen, columns, read, usual } from '../domain/columns';

const key = 'mlxbar.audit.columns';

class ColumnsState {
  #ids = $state.raw<readonly string[]>(read(stored()));

  readonly shown = $derived(chosen(this.#ids));
  readonly changed = $derived(this.#ids.join() !== usual.join());

  has = (id: string): boolean => this.#ids.includes(id);

  /** Shows or hides a column; the last one stays. */
  toggle(id: string): void {
    const ids = columns.map((c) => c.id).filter((c) => (c === id ? !this.has(c) : this.has(c)));
    if (ids.length > 0) this.#keep(ids);
  }

  reset(): void {
    this.#keep(usual);
  }

  #keep(ids: readonly string[]): void {
    this.#ids = ids;
    try {
      localStorage.setItem(key, JSON.stringify(ids));
    } catch {
      // Without a storage the choice lasts as long as the page.
    }
  }
}

function stored(): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

export const columnChoice = new ColumnsState();
