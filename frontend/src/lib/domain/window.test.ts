import { describe, expect, it } from 'vitest';
import { at, boxHeight, inSight, reveal, scrolled, stepped, tallest, type Frame, type Position } from './window';

const short: Frame = { count: 1000, rowHeight: 30, view: 300 };
const long: Frame = { ...short, count: 1_000_000 };
const start: Position = { top: 0, scroll: 0 };
const end = (f: Frame) => f.count * f.rowHeight - f.view;

describe('a list that a browser can hold', () => {
  it('has a box of its own height, and the same place in it', () => {
    expect(boxHeight(short)).toBe(30_000);
    for (const top of [0, 17, 12_345, end(short)]) {
      expect(at(short, top)).toEqual({ top, scroll: top });
      expect(scrolled(short, start, top)).toEqual({ top, scroll: top });
    }
  });
});

describe('a list that no browser can hold', () => {
  it('has the tallest box, whose ends are the ends of the list', () => {
    expect(boxHeight(long)).toBe(tallest);
    expect(at(long, end(long))).toEqual({ top: end(long), scroll: tallest - long.view });
    expect(scrolled(long, start, tallest - long.view).top).toBe(end(long));
    expect(scrolled(long, at(long, 9_000_000), 0)).toEqual(start);
  });

  it('goes pixel by pixel for small moves, so that no row is passed over', () => {
    let position = at(long, 15_000_000);
    const from = position.top;
    for (let n = 1; n <= 50; n++) position = scrolled(long, position, position.scroll + 100);
    expect(position.top).toBe(from + 5000);
    for (let n = 1; n <= 50; n++) position = scrolled(long, position, position.scroll - 100);
    expect(position.top).toBe(from);
  });

  it('goes to the same share of the list for a great one', () => {
    const half = scrolled(long, start, (tallest - long.view) / 2);
    expect(half.top).toBeCloseTo(end(long) / 2, 0);
  });

  it('keeps the place when the box is put right afterwards', () => {
    const moved = scrolled(long, at(long, 15_000_000), at(long, 15_000_000).scroll + 250);
    expect(at(long, moved.top).top).toBe(moved.top);
  });
});

it.each<[string, Frame, number, number, number, number]>([
  ['at the top', short, 0, 0, 10, 0],
  ['between two rows', short, 45, 1, 12, 15],
  ['at the end', short, end(short), 990, 1000, 0],
  ['of a short list', { ...short, count: 3 }, 0, 0, 3, 0],
  ['of an empty list', { ...short, count: 0 }, 0, 0, 0, 0],
])('knows the rows in sight %s', (_, f, top, first, last, above) => expect(inSight(f, top)).toEqual({ first, last, above }));

it.each([
  ['above', 600, 10, 300],
  ['below', 0, 10, 30],
  ['in sight', 600, 25, 600],
  ['cut by the upper edge', 615, 20, 600],
])('moves no more than needed to a row that is %s', (_, top, row, want) => expect(reveal(short, top, row)).toBe(want));

it.each<[string, number, number | null]>([
  ['ArrowDown', 11, 12],
  ['ArrowUp', 0, 0],
  ['PageDown', 11, 20],
  ['PageUp', 4, 0],
  ['Home', 500, 0],
  ['End', 0, 999],
  ['ArrowDown', 999, 999],
  ['x', 4, null],
])('%s leads from row %i to %s', (key, row, want) => expect(stepped(key, row, short)).toBe(want));

it('leads nowhere in an empty list', () => expect(stepped('ArrowDown', -1, { ...short, count: 0 })).toBeNull());
