import { describe, expect, it } from 'vitest';
import { fromMinutes, toMinutes, typedNumber } from './minutes';

describe('minutes', () => {
  it.each([
    ['15m', 15],
    ['2h', 120],
    ['1h30m', 90],
    ['90s', 1.5],
    ['1m30s', 1.5],
    ['0.5h', 30],
    ['500ms', 0.5 / 60],
    ['', null],
    ['15', null],
    ['m', null],
    ['15m ', null],
    ['fifteen', null],
  ])('reads %s', (duration, minutes) => {
    const read = toMinutes(duration);
    if (minutes === null) expect(read).toBeNull();
    else expect(read).toBeCloseTo(minutes, 4);
  });

  it.each([
    [15, '15m'],
    [120, '120m'],
    [1.5, '90s'],
    [0.25, '15s'],
  ])('writes %s', (minutes, duration) => {
    expect(fromMinutes(minutes)).toBe(duration);
    expect(toMinutes(duration)).toBe(minutes);
  });

  it.each([
    ['18', 18],
    [' 2,5 ', 2.5],
    ['', null],
    ['ten', null],
    ['1e999', null],
  ])('takes what was typed: %s', (text, minutes) => expect(typedNumber(text)).toBe(minutes));
});
