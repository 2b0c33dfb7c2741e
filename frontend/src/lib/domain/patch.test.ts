import { describe, expect, it } from 'vitest';
import { difference, paths, type Json } from './patch';

describe('difference', () => {
  it.each<[string, Json, Json, Json | undefined]>([
    ['nothing', { a: 1, b: [1, 2] }, { a: 1, b: [1, 2] }, undefined],
    ['a value', { a: 1, b: 2 }, { a: 1, b: 3 }, { b: 3 }],
    ['a value inside', { a: { b: 1, c: 2 } }, { a: { b: 1, c: 3 } }, { a: { c: 3 } }],
    ['a list as a whole', { a: [1, 2] }, { a: [2] }, { a: [2] }],
    ['a member that went', { a: 1, b: 2 }, { a: 1 }, { b: null }],
    ['a member that came', { a: 1 }, { a: 1, b: {} }, { b: {} }],
  ])('finds %s', (_, from, to, patch) => expect(difference(from, to)).toEqual(patch));
});

it('names the places that a patch changes', () => {
  expect(paths({ timeouts: { chat: '18m', idle: '1m' }, routes: [] })).toEqual(['timeouts.chat', 'timeouts.idle', 'routes']);
  expect(paths(undefined)).toEqual([]);
});
