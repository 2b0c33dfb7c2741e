import { describe, expect, it } from 'vitest';
import { difference, merged, patchAt, paths, valueAt, type Json } from './patch';

const changes: [string, Json, Json, Json | undefined][] = [
  ['nothing', { a: 1, b: [1, 2] }, { a: 1, b: [1, 2] }, undefined],
  ['a value', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
  ['a value inside', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, { a: { c: 3 } }],
  ['a list as a whole', { a: [1, 2] }, { a: [2] }, { a: [2] }],
  ['a member that went', { a: 1, b: 2 }, { a: 1 }, { b: null }],
  ['a member that came', { a: 1 }, { a: 1, b: {} }, { b: {} }],
];

describe('a patch', () => {
  it.each(changes)('is found: %s', (_, from, to, patch) => expect(difference(from, to)).toEqual(patch));
  it.each(changes)('is applied: %s', (_, from, to, patch) => expect(merged(from, patch)).toEqual(to));

  it('leaves what it is applied to alone', () => {
    const from = { a: { b: 1 } };
    merged(from, { a: { b: 2 } });
    expect(from).toEqual({ a: { b: 1 } });
  });

  it('names the places that it changes', () => {
    expect(paths({ timeouts: { chat: '18m', idle: '1m' }, routes: [] })).toEqual(['timeouts.chat', 'timeouts.idle', 'routes']);
    expect(paths(undefined)).toEqual([]);
  });

  it('can be made for one place', () => expect(patchAt('engines.llamacpp.threads', 2)).toEqual({ engines: { llamacpp: { threads: 2 } } }));
});

it('finds what stands at a path', () => {
  const json: Json = { a: { b: [1] } };
  expect(valueAt(json, 'a.b')).toEqual([1]);
  expect(valueAt(json, 'a.c')).toBeUndefined();
  expect(valueAt(json, 'a.b.c')).toBeUndefined();
  expect(valueAt(undefined, 'a')).toBeUndefined();
});
