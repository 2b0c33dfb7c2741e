// The ledger in words: what left this machine, to whom, what it cost, and what the rest would have cost elsewhere.
import type { Ledger, LedgerSum } from '../api/types';
import { looks, type XYChart } from './chart/chart';
import { lines } from './benchmark/overtime';
import { named, upTo } from './chart/scale';
import { dayOf, money, months, tokens, unknown } from './units';

const whole = new Intl.NumberFormat('en');

/** 1 request, 1,204 requests */
export const requests = (n: number): string => `${whole.format(n)} ${n === 1 ? 'request' : 'requests'}`;

export const tokensOf = (s: LedgerSum): number => s.prompt_tokens + s.completion_tokens;

/** What is known of a cost, and of how many requests it is not. */
export const costNote = (s: LedgerSum): string => (s.unpriced > 0 ? `${whole.format(s.unpriced)} not known` : '');

/** How many failed, and how many of them all were sent on to another provider: those count at each, and once in the sum. */
export const endedNote = (s: LedgerSum | undefined): string =>
  [s?.failed ? `${whole.format(s.failed)} failed` : '', s?.repeated ? `${whole.format(s.repeated)} sent on` : ''].filter(Boolean).join(', ');

/** $1.24 to openai, 312 requests, 1.2M tokens */
function toProvider(provider: string, s: LedgerSum): string {
  const cost = s.cost_usd === null ? 'an unknown cost' : money(s.cost_usd);
  return `${cost} to ${provider}, ${requests(s.requests)}, ${tokens(tokensOf(s))} tokens`;
}

/** The whole in a sentence or two. */
export function headline(l: Ledger): string {
  const away = l.providers.filter((p) => p.left);
  if (away.length === 0) return 'Nothing left this machine.';
  const twice = l.left.repeated > 0 ? ` ${requests(l.left.requests)} in all: what was sent on from one provider to another counts at each.` : '';
  const to = away.map((p) => toProvider(p.provider, p)).join('; ');
  return `${to.charAt(0).toUpperCase()}${to.slice(1)}. Nothing else left this machine.${twice}`;
}

/** What the requests of this machine would have cost elsewhere. */
export function comparison(l: Ledger): string {
  const s = l.here;
  if (s.requests === 0) return 'No request was answered on this machine.';
  const here = `${requests(s.requests)} on this machine, ${tokens(tokensOf(s))} tokens`;
  if (!l.compare_with) return `${here}.`;
  if (s.would_have_cost_usd === null) return `${here}. What they would have cost at ${l.compare_with} is not known: it has no price.`;
  return `${here}. At ${l.compare_with} they would have cost ${money(s.would_have_cost_usd)}.`;
}

/** Who a line is about. */
export const providerName = (provider: string, left: boolean): string => provider || (left ? unknown : 'nobody');

export type Range = 'today' | '7d' | '30d' | 'month' | 'custom';

export const ranges: readonly { value: Range; label: string }[] = [
  { value: 'today', label: 'Today' },
  { value: '7d', label: 'Last 7 days' },
  { value: '30d', label: 'Last 30 days' },
  { value: 'month', label: 'This month' },
  { value: 'custom', label: 'From … to …' },
];

/** What is looked at, as the address has it; the days are the person's own. */
export interface Span {
  range: Range;
  from: string;
  to: string;
}

const isDay = (text: string): boolean => /^\d{4}-\d{2}-\d{2}$/.test(text) && !Number.isNaN(Date.parse(text));

const before = (now: Date, days: number): string => dayOf(new Date(now.getFullYear(), now.getMonth(), now.getDate() - days));

/** The days of a range. */
export function spanOf(range: Range, now: Date, kept: Span): Span {
  const to = dayOf(now);
  if (range === 'custom') return { ...kept, range };
  const from = range === 'today' ? to : range === '7d' ? before(now, 6) : range === 'month' ? `${to.slice(0, 8)}01` : before(now, 29);
  return { range, from, to };
}

export function spanFrom(query: URLSearchParams, now: Date): Span {
  const usual = spanOf('30d', now, { range: '30d', from: '', to: '' });
  const [from, to] = [query.get('from') ?? '', query.get('to') ?? ''];
  if (isDay(from) && isDay(to) && from <= to) return { range: 'custom', from, to };
  const range = ranges.find((r) => r.value === query.get('range') && r.value !== 'custom')?.value;
  return range ? spanOf(range, now, usual) : usual;
}

export const spanToAddress = (s: Span): URLSearchParams =>
  new URLSearchParams(s.range === 'custom' ? { from: s.from, to: s.to } : s.range === '30d' ? {} : { range: s.range });

/** As the API takes it. */
export const spanToQuery = (s: Span, zone: string): Record<string, string> => ({ from: s.from, to: s.to, ...(zone ? { zone } : {}) });

/** Every day of a span, the oldest first. */
export function daysOf(from: string, to: string): string[] {
  const days: string[] = [];
  const end = Date.parse(to);
  for (let at = Date.parse(from); at <= end && days.length < 4000; at += 86_400_000) days.push(new Date(at).toISOString().slice(0, 10));
  return days;
}

/** 31 Jan, with the year when it is another one than that of now */
export function dayName(day: string, now: Date): string {
  const [y = '', m = '', d = ''] = day.split('-');
  const name = `${Number(d)} ${months[Number(m) - 1] ?? ''}`;
  return Number(y) === now.getFullYear() ? name : `${name} ${y}`;
}

/** What was paid each day, a line for each provider elsewhere. */
export function costChart(l: Ledger, now: Date): XYChart {
  const days = daysOf(l.from, l.to);
  const away = l.providers.filter((p) => p.left);
  const shown = away.filter((p) => p.cost_usd !== null).map((p) => p.provider).slice(0, looks); // what is not known is no zero
  const cost = new Map(l.lines.filter((x) => x.left).map((x) => [`${x.day} ${x.provider}`, x.cost_usd ?? 0]));
  const values = shown.flatMap((name) => days.map((day, x) => ({ name, x, value: cost.get(`${day} ${name}`) ?? 0 })));
  const drawn = lines(
    values.map((v) => ({ ...v, low: v.value, high: v.value })),
    (name) => shown.indexOf(name),
    days.map((day, x) => ({ x, title: dayName(day, now) })),
    (v) => money(v.value),
  );
  const paid = values.some((v) => v.value > 0);
  return {
    kind: 'xy',
    id: 'cost-by-day',
    title: 'Cost by day',
    note: 'Of the requests whose cost is known',
    x: named(days.map((day) => dayName(day, now)), 'day'),
    y: upTo(Math.max(0, ...values.map((v) => v.value)), 'dollars', (n) => `$${Number(n.toPrecision(3))}`),
    series: drawn.series.map((s) => ({ ...s, marked: days.length > 45 ? [] : s.points.filter((p) => p.y > 0) })),
    stops: drawn.stops,
    along: 'x',
    line: 'straight',
    table: {
      columns: [{ label: 'Day' }, { label: 'Provider' }, { label: 'Cost, dollars', number: true }],
      rows: l.lines.filter((x) => x.left).map((x) => [x.day, x.provider, x.cost_usd === null ? '' : String(Number(x.cost_usd.toPrecision(6)))]),
    },
    empty: paid ? '' : away.length > 0 ? 'Nothing that left has a known cost.' : 'Nothing left this machine on these days.',
  };
}
