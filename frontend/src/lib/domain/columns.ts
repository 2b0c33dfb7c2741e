// The columns of the audit's table: what each is called, how wide it is, what it says.
import type { AuditRecord } from '../api/types';
import type { SortKey } from './order';
import { elapsed } from './requests';
import { leftTo } from './left';
import { clock, duration, money, rate, tokens, unknown } from './units';

export interface Column {
  id: string;
  label: string;
  /** In pixels. A column that grows takes what is left, and no less than this. */
  width: number;
  /** Where there is little room. */
  tight?: number;
  grows?: boolean;
  number?: boolean;
  sort?: SortKey;
  /** Shown unless somebody chose otherwise. */
  usual?: boolean;
  text: (r: AuditRecord, now: Date) => string;
}

const count = (n: number | null): string => (n === null ? unknown : tokens(n));
const perSecond = (n: number | null, ms: number | null): string => (n === null || !ms ? unknown : rate((1000 * n) / ms));

export const columns: readonly Column[] = [
  { id: 'started_at', label: 'Timestamp', width: 110, tight: 106, sort: 'started_at', usual: true, text: (r, now) => clock(new Date(r.started_at), now) },
  { id: 'model', label: 'Model', width: 132, tight: 104, grows: true, sort: 'model', usual: true, text: (r) => r.model || unknown },
  { id: 'backend', label: 'Backend', width: 92, tight: 84, sort: 'backend', usual: true, text: (r) => r.backend },
  { id: 'endpoint', label: 'Endpoint', width: 168, tight: 122, sort: 'endpoint', usual: true, text: (r) => r.endpoint },
  { id: 'duration_ms', label: 'Duration', width: 90, tight: 76, number: true, sort: 'duration_ms', usual: true, text: (r, now) => duration(elapsed(r, now)) },
  { id: 'status', label: 'Status', width: 100, tight: 88, usual: true, text: (r) => r.status },
  { id: 'total_tokens', label: 'Tokens', width: 80, tight: 70, number: true, sort: 'total_tokens', usual: true, text: (r) => count(r.total_tokens) },
  { id: 'client', label: 'Client', width: 150, text: (r) => r.client || unknown },
  { id: 'provider', label: 'Provider', width: 110, text: (r) => r.provider || unknown },
  { id: 'served_model', label: 'Served model', width: 160, text: (r) => r.served_model || unknown },
  { id: 'ttft_ms', label: 'First token', width: 96, number: true, text: (r) => duration(r.ttft_ms) },
  { id: 'prompt_rate', label: 'Prompt rate', width: 112, number: true, text: (r) => perSecond(r.prompt_tokens, r.prompt_ms) },
  { id: 'generation_rate', label: 'Generation rate', width: 124, number: true, text: (r) => perSecond(r.completion_tokens, r.generation_ms) },
  { id: 'prompt_tokens', label: 'Prompt tokens', width: 112, number: true, text: (r) => count(r.prompt_tokens) },
  { id: 'completion_tokens', label: 'Completion tokens', width: 136, number: true, text: (r) => count(r.completion_tokens) },
  { id: 'cached_tokens', label: 'Cached tokens', width: 112, number: true, text: (r) => count(r.cached_tokens) },
  { id: 'cost_usd', label: 'Cost', width: 90, number: true, text: (r) => money(r.cost_usd) },
  { id: 'left', label: 'Left to', width: 120, text: (r) => leftTo(r) || unknown },
  { id: 'attempts', label: 'Attempts', width: 80, number: true, text: (r) => String(r.attempts) },
  { id: 'http_status', label: 'HTTP status', width: 96, number: true, text: (r) => String(r.http_status ?? unknown) },
  { id: 'error_type', label: 'Error type', width: 160, text: (r) => r.error_type || unknown },
];

export const usual: readonly string[] = columns.filter((c) => c.usual).map((c) => c.id);

/** The columns with these ids, always in the table's own order: a column keeps its place. */
export const chosen = (ids: readonly string[]): Column[] => columns.filter((c) => ids.includes(c.id));

/** What was kept of a choice. Columns that there are no more are left out, and a table without any is none. */
export function read(stored: string | null): readonly string[] {
  try {
    const ids: unknown = JSON.parse(stored ?? 'null');
    if (!Array.isArray(ids)) return usual;
    const known = columns.filter((c) => ids.includes(c.id)).map((c) => c.id);
    return known.length > 0 ? known : usual;
  } catch {
    return usual;
  }
}

export const widthOf = (c: Column, tight: boolean): number => (tight ? (c.tight ?? c.width) : c.width);

/** The least width of a table of these columns. */
export const leastWidth = (shown: readonly Column[], tight: boolean): number => shown.reduce((sum, c) => sum + widthOf(c, tight), 0);
