import { expect, it } from 'vitest';
import { gapAt, keyTo, landing, moved } from './reorder';

it.each([
  [0, 2, ['b', 'c', 'a', 'd']],
  [3, 0, ['d', 'a', 'b', 'c']],
  [1, 1, ['a', 'b', 'c', 'd']],
  [9, 0, ['a', 'b', 'c', 'd']],
])('takes the entry at %i to %i', (from, to, want) => {
  const list = ['a', 'b', 'c', 'd'];
  expect(moved(list, from, to)).toEqual(want);
  expect(list).toEqual(['a', 'b', 'c', 'd']);
});

// Rows of 10 from the top: their middles are at 5, 15 and 25.
it.each([
  [-3, 0],
  [4, 0],
  [6, 1],
  [24, 2],
  [99, 3],
])('finds the gap at %i', (y, want) => expect(gapAt([5, 15, 25], y)).toBe(want));

it.each([
  [1, 0, 0],
  [1, 1, 1], // before itself
  [1, 2, 1], // after itself
  [1, 3, 2],
  [0, 3, 2],
])('an entry from %i in gap %i lands at %i', (from, gap, want) => expect(landing(from, gap)).toBe(want));

it.each([
  ['ArrowUp', 1, 0],
  ['ArrowUp', 0, 0],
  ['ArrowDown', 1, 2],
  ['ArrowDown', 2, 2],
  ['Home', 2, 0],
  ['End', 0, 2],
  ['Enter', 1, null],
  ['toString', 1, null],
])('the key %s takes the entry at %i to %s', (key, at, want) => expect(keyTo(key, at, 3)).toBe(want));
