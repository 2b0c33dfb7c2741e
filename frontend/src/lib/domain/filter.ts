// The filters of the audit: as the page holds them, as the address and the API write them, and what they match.
import type { AuditRecord, Backend } from '../api/types';

export interface Filter {
  model: string;
  backend: '' | Backend;
  status: '' | 'success' | 'error';
  range: Range;
}

export type Range = '' | 'hour' | 'day' | 'week';

export const noFilter: Filter = { model: '', backend: '', status: '', range: '' };

export const backends: readonly Backend[] = ['LOCAL', 'OPENAI', 'ANTHROPIC'];
export const statuses = ['success', 'error'] as const;
export const ranges: readonly { value: Range; label: string; ms: number }[] = [
  { value: 'hour', label: 'Last hour', ms: 3_600_000 },
  { value: 'day', label: 'Last 24 hours', ms: 86_400_000 },
  { value: 'week', label: 'Last 7 days', ms: 604_800_000 },
];

export const isFiltered = (f: Filter): boolean => Object.values(f).some((v) => v !== '');

/** Reads a filter out of an address; what means nothing there is left out. */
export function fromAddress(query: URLSearchParams): Filter {
  const oneOf = <T extends string>(name: string, allowed: readonly T[]): T | '' => allowed.find((v) => v === query.get(name)) ?? '';
  return {
    model: query.get('model') ?? '',
    backend: oneOf('backend', backends),
    status: oneOf('status', statuses),
    range: oneOf('range', ranges.map((r) => r.value)),
  };
}

/** The filter as an address has it: only what is chosen. */
export function toAddress(f: Filter): URLSearchParams {
  return new URLSearchParams(Object.entries(f).filter(([, v]) => v !== ''));
}

/** The filter as the API takes it. A range ends now, so it begins at a time. */
export function toQuery(f: Filter, now: Date): Record<string, string> {
  const query: Record<string, string> = {};
  if (f.model) query.model = f.model;
  if (f.backend) query.backend = f.backend;
  if (f.status) query.status = f.status;
  const range = ranges.find((r) => r.value === f.range);
  if (range) query.from = new Date(now.getTime() - range.ms).toISOString();
  return query;
}

/** Whether a record that has just been heard of belongs to what is shown. It is new, so any range has it. */
export function matches(f: Filter, r: AuditRecord): boolean {
  if (f.model && r.model !== f.model) return false;
  if (f.backend && r.backend !== f.backend) return false;
  if (f.status === 'success') return r.status === 'success';
  if (f.status === 'error') return r.status !== 'success' && r.status !== 'running';
  return true;
}
