import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../api/types';
import { fromAddress, isFiltered, matches, noFilter, toAddress, toQuery, type Filter } from './filter';

const record = (change: Partial<AuditRecord>) => ({ model: 'm', backend: 'LOCAL', status: 'success', ...change }) as AuditRecord;

describe('the address', () => {
  it('brings back every filter', () => {
    const f: Filter = { model: 'a b&c', backend: 'OPENAI', status: 'error', range: 'day' };
    expect(fromAddress(new URLSearchParams(toAddress(f).toString()))).toEqual(f);
    expect(toAddress(noFilter).toString()).toBe('');
  });

  it('leaves out what it does not know', () => {
    expect(fromAddress(new URLSearchParams('backend=MOON&status=fine&range=age&x=1'))).toEqual(noFilter);
  });
});

it('asks the API from a time on', () => {
  const now = new Date('2026-01-02T03:04:05.000Z');
  expect(toQuery({ ...noFilter, range: 'hour', status: 'error' }, now)).toEqual({ status: 'error', from: '2026-01-02T02:04:05.000Z' });
  expect(toQuery(noFilter, now)).toEqual({});
});

it('knows whether anything is filtered', () => {
  expect(isFiltered(noFilter)).toBe(false);
  expect(isFiltered({ ...noFilter, range: 'day' })).toBe(true);
});

it.each<[string, Partial<Filter>, Partial<AuditRecord>, boolean]>([
  ['anything', {}, {}, true],
  ['its model', { model: 'm' }, {}, true],
  ['another model', { model: 'n' }, {}, false],
  ['another backend', { backend: 'OPENAI' }, {}, false],
  ['a success', { status: 'success' }, {}, true],
  ['an error, by its filter', { status: 'error' }, { status: 'error' }, true],
  ['a timeout, as an error', { status: 'error' }, { status: 'timeout' }, true],
  ['one that runs, as an error', { status: 'error' }, { status: 'running' }, false],
  ['one that runs, as a success', { status: 'success' }, { status: 'running' }, false],
])('matches %s', (_, filter, change, matched) => expect(matches({ ...noFilter, ...filter }, record(change))).toBe(matched));
