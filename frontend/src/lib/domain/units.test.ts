import { describe, expect, test } from 'vitest';
import { ago, bytes, clock, duration, money, moment, parameters, percent, rate, tokens } from './units';

test.each([
  [0, '0 ms'],
  [38.4, '38 ms'],
  [940, '940 ms'],
  [999.6, '1.0 s'],
  [1234, '1.2 s'],
  [31_000, '31.0 s'],
  [59_960, '1 min 0 s'],
  [125_000, '2 min 5 s'],
  [3_780_000, '1 h 3 min'],
  [null, '–'],
  [undefined, '–'],
  [-1, '–'],
])('duration %s is %s', (ms, want) => expect(duration(ms)).toBe(want));

test.each([
  [0, '0'],
  [612, '612'],
  [999, '999'],
  [1000, '1.0k'],
  [3412, '3.4k'],
  [99_960, '100k'],
  [1_234_567, '1.2M'],
  [999_949_999, '999.9M'],
  [1_441_300_000, '1.4B'],
  [null, '–'],
])('tokens %s are %s', (n, want) => expect(tokens(n)).toBe(want));

test.each([
  [68.4, '68 tokens/s'],
  [7.42, '7.4 tokens/s'],
  [0, '0 tokens/s'],
  [Infinity, '–'],
  [null, '–'],
])('rate %s is %s', (n, want) => expect(rate(n)).toBe(want));

test.each([
  [12, '12 B'],
  [98_000_000, '98 MB'],
  [338_400_000, '338 MB'],
  [4_720_000_000, '4.7 GB'],
  [null, '–'],
])('bytes %s are %s', (n, want) => expect(bytes(n)).toBe(want));

test.each([
  [0, '0 %'],
  [0.42, '0.4 %'],
  [12.4, '12 %'],
  [180, '180 %'],
  [null, '–'],
])('percent %s is %s', (n, want) => expect(percent(n)).toBe(want));

test('a moment is told exactly', () => {
  expect(moment(new Date(2026, 10, 24, 14, 2, 51, 7))).toBe('24 Nov 2026, 14:02:51.007');
  expect(moment(new Date('no date'))).toBe('–');
});

describe('times', () => {
  const now = new Date(2026, 10, 24, 14, 2, 51);
  test.each([
    [new Date(2026, 10, 24, 9, 5, 7), '09:05:07'],
    [new Date(2026, 10, 23, 9, 5, 7), '23 Nov 09:05'],
    [new Date(2025, 0, 2, 9, 5, 7), '2 Jan 2025 09:05'],
    [new Date('no date'), '–'],
  ])('%s on the clock is %s', (at, want) => expect(clock(at, now)).toBe(want));

  test.each([
    [0, 'just now'],
    [40, '40 s ago'],
    [301, '5 min ago'],
    [3 * 3600, '3 h ago'],
    [86_400, '1 day ago'],
    [200_000, '2 days ago'],
    [-30, 'just now'],
  ])('%s seconds back is %s', (seconds, want) => expect(ago(new Date(now.getTime() - seconds * 1000), now)).toBe(want));
});

test.each([
  [null, '–'],
  [undefined, '–'],
  [0, '$0'],
  [0.00001, 'under $0.0001'],
  [0.00312, '$0.0031'],
  [0.0099, '$0.0099'],
  [0.00999, '$0.01'],
  [1.236, '$1.24'],
  [1204.5, '$1,204.50'],
])('writes %s dollars as %s', (usd, text) => {
  expect(money(usd)).toBe(text);
});

test.each([
  [0, '–'],
  [900_000, '900k'],
  [134_515_008, '135M'],
  [1_235_814_400, '1.2B'],
  [70_553_706_496, '71B'],
])('parameters %s are %s', (n, want) => expect(parameters(n)).toBe(want));
