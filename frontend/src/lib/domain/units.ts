// Numbers as people read them. A figure that is not known is a dash, never a zero.

export const unknown = '–';

/** 940 ms, 1.2 s, 31.0 s, 2 min 5 s, 1 h 3 min */
export function duration(ms: number | null | undefined): string {
  if (ms == null || !Number.isFinite(ms) || ms < 0) return unknown;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 59_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** 612, 3.4k, 120k, 1.2M, 1.4B */
export function tokens(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return unknown;
  if (n < 1000) return String(Math.round(n));
  if (n < 99_950) return `${(n / 1000).toFixed(1)}k`;
  if (n < 999_500) return `${Math.round(n / 1000)}k`;
  if (n < 999_950_000) return `${(n / 1_000_000).toFixed(1)}M`;
  return `${(n / 1_000_000_000).toFixed(1)}B`;
}

/** 135M, 1.2B, 70B; of a model */
export function parameters(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n) || n <= 0) return unknown;
  if (n < 999_500) return tokens(n);
  if (n < 999_500_000) return `${Math.round(n / 1e6)}M`;
  return `${n < 9.95e9 ? (n / 1e9).toFixed(1) : Math.round(n / 1e9)}B`;
}

/** 68 tokens/s, 7.4 tokens/s */
export function rate(perSecond: number | null | undefined): string {
  if (perSecond == null || !Number.isFinite(perSecond)) return unknown;
  return `${perSecond > 0 && perSecond < 9.95 ? perSecond.toFixed(1) : Math.round(perSecond)} tokens/s`;
}

/** 98 MB, 4.7 GB; in powers of ten, as the Finder counts */
export function bytes(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n) || n < 0) return unknown;
  if (n < 1000) return `${n} B`;
  if (n < 999_500) return `${Math.round(n / 1000)} kB`;
  if (n < 999_500_000) return `${Math.round(n / 1e6)} MB`;
  return `${(n / 1e9).toFixed(1)} GB`;
}

/** $1.24, $0.0031, under $0.0001, $0; dollars, to two digits of what is less than a cent */
export function money(usd: number | null | undefined): string {
  if (usd == null || !Number.isFinite(usd)) return unknown;
  if (usd === 0) return '$0';
  if (usd < 0.0001) return 'under $0.0001';
  if (usd < 0.00995) return `$${Number(usd.toPrecision(2))}`;
  return `$${usd.toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
}

/** 0 %, 0.4 %, 12 %, 180 % */
export function percent(n: number | null | undefined): string {
  if (n == null || !Number.isFinite(n)) return unknown;
  return `${n > 0 && n < 9.95 ? n.toFixed(1) : Math.round(n)} %`;
}

export const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];
export const two = (n: number) => String(n).padStart(2, '0');

/** 2026-01-31, by local time */
export const dayOf = (at: Date): string => `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;

/** 14:02:51 today, 24 Nov 14:02 on other days, with the year when it is another one. Local time. */
export function clock(at: Date, now: Date): string {
  if (Number.isNaN(at.getTime())) return unknown;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  if (at.toDateString() === now.toDateString()) return `${time}:${two(at.getSeconds())}`;
  const day = `${at.getDate()} ${months[at.getMonth()]}`;
  return at.getFullYear() === now.getFullYear() ? `${day} ${time}` : `${day} ${at.getFullYear()} ${time}`;
}

/** 24 Nov 2026, 14:02:51.123, for one who wants to know exactly. Local time. */
export function moment(at: Date): string {
  if (Number.isNaN(at.getTime())) return unknown;
  const time = [at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':');
  return `${at.getDate()} ${months[at.getMonth()]} ${at.getFullYear()}, ${time}.${String(at.getMilliseconds()).padStart(3, '0')}`;
}

/** just now, 40 s ago, 5 min ago, 3 h ago, 2 days ago */
export function ago(at: Date, now: Date): string {
  const seconds = Math.round((now.getTime() - at.getTime()) / 1000);
  if (Number.isNaN(seconds)) return unknown;
  if (seconds < 5) return 'just now';
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days === 1 ? '1 day ago' : `${days} days ago`;
}
