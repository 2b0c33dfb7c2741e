// The list of the last requests, as it is loaded and as it changes. Pure: each function gives a new list.
import type { AuditRecord } from '../api/types';

/** How many are shown; the audit itself has them all. */
export const shown = 50;

export type Change =
  | { type: 'loaded'; records: AuditRecord[] } // newest first, as GET /api/audit gives them
  | { type: 'heard'; record: AuditRecord }; // it began or ended just now

export function reduce(rows: AuditRecord[], change: Change): AuditRecord[] {
  const known = (record: AuditRecord) => rows.find((r) => r.id === record.id);
  if (change.type === 'heard') return ordered([...rows.filter((r) => r.id !== change.record.id), newer(known(change.record), change.record)]);
  // What was loaded is right about everything up to its newest record. Events may have told of
  // later ones, or of the end of one that still ran when the page was read.
  const newest = change.records[0]?.id ?? 0;
  const later = rows.filter((r) => r.id > newest);
  return ordered([...later, ...change.records.map((r) => newer(known(r), r))]);
}

/** An end stays, whatever is heard after it. */
export function newer(known: AuditRecord | undefined, record: AuditRecord): AuditRecord {
  return known && known.status !== 'running' && record.status === 'running' ? known : record;
}

function ordered(rows: AuditRecord[]): AuditRecord[] {
  return rows.sort((a, b) => b.id - a.id).slice(0, shown);
}

export const running = (rows: AuditRecord[]): number => rows.filter((r) => r.status === 'running').length;

/** How long a request took or, while it runs, has taken so far. */
export function elapsed(record: AuditRecord, now: Date): number | null {
  if (record.status !== 'running') return record.duration_ms;
  return Math.max(0, now.getTime() - new Date(record.started_at).getTime());
}
