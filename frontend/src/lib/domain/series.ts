// The last minutes as the charts draw them, from the points that the server counts, one every few seconds.
export interface Point {
  at: string;
  requests: number;
  tokens: number;
}

export const stepSeconds = 5;
const spanSeconds = 600;
const minute = 60 / stepSeconds; // in steps

/** Puts in the newest point, which may still fill or be a later one, and lets go of what is too old. */
export function withPoint(points: readonly Point[], point: Point): Point[] {
  const at = Date.parse(point.at);
  const kept = points.filter((p) => Date.parse(p.at) < at && Date.parse(p.at) > at - spanSeconds * 1000);
  return [...kept, point];
}

export interface Series {
  /** Seconds since 1970, at even distances up to now. */
  times: number[];
  /** Requests that began in the minute up to then. */
  perMinute: number[];
  tokensPerSecond: number[];
}

const step = (at: string): number => Math.floor(Date.parse(at) / 1000 / stepSeconds);
const sum = (values: readonly number[]): number => values.reduce((total, v) => total + v, 0);

/** Every step of nine minutes up to now: ten are counted, and the first is what the second needs. */
export function series(points: readonly Point[], now: Date): Series {
  const newest = Math.max(Math.floor(now.getTime() / 1000 / stepSeconds), ...points.map((p) => step(p.at)));
  const first = newest - spanSeconds / stepSeconds + 1;
  const found = new Map(points.map((p) => [step(p.at), p]));
  const all = Array.from({ length: newest - first + 1 }, (_, i) => found.get(first + i)); // nothing where nothing was counted
  const requests = all.map((p) => p?.requests ?? 0);
  return {
    times: all.map((_, i) => (first + i) * stepSeconds).slice(minute),
    perMinute: all.map((_, i) => sum(requests.slice(Math.max(0, i - minute + 1), i + 1))).slice(minute),
    tokensPerSecond: all.map((p) => (p?.tokens ?? 0) / stepSeconds).slice(minute),
  };
}

/** What goes on now. Tokens of the last whole steps: the newest one still fills. */
export function latest(s: Series): { perMinute: number; tokensPerSecond: number } {
  return { perMinute: s.perMinute.at(-1) ?? 0, tokensPerSecond: sum(s.tokensPerSecond.slice(-3, -1)) / 2 };
}

/** The same minute by minute, for those who read it, the latest first. */
export function byMinute(s: Series): { time: number; perMinute: number; tokensPerSecond: number }[] {
  const rows = [];
  for (let end = s.times.length; end >= minute; end -= minute) {
    rows.push({ time: s.times[end - 1] ?? 0, perMinute: s.perMinute[end - 1] ?? 0, tokensPerSecond: sum(s.tokensPerSecond.slice(end - minute, end)) / minute });
  }
  return rows;
}
