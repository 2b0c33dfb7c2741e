import { expect, it } from 'vitest';
import { byMinute, latest, series, stepSeconds, withPoint, type Point } from './series';

const now = new Date('2026-11-24T14:10:03Z');
const point = (secondsAgo: number, requests: number, tokens: number): Point => ({
  at: new Date(Date.parse('2026-11-24T14:10:00Z') - secondsAgo * 1000).toISOString(),
  requests,
  tokens,
});

it('has a value for every step up to now, nothing where nothing was counted', () => {
  const s = series([point(10, 2, 40), point(0, 1, 5)], now);
  expect(s.times).toHaveLength(540 / stepSeconds);
  expect(s.times.at(-1)).toBe(Date.parse('2026-11-24T14:10:00Z') / 1000);
  expect(s.tokensPerSecond.slice(-3)).toEqual([8, 0, 1]);
  expect(s.tokensPerSecond.slice(0, -3).every((v) => v === 0)).toBe(true);
});

it('counts the requests of the minute up to each step', () => {
  const s = series([point(60, 7, 0), point(55, 4, 0), point(0, 1, 0)], now);
  expect(s.perMinute.slice(-13)).toEqual([7, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 11, 5]);
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

it('tells what goes on now by whole steps', () => {
  expect(latest(series([point(10, 3, 60), point(5, 1, 40), point(0, 50, 500)], now))).toEqual({ perMinute: 54, tokensPerSecond: 10 });
});

it('gives a row for every minute, the latest first', () => {
  const rows = byMinute(series([point(0, 2, 60), point(60, 1, 0)], now));
  expect(rows).toHaveLength(9);
  expect(rows.slice(0, 2).map((r) => [r.perMinute, r.tokensPerSecond])).toEqual([[2, 1], [1, 0]]);
});
