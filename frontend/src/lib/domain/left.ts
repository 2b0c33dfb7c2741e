// Whom a request was sent to elsewhere.
import type { AuditRecord } from '../api/types';
import { bytes } from './units';

/** Whom a request was sent to elsewhere, or "". */
export const leftTo = (r: AuditRecord): string => (r.left ?? []).map((d) => d.provider).join(', ');

/** Where a request went, and how much of it, for its details. */
export function departures(r: AuditRecord): { name: string; value: string }[] {
  const left = r.left ?? [];
  if (left.length === 0) return [{ name: 'Sent to', value: 'nobody' }];
  return left.map((d) => ({
    name: `Sent to ${d.provider}`,
    value: r.status === 'running' ? 'running' : `${bytes(d.bytes_out)} out, ${bytes(d.bytes_in)} in, ${d.http_status > 0 ? `answered ${d.http_status}` : 'no answer'}`,
  }));
}
