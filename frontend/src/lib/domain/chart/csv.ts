// A chart's table as CSV (RFC 4180).
import type { Table } from './chart';

/** What a spreadsheet would take for a formula is text here: names come from whoever named a model or a run. */
const guarded = (text: string): string => (/^[=+\-@\t\r]/.test(text) && !/^[+-]?[\d.]+$/.test(text) ? `'${text}` : text);

const cell = (text: string): string => {
  const safe = guarded(text);
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

export function csv(table: Table): string {
  const lines = [table.columns.map((c) => c.label), ...table.rows];
  return lines.map((line) => `${line.map(cell).join(',')}\r\n`).join('');
}
