import { expect, it } from 'vitest';
import { byMinute, lastMinute, series, spanSeconds, stepSeconds, withPoint, type Point } from './series';

const now = new Date('2026-11-24T14:10:03Z');
const point = (secondsAgo: number, requests: number, tokens: number): Point => ({
  at: new Date(Date.parse('2026-11-24T14:10:00Z') - secondsAgo * 1000).toISOString(), requests, tokens,
});

it('has a value for every step up to now, nothing where nothing was counted', () => {
  const s = series([point(10, 2, 40), point(0, 1, 5)], now);
  expect(s.times).toHaveLength(spanSeconds / stepSeconds);
  expect(s.times.at(-1)).toBe(Date.parse('2026-11-24T14:10:00Z') / 1000);
  expect(s.perMinute.slice(-3)).toEqual([24, 0, 12]);
  expect(s.tokensPerSecond.slice(-3)).toEqual([8, 0, 1]);
  expect(s.perMinute.slice(0, -3).every((v) => v === 0)).toBe(true);
});

it('does not lose what the server counted when its clock is ahead', () => {
  expect(series([point(-30, 1, 10)], now).tokensPerSecond.at(-1)).toBe(2);
});

it('takes the newest point for the one that it fills, and lets old ones go', () => {
  let points = [point(700, 1, 1), point(5, 1, 1)];
  points = withPoint(points, point(0, 1, 10));
  points = withPoint(points, point(0, 2, 20));
  expect(points.map((p) => p.tokens)).toEqual([1, 20]);
});

it('means over the last whole minute', () => {
  const s = series([point(5, 3, 60), point(60, 1, 60), point(65, 100, 100), point(0, 50, 50)], now);
  expect(lastMinute(s)).toEqual({ requests: 4, tokensPerSecond: 2 });
});

it('gives a row for every minute, the latest first', () => {
  const rows = byMinute(series([point(0, 2, 60), point(60, 1, 0)], now));
  expect(rows).toHaveLength(10);
  expect(rows.slice(0, 2).map((r) => [r.perMinute, r.tokensPerSecond])).toEqual([[2, 1], [1, 0]]);
});
