import { expect, it } from 'vitest';
import type { AuditRecord } from '../api/types';
import { Pages, pageSize } from './pages';

const record = (id: number, status = 'success') => ({ id, status }) as AuditRecord;
const page = (n: number) => Array.from({ length: pageSize }, (_, i) => record(1_000_000 - n * pageSize - i));

it('gives the rows of the pages it has, and tells which are missing', () => {
  const pages = new Pages();
  pages.put(0, page(0));
  pages.put(2, page(2));
  expect(pages.row(7)?.id).toBe(999_993);
  expect(pages.row(150)).toBeUndefined();
  expect(pages.missing(50, 250)).toEqual([1]);
  expect(pages.missing(200, 300)).toEqual([]);
  expect(pages.missing(0, 0)).toEqual([]);
});

it('lets the pages go that were looked at least of late', () => {
  const pages = new Pages();
  for (let n = 0; n < 200; n++) {
    pages.put(n, page(n));
    pages.missing(0, 1); // the first one is in use
  }
  expect(pages.row(0)).toBeDefined();
  expect(pages.row(199 * pageSize)).toBeDefined();
  expect(pages.row(5 * pageSize)).toBeUndefined();
});

it('takes in how a request ended, and keeps it', () => {
  const pages = new Pages();
  pages.put(3, [record(9), record(8, 'running')]);
  expect(pages.renew(record(8, 'timeout'))).toBe(true);
  expect(pages.renew(record(8, 'running'))).toBe(true);
  expect(pages.row(3 * pageSize + 1)?.status).toBe('timeout');
  expect(pages.renew(record(7))).toBe(false);
});
