// Durations as people set them: an amount and a unit; as settings.json writes them: "90s", "5m", "1h30m".
import { toMinutes } from './minutes';

export const units = ['ms', 's', 'm', 'h'] as const;
export type Unit = (typeof units)[number];

/** What a unit is called beside a number. */
export const unitNames: Record<Unit, string> = { ms: 'ms', s: 's', m: 'min', h: 'h' };

const inMs: Record<Unit, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

export interface Amount {
  amount: number;
  unit: Unit;
}

/** The duration in the largest unit that makes it a whole number, or null if it is none. */
export function split(duration: string): Amount | null {
  const minutes = toMinutes(duration);
  if (minutes === null) return null;
  const ms = Math.round(minutes * 60_000);
  const unit = ms === 0 ? 's' : ([...units].reverse().find((u) => ms % inMs[u] === 0) ?? 'ms');
  return { amount: ms / inMs[unit], unit };
}

/** The duration as settings.json has it; what is no whole number of its unit in a smaller one. */
export function written({ amount, unit }: Amount): string {
  if (Number.isInteger(amount)) return `${amount}${unit}`;
  const ms = Math.round(amount * inMs[unit]);
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

/** 10 s, 5 min, 90 min */
export function spoken(duration: string): string {
  const parts = split(duration);
  return parts ? `${parts.amount} ${unitNames[parts.unit]}` : duration;
}
