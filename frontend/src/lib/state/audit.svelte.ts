// The audit as the page shows it: sums and records for the chosen filter, with what is heard live on top.
import { getAudit, getAuditModels, getStats } from '../api/client';
import { sentence } from '../api/problem';
import type { AuditRecord, AuditStats } from '../api/types';
import { matches, noFilter, toQuery, type Filter } from '../domain/filter';

const pageSize = 100;

class AuditState {
  filter = $state.raw<Filter>(noFilter);
  stats = $state.raw<AuditStats | null>(null);
  records = $state.raw<AuditRecord[]>([]);
  models = $state.raw<string[]>([]);
  next = $state('');
  loading = $state(false);
  loaded = $state(false);
  problem = $state('');

  /** Counts what was asked, so that an answer that comes late does not cover a later one's. */
  #asked = 0;
  #summing: ReturnType<typeof setTimeout> | undefined;

  async show(filter: Filter): Promise<void> {
    const asked = ++this.#asked;
    this.filter = filter;
    this.loading = true;
    try {
      const query = toQuery(filter, new Date());
      const [page, stats, models] = await Promise.all([getAudit(pageSize, query), getStats(query), getAuditModels()]);
      if (asked !== this.#asked) return;
      this.records = page.records;
      this.next = page.next;
      this.stats = stats;
      this.models = models;
      this.problem = '';
      this.loaded = true;
    } catch (error) {
      if (asked === this.#asked) this.problem = sentence(error);
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }

  async more(): Promise<void> {
    if (!this.next || this.loading) return;
    const asked = this.#asked;
    this.loading = true;
    try {
      const page = await getAudit(pageSize, toQuery(this.filter, new Date()), this.next);
      if (asked !== this.#asked) return;
      this.records = [...this.records, ...page.records];
      this.next = page.next;
    } catch (error) {
      this.problem = sentence(error);
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }

  /** Takes in a request that began or ended just now. */
  heard(record: AuditRecord): void {
    if (!this.loaded) return;
    const at = this.records.findIndex((r) => r.id === record.id);
    if (at >= 0) {
      const shown = matches(this.filter, record) ? [record] : [];
      this.records = this.records.flatMap((r, i) => (i === at ? shown : r));
    } else if (matches(this.filter, record) && record.id > (this.records[0]?.id ?? 0)) {
      this.records = [record, ...this.records];
    }
    if (record.model && !this.models.includes(record.model)) this.models = [...this.models, record.model].sort();
    this.#sumSoon();
  }

  /** The sums are the server's; many requests at once cost one question. */
  #sumSoon(): void {
    this.#summing ??= setTimeout(() => {
      this.#summing = undefined;
      const asked = this.#asked;
      getStats(toQuery(this.filter, new Date())).then(
        (stats) => {
          if (asked === this.#asked) this.stats = stats;
        },
        (error: unknown) => (this.problem = sentence(error)),
      );
    }, 300);
  }
}

export const audit = new AuditState();
