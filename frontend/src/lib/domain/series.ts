// The last minutes as the charts draw them: one point every few seconds, as the server counts them.
export interface Point {
  at: string;
  requests: number;
  tokens: number;
}

export const stepSeconds = 5;
export const spanSeconds = 600;

/** Puts in the newest point, which may still fill or be a later one, and lets go of what is too old. */
export function withPoint(points: readonly Point[], point: Point): Point[] {
  const at = Date.parse(point.at);
  const kept = points.filter((p) => Date.parse(p.at) < at && Date.parse(p.at) > at - spanSeconds * 1000);
  return [...kept, point];
}

export interface Series {
  /** Seconds since 1970, at even distances up to now. */
  times: number[];
  perMinute: number[];
  tokensPerSecond: number[];
}

/** Every step of the span up to now; where nothing was counted there was nothing. */
export function series(points: readonly Point[], now: Date): Series {
  const steps = spanSeconds / stepSeconds;
  const newest = Math.max(Math.floor(now.getTime() / 1000 / stepSeconds), ...points.map((p) => step(p.at)));
  const out: Series = { times: [], perMinute: [], tokensPerSecond: [] };
  const found = new Map(points.map((p) => [step(p.at), p]));
  for (let s = newest - steps + 1; s <= newest; s++) {
    const p = found.get(s);
    out.times.push(s * stepSeconds);
    out.perMinute.push(((p?.requests ?? 0) * 60) / stepSeconds);
    out.tokensPerSecond.push((p?.tokens ?? 0) / stepSeconds);
  }
  return out;
}

const step = (at: string): number => Math.floor(Date.parse(at) / 1000 / stepSeconds);

/** Requests of the last minute, whole steps only: the newest one still fills. */
export function lastMinute(s: Series): { requests: number; tokensPerSecond: number } {
  const steps = 60 / stepSeconds;
  const mean = (values: number[]) => values.slice(-steps - 1, -1).reduce((sum, v) => sum + v, 0) / steps;
  return { requests: mean(s.perMinute), tokensPerSecond: mean(s.tokensPerSecond) };
}

/** The same in minutes, for a table: mean of each minute, the latest first. */
export function byMinute(s: Series): { time: number; perMinute: number; tokensPerSecond: number }[] {
  const steps = 60 / stepSeconds;
  const rows = [];
  for (let end = s.times.length; end >= steps; end -= steps) {
    const mean = (values: number[]) => values.slice(end - steps, end).reduce((sum, v) => sum + v, 0) / steps;
    rows.push({ time: s.times[end - 1] ?? 0, perMinute: mean(s.perMinute), tokensPerSecond: mean(s.tokensPerSecond) });
  }
  return rows;
}
