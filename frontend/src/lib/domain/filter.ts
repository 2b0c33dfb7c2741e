// The filters of the audit: as the page holds them, as the address and the API write them, and what they match.
import type { AuditRecord, Backend, RequestStatus } from '../api/types';
import { dayOf, two } from './units';

export interface Filter {
  model: string;
  backend: '' | Backend;
  status: '' | RequestStatus;
  endpoint: string;
  range: Range;
  /** For the range "custom": times of RFC 3339, or "" where it is open. */
  from: string;
  to: string;
}

export type Range = '' | 'hour' | 'day' | 'week' | 'month' | 'custom';

export const noFilter: Filter = { model: '', backend: '', status: '', endpoint: '', range: '', from: '', to: '' };

interface Choice<T extends string> {
  value: T;
  label: string;
}

export const backends: readonly Choice<Backend>[] = [
  { value: 'LOCAL', label: 'LOCAL' },
  { value: 'OPENAI', label: 'OPENAI' },
  { value: 'ANTHROPIC', label: 'ANTHROPIC' },
];

/** The first two are what people look for; error is every end but success. */
export const statuses: readonly Choice<RequestStatus>[] = [
  { value: 'success', label: 'success' },
  { value: 'error', label: 'error (any)' },
  { value: 'timeout', label: 'timeout' },
  { value: 'cancelled', label: 'cancelled' },
  { value: 'interrupted', label: 'interrupted' },
  { value: 'running', label: 'running' },
];

export const endpoints: readonly Choice<string>[] = [
  'chat/completions',
  'completions',
  'embeddings',
  'responses',
  'messages',
  'messages/count_tokens',
  'rerank',
].map((path) => ({ value: `/v1/${path}`, label: `/v1/${path}` }));

const hour = 3_600_000;
const presets: readonly (Choice<Range> & { ms: number })[] = [
  { value: 'hour', label: 'Last hour', ms: hour },
  { value: 'day', label: 'Last 24 hours', ms: 24 * hour },
  { value: 'week', label: 'Last 7 days', ms: 7 * 24 * hour },
  { value: 'month', label: 'Last 30 days', ms: 30 * 24 * hour },
];
export const ranges: readonly Choice<Range>[] = [...presets, { value: 'custom', label: 'From … to …' }];

export const isFiltered = (f: Filter): boolean => Object.values(f).some((v) => v !== '');

/** Reads a filter out of an address; what means nothing there is left out. */
export function fromAddress(query: URLSearchParams): Filter {
  const oneOf = <T extends string>(name: string, allowed: readonly Choice<T>[]): T | '' =>
    allowed.find((c) => c.value === query.get(name))?.value ?? '';
  const range = oneOf('range', ranges);
  const [from, to] = range === 'custom' ? [time(query.get('from')), time(query.get('to'))] : ['', ''];
  return {
    model: query.get('model') ?? '',
    backend: oneOf('backend', backends),
    status: oneOf('status', statuses),
    endpoint: oneOf('endpoint', endpoints),
    range,
    from,
    to: from && to && to <= from ? '' : to,
  };
}

/** A time as the API writes it, or "" when text is none. */
export function time(text: string | null): string {
  const at = new Date(text ?? '');
  const year = at.getFullYear();
  return year >= 1970 && year <= 9999 ? at.toISOString() : '';
}

/** The filter as an address has it: only what is chosen. */
export function toAddress(f: Filter): URLSearchParams {
  return new URLSearchParams(Object.entries(f).filter(([, v]) => v !== ''));
}

/** The filter as the API takes it. A range that is named ends now, so it begins at a time. */
export function toQuery(f: Filter, now: Date): Record<string, string> {
  const query: Record<string, string> = {};
  for (const name of ['model', 'backend', 'status', 'endpoint', 'from', 'to'] as const) if (f[name]) query[name] = f[name];
  const preset = presets.find((r) => r.value === f.range);
  if (preset) query.from = new Date(now.getTime() - preset.ms).toISOString();
  return query;
}

/** Whether a record that has just been heard of belongs to what is shown. It is new, so any named range has it. */
export function matches(f: Filter, r: AuditRecord): boolean {
  if (f.model && r.model !== f.model) return false;
  if (f.backend && r.backend !== f.backend) return false;
  if (f.endpoint && r.endpoint !== f.endpoint) return false;
  const at = new Date(r.started_at).getTime();
  if (f.from && at < new Date(f.from).getTime()) return false;
  if (f.to && at >= new Date(f.to).getTime()) return false;
  if (f.status === 'error') return r.status !== 'success' && r.status !== 'running';
  return f.status === '' || r.status === f.status;
}

/** A time as a field of the browser holds it, in the time of this place; "" is none. */
export function toField(at: string): string {
  if (!at) return '';
  const d = new Date(at);
  return `${dayOf(d)}T${two(d.getHours())}:${two(d.getMinutes())}`;
}
