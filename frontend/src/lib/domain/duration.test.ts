import { describe, expect, it } from 'vitest';
import { split, spoken, written, type Unit } from './duration';

describe('a duration', () => {
  it.each<[string, number, Unit]>([
    ['10s', 10, 's'],
    ['90s', 90, 's'],
    ['5m', 5, 'm'],
    ['60s', 1, 'm'],
    ['1h30m', 90, 'm'],
    ['2h', 2, 'h'],
    ['1.5s', 1500, 'ms'],
    ['0s', 0, 's'],
  ])('%s is read as %d %s', (duration, amount, unit) => {
    expect(split(duration)).toEqual({ amount, unit });
  });

  it.each(['', 'soon', '5', '5 m'])('"%s" is none', (text) => {
    expect(split(text)).toBeNull();
    expect(spoken(text)).toBe(text);
  });

  it.each<[number, Unit, string]>([
    [10, 's', '10s'],
    [2.5, 'm', '150s'],
    [0.0005, 'm', '30ms'],
    [1.25, 's', '1250ms'],
  ])('%d %s is written as %s', (amount, unit, text) => expect(written({ amount, unit })).toBe(text));

  it('is told with its unit', () => expect([spoken('10s'), spoken('5m'), spoken('120m')]).toEqual(['10 s', '5 min', '2 h']));
});
