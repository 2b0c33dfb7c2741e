// The measures of one answer while it streams. The caller brings the times, in milliseconds.
import { duration, rate, tokens } from './units';

export interface Measures {
  asked: number;
  first: number | null;
  last: number | null;
  tokens: number | null;
}

export const begin = (at: number): Measures => ({ asked: at, first: null, last: null, tokens: null });

export function heard(m: Measures, at: number, text: string, told?: number): Measures {
  const next = { ...m, tokens: told ?? m.tokens };
  if (text === '') return next;
  return { ...next, first: m.first ?? at, last: at };
}

/** Tokens a second after the first one, which waited for the prompt to be read. */
export function speed(m: Measures): number | null {
  if (m.first === null || m.last === null || m.tokens === null || m.tokens < 2 || m.last <= m.first) return null;
  return (m.tokens - 1) / ((m.last - m.first) / 1000);
}

/** 412 tokens · 68 tokens/s · first token after 212 ms */
export function summary(m: Measures): string {
  const parts: string[] = [];
  if (m.tokens !== null) parts.push(m.tokens === 1 ? '1 token' : `${tokens(m.tokens)} tokens`);
  const s = speed(m);
  if (s !== null) parts.push(rate(s));
  if (m.first !== null) parts.push(`first token after ${duration(m.first - m.asked)}`);
  return parts.join(' · ');
}
