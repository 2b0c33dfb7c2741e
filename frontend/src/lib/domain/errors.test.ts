import { expect, it } from 'vitest';
import table from '../../../../backend/gateway/problem/kind.go?raw';
import type { AuditRecord } from '../api/types';
import { explain, grouped } from './errors';

const ended = (id: number, status: string, error_type = '', model = 'm') => ({ id, status, error_type, model }) as AuditRecord;

it('explains every kind of error that the server knows', () => {
  const kinds = [...table.matchAll(/^\t\w+ +(?:Kind )?= "([a-z-]+)"/gm)].map((m) => m[1] ?? '').filter((k) => k !== 'server-stopped');
  expect(kinds.length).toBeGreaterThan(15);
  for (const kind of kinds) expect(explain(ended(1, 'error', kind))?.what, kind).not.toMatch(/^It ended with/);
});

it.each([
  ['running', '', null],
  ['success', '', null],
  ['interrupted', '', 'The server ended'],
  ['timeout', 'timeout', 'The request took longer'],
  ['cancelled', '', 'The tool left'],
  ['error', 'of-tomorrow', 'of-tomorrow'],
])('explains %s %s', (status, type, want) => {
  const what = explain(ended(1, status, type))?.what;
  if (want === null) expect(what).toBeUndefined();
  else expect(what).toContain(want);
});

it('puts failures of one kind and model together, the latest first', () => {
  const groups = grouped([ended(5, 'error', 'timeout'), ended(4, 'success'), ended(3, 'error', 'internal'), ended(2, 'error', 'timeout'), ended(1, 'error', 'timeout', 'n')]);
  expect(groups.map((g) => [g.record.id, g.count])).toEqual([[5, 2], [3, 1], [1, 1]]);
});
