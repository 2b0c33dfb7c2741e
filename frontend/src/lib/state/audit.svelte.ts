// The audit as the page shows it: sums and records for what was chosen. The records are those up to one
// moment, read page by page as they come into sight, with newer ones that are heard live on top.
import { getAudit, getAuditModels, getStats } from '../api/client';
import { isAbort, sentence } from '../api/problem';
import type { AuditRecord, AuditStats } from '../api/types';
import { matches, noFilter, toQuery, type Filter } from '../domain/filter';
import { isNewestFirst, newestFirst, type Order } from '../domain/order';
import { Pages, pageSize } from '../domain/pages';
import { newer } from '../domain/requests';

const sumEvery = 400; // many requests at once cost one question
const settled = 60; // rows that only fly past are not read
const renewEvery = 1000;
const mostOnTop = 200;
/** New records are counted up to here. */
export const mostFresh = 1000;

class AuditState {
  filter = $state.raw<Filter>(noFilter);
  order = $state.raw<Order>(newestFirst);
  stats = $state.raw<AuditStats | null>(null);
  models = $state.raw<string[]>([]);
  loaded = $state(false);
  loading = $state(false);
  problem = $state('');
  /** Nothing new comes in until somebody resumes. */
  paused = $state(false);
  /** The table's top is in sight, so what is new may come in there. */
  atTop = $state(true);
  /** Counts the lists: a new one is shown from its top. */
  list = $state(0);

  #onTop = $state.raw<AuditRecord[]>([]);
  #below = $state(0);
  #fresh = $state.raw<ReadonlySet<number>>(new Set());
  #version = $state(0);
  #pages = new Pages();
  /** What the pages are pages of: the filter and order that were chosen when the list was read. */
  #query: Record<string, string> = {};
  #until = 0;
  readonly #reading = new Map<number, AbortController>();
  #wanted: [first: number, last: number] = [0, 0];
  #soon: ReturnType<typeof setTimeout> | undefined;

  /** Counts what was asked, so that an answer that comes late does not cover a later one's. */
  #asked = 0;
  #sums = 0;
  /** What is shown is not what is chosen: the list of that could not be read. */
  #stale = false;
  #since: AuditRecord[] = []; // heard since then
  #summing: ReturnType<typeof setTimeout> | undefined;
  #renewing: ReturnType<typeof setTimeout> | undefined;

  /** How many rows newer than the list stand on top of it. */
  readonly onTop = $derived(this.#onTop.length);
  readonly count = $derived(this.#onTop.length + this.#below);
  /** How many records came that are not shown yet. */
  readonly fresh = $derived(this.#fresh.size);

  /** The record in row i of the list; undefined while it is not read. */
  row(i: number): AuditRecord | undefined {
    void this.#version;
    return this.#onTop[i] ?? this.#pages.row(i - this.#onTop.length);
  }

  /** Shows what is chosen, from the top. */
  async show(filter: Filter, order: Order): Promise<void> {
    this.filter = filter;
    this.order = order;
    if (await this.#read()) this.list++;
  }

  /** Reads the same list anew, with all that came since. */
  async renew(): Promise<void> {
    if (await this.#read()) this.list++;
  }

  pause(): void {
    this.paused = true;
  }

  async resume(): Promise<void> {
    this.paused = false;
    if (this.fresh > 0) await this.renew();
    else this.#sumSoon();
  }

  async #read(): Promise<boolean> {
    const asked = ++this.#asked;
    this.#since = [];
    this.loading = true;
    const query = toQuery(this.filter, new Date());
    const list = { ...query, ...this.order };
    try {
      const [page, stats, models] = await Promise.all([getAudit(pageSize, { ...list, offset: '0' }), getStats(query), getAuditModels()]);
      if (asked !== this.#asked) return false;
      this.#stopReading();
      this.#pages = new Pages();
      this.#pages.put(0, page.records);
      this.#query = list;
      this.#until = page.until;
      this.#below = page.records.length < pageSize ? page.records.length : Math.max(stats.total, page.records.length);
      this.#onTop = [];
      this.#fresh = new Set();
      this.#sums++;
      this.stats = stats;
      this.models = models;
      this.problem = '';
      this.#stale = false;
      this.loaded = true;
      for (const record of this.#since) this.#take(record);
      if (this.#since.length > 0 && !this.paused) this.#sumSoon(); // the sums may be from before it
      this.#version++;
      return true;
    } catch (error) {
      if (asked !== this.#asked) return false;
      this.problem = sentence(error);
      this.#stale = true;
      return false;
    } finally {
      if (asked === this.#asked) this.loading = false;
    }
  }

  /** Says which rows are in sight, the last excluded. Others that are on their way are given up. */
  want(first: number, last: number): void {
    const top = this.#onTop.length;
    this.#wanted = [Math.max(0, first - top - pageSize / 2), Math.min(this.#below, last - top + pageSize / 2)];
    const missing = this.#pages.missing(...this.#wanted);
    for (const [page, control] of this.#reading) if (!missing.includes(page)) control.abort();
    clearTimeout(this.#soon);
    if (missing.some((page) => !this.#reading.has(page))) this.#soon = setTimeout(() => this.#readWanted(), settled);
  }

  /** Tries once more to read what could not be read. */
  again(): void {
    if (this.#stale) {
      void this.renew(); // which says itself when it is well
      return;
    }
    this.problem = '';
    this.#readWanted();
  }

  #readWanted(): void {
    for (const page of this.#pages.missing(...this.#wanted)) if (!this.#reading.has(page)) void this.#readPage(page);
  }

  async #readPage(page: number): Promise<void> {
    const control = new AbortController();
    const pages = this.#pages;
    this.#reading.set(page, control);
    try {
      const offset = page * pageSize;
      const query = { ...this.#query, until: String(this.#until), offset: String(offset) };
      const { records, next } = await getAudit(pageSize, query, control.signal);
      if (pages !== this.#pages) return;
      pages.put(page, records);
      // The sums were read at another moment than the list, and old records leave it.
      if (records.length < pageSize) this.#below = Math.min(this.#below, offset + records.length);
      else if (next && this.#below <= offset + pageSize) this.#below = offset + pageSize + 1;
      this.#version++;
    } catch (error) {
      if (!isAbort(error) && pages === this.#pages) this.problem = sentence(error);
    } finally {
      if (this.#reading.get(page) === control) this.#reading.delete(page);
    }
  }

  #stopReading(): void {
    clearTimeout(this.#soon);
    for (const control of this.#reading.values()) control.abort();
    this.#reading.clear();
  }

  /** Takes in a request that began or ended just now. */
  heard(record: AuditRecord): void {
    if (this.loading) this.#since.push(record);
    if (!this.loaded) return;
    this.#take(record);
    if (record.model && !this.models.includes(record.model)) this.models = [...this.models, record.model].sort();
    if (!this.paused) this.#sumSoon();
  }

  #take(record: AuditRecord): void {
    const at = this.#onTop.findIndex((r) => r.id === record.id);
    if (at >= 0) {
      this.#onTop = this.#onTop.map((r, i) => (i === at ? newer(r, record) : r));
    } else if (this.#pages.renew(record)) {
      this.#version++;
    } else if (matches(this.filter, record)) {
      // Up to the moment of the list, only its end can have brought it in.
      if (record.id <= this.#until && this.filter.status === '') return;
      this.#add(record);
    }
  }

  #add(record: AuditRecord): void {
    const live = !this.paused && this.atTop && isNewestFirst(this.order);
    if (live && record.id > this.#until && this.fresh === 0) {
      this.#onTop = [...this.#onTop, record].sort((a, b) => b.id - a.id);
      if (this.#onTop.length > mostOnTop) this.#renewSoon();
      return;
    }
    if (this.fresh < mostFresh) this.#fresh = new Set([...this.#fresh, record.id]);
    if (live) this.#renewSoon(); // only a new list has it in its place
  }

  #renewSoon(): void {
    this.#renewing ??= setTimeout(() => {
      this.#renewing = undefined;
      if (!this.paused && this.atTop) void this.renew();
    }, renewEvery);
  }

  #sumSoon(): void {
    this.#summing ??= setTimeout(() => {
      this.#summing = undefined;
      const sums = ++this.#sums;
      const asked = this.#asked;
      getStats(toQuery(this.filter, new Date())).then(
        (stats) => {
          if (asked === this.#asked && sums === this.#sums && !this.paused) this.stats = stats;
        },
        () => undefined, // the next one that ends asks again
      );
    }, sumEvery);
  }
}

export const audit = new AuditState();
