// A bounded store of the pages of a long list: those looked at last stay, older ones go.
import type { AuditRecord } from '../api/types';
import { newer } from './requests';

export const pageSize = 100;

const most = 40;

export class Pages {
  readonly #pages = new Map<number, AuditRecord[]>(); // the one used last is last

  row(i: number): AuditRecord | undefined {
    return this.#pages.get(Math.floor(i / pageSize))?.[i % pageSize];
  }

  put(page: number, records: AuditRecord[]): void {
    this.#pages.delete(page);
    this.#pages.set(page, records);
    for (const oldest of this.#pages.keys()) {
      if (this.#pages.size <= most) break;
      this.#pages.delete(oldest);
    }
  }

  /** The pages that rows first to last, which is excluded, need and that are not here; those here count as used. */
  missing(first: number, last: number): number[] {
    const wanted: number[] = [];
    for (let p = Math.floor(first / pageSize); p * pageSize < last; p++) {
      const records = this.#pages.get(p);
      if (records) this.put(p, records);
      else wanted.push(p);
    }
    return wanted;
  }

  /** Puts a newer state of a record in its place; false when it is not here. */
  renew(record: AuditRecord): boolean {
    for (const [page, records] of this.#pages) {
      const at = records.findIndex((r) => r.id === record.id);
      if (at < 0) continue;
      const renewed = [...records];
      renewed[at] = newer(records[at], record);
      this.#pages.set(page, renewed);
      return true;
    }
    return false;
  }
}
