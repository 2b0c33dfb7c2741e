import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../api/types';
import { fromAddress, isFiltered, matches, noFilter, time, toAddress, toField, toQuery, type Filter } from './filter';

const at = '2026-01-02T03:04:05.000Z';
const record = (change: Partial<AuditRecord>) =>
  ({ model: 'm', backend: 'LOCAL', status: 'success', endpoint: '/v1/completions', started_at: at, ...change }) as AuditRecord;

describe('the address', () => {
  it.each<Filter>([
    { ...noFilter, model: 'a b&c', backend: 'OPENAI', status: 'timeout', endpoint: '/v1/messages/count_tokens', range: 'month' },
    { ...noFilter, range: 'custom', from: '2026-01-01T00:00:00.000Z', to: '2026-01-02T00:00:00.000Z' },
    { ...noFilter, range: 'custom', to: '2026-01-02T00:00:00.000Z' },
  ])('brings back every filter', (f) => expect(fromAddress(new URLSearchParams(toAddress(f).toString()))).toEqual(f));

  it('is empty where nothing is chosen', () => expect(toAddress(noFilter).toString()).toBe(''));

  it.each([
    'backend=MOON&status=fine&range=age&endpoint=/v1/moon&x=1',
    'backend=local',
    'range=day&from=2026-01-01T00:00:00Z#',
    'from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z',
  ])('leaves out what it does not know: %s', (query) => {
    const { range, ...rest } = fromAddress(new URLSearchParams(query.replace('#', '')));
    expect({ ...rest, range: range === 'day' ? '' : range }).toEqual(noFilter);
  });

  it.each([
    ['no time', 'soon', ''],
    ['a time before all times', '0001-01-01T00:00:00Z', ''],
    ['nothing', '', ''],
    ['a time of another place', '2026-01-02T05:04:05+02:00', at],
  ])('takes %s for what it is', (_, text, want) => expect(time(text)).toBe(want));

  it('leaves out an end that is before the beginning', () => {
    const query = new URLSearchParams({ range: 'custom', from: '2026-01-02T00:00:00Z', to: '2026-01-01T00:00:00Z' });
    expect(fromAddress(query)).toMatchObject({ from: '2026-01-02T00:00:00.000Z', to: '' });
  });
});

it('asks the API from a time on', () => {
  const now = new Date('2026-01-02T03:04:05.000Z');
  expect(toQuery({ ...noFilter, range: 'hour', status: 'error' }, now)).toEqual({ status: 'error', from: '2026-01-02T02:04:05.000Z' });
  expect(toQuery({ ...noFilter, range: 'custom', from: at }, now)).toEqual({ from: at });
  expect(toQuery(noFilter, now)).toEqual({});
});

it('knows whether anything is filtered', () => {
  expect(isFiltered(noFilter)).toBe(false);
  expect(isFiltered({ ...noFilter, range: 'day' })).toBe(true);
});

it('fills the browser’s field with the time of this place, and reads it back', () => {
  expect(time(toField(at))).toBe('2026-01-02T03:04:00.000Z'); // minutes are as far as the field goes
  expect(toField('')).toBe('');
});

it.each<[string, Partial<Filter>, Partial<AuditRecord>, boolean]>([
  ['anything', {}, {}, true],
  ['its model', { model: 'm' }, {}, true],
  ['another model', { model: 'n' }, {}, false],
  ['another backend', { backend: 'OPENAI' }, {}, false],
  ['its endpoint', { endpoint: '/v1/completions' }, {}, true],
  ['another endpoint', { endpoint: '/v1/rerank' }, {}, false],
  ['a success', { status: 'success' }, {}, true],
  ['an error, by its filter', { status: 'error' }, { status: 'error' }, true],
  ['a timeout, as an error', { status: 'error' }, { status: 'timeout' }, true],
  ['a timeout, by its own filter', { status: 'timeout' }, { status: 'timeout' }, true],
  ['an error, as a timeout', { status: 'timeout' }, { status: 'error' }, false],
  ['one that runs, as an error', { status: 'error' }, { status: 'running' }, false],
  ['one that runs, as a success', { status: 'success' }, { status: 'running' }, false],
  ['one that runs, by its filter', { status: 'running' }, { status: 'running' }, true],
  ['any, in a named range', { range: 'hour' }, { started_at: '2001-01-01T00:00:00Z' }, true],
  ['its first moment', { range: 'custom', from: at }, {}, true],
  ['its last moment', { range: 'custom', to: at }, {}, false],
])('matches %s', (_, filter, change, matched) => expect(matches({ ...noFilter, ...filter }, record(change))).toBe(matched));
