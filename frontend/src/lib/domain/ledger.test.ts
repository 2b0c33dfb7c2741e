import { describe, expect, it } from 'vitest';
import type { AuditRecord, Ledger, LedgerSum } from '../api/types';
import { comparison, costChart, endedNote, dayName, daysOf, headline, spanFrom, spanOf, spanToAddress, spanToQuery } from './ledger';
import { departures, leftTo } from './left';

const now = new Date(2026, 2, 5, 10, 0);

const sum = (of: Partial<LedgerSum> = {}): LedgerSum => ({
  requests: 0,
  failed: 0,
  prompt_tokens: 0,
  completion_tokens: 0,
  cached_tokens: 0,
  bytes_out: 0,
  bytes_in: 0,
  cost_usd: null,
  unpriced: 0,
  repeated: 0,
  would_have_cost_usd: null,
  ...of,
});

const openai = sum({ requests: 312, prompt_tokens: 1_000_000, completion_tokens: 200_000, cost_usd: 1.24 });
const report = (of: Partial<Ledger> = {}): Ledger => ({
  from: '2026-03-01',
  to: '2026-03-05',
  zone: 'UTC',
  compare_with: 'gpt-5-mini',
  lines: [],
  providers: [],
  left: sum(),
  here: sum(),
  ...of,
});

describe('the whole in a sentence', () => {
  it('names what left, to whom and for how much', () => {
    const two = [
      { provider: 'openai', left: true, ...openai },
      { provider: 'claude', left: true, ...sum({ requests: 1, prompt_tokens: 10 }) },
      { provider: 'llamacpp', left: false, ...sum({ requests: 9 }) },
    ];
    expect(headline(report({ providers: two.slice(0, 1) }))).toBe('$1.24 to openai, 312 requests, 1.2M tokens. Nothing else left this machine.');
    expect(headline(report({ providers: two }))).toBe(
      '$1.24 to openai, 312 requests, 1.2M tokens; an unknown cost to claude, 1 request, 10 tokens. Nothing else left this machine.',
    );
    expect(headline(report({ providers: two.slice(1) }))).toBe('An unknown cost to claude, 1 request, 10 tokens. Nothing else left this machine.');
    expect(headline(report({ providers: two.slice(2) }))).toBe('Nothing left this machine.');
  });

  it('counts once what was sent on from one provider to another', () => {
    const providers = [
      { provider: 'openai', left: true, ...openai },
      { provider: 'spare', left: true, ...sum({ requests: 2, cost_usd: 0.1, repeated: 2 }) },
    ];
    const left = sum({ requests: 312, failed: 2, repeated: 2 });
    expect(headline(report({ providers, left }))).toMatch(/Nothing else left this machine\. 312 requests in all: what was sent on from one provider to another counts at each\.$/);
    expect(endedNote(left)).toBe('2 failed, 2 sent on');
    expect(endedNote(sum({ failed: 3 }))).toBe('3 failed');
    expect(endedNote(undefined)).toBe('');
  });

  it('says what the rest would have cost', () => {
    const here = sum({ requests: 1204, prompt_tokens: 3400, would_have_cost_usd: 0.0031 });
    expect(comparison(report({ here }))).toBe('1,204 requests on this machine, 3.4k tokens. At gpt-5-mini they would have cost $0.0031.');
    expect(comparison(report({ here: { ...here, would_have_cost_usd: null } }))).toContain('is not known: it has no price');
    expect(comparison(report({ here, compare_with: '' }))).toBe('1,204 requests on this machine, 3.4k tokens.');
    expect(comparison(report())).toBe('No request was answered on this machine.');
  });
});

describe('the days that are looked at', () => {
  const usual = spanFrom(new URLSearchParams(), now);

  it('are the last thirty unless the address says otherwise', () => {
    expect(usual).toEqual({ range: '30d', from: '2026-02-04', to: '2026-03-05' });
    expect(spanFrom(new URLSearchParams('range=7d'), now)).toEqual({ range: '7d', from: '2026-02-27', to: '2026-03-05' });
    expect(spanFrom(new URLSearchParams('range=month'), now)).toMatchObject({ from: '2026-03-01', to: '2026-03-05' });
    expect(spanFrom(new URLSearchParams('range=today'), now)).toMatchObject({ from: '2026-03-05', to: '2026-03-05' });
    expect(spanFrom(new URLSearchParams('from=2026-01-01&to=2026-01-31'), now)).toEqual({ range: 'custom', from: '2026-01-01', to: '2026-01-31' });
  });

  it.each(['range=custom', 'range=never', 'from=2026-02-01', 'from=2026-02-02&to=2026-02-01', 'from=x&to=y'])('take no nonsense: %s', (query) => {
    expect(spanFrom(new URLSearchParams(query), now)).toEqual(usual);
  });

  it('go into the address and back', () => {
    for (const range of ['today', '7d', '30d', 'month', 'custom'] as const) {
      const span = spanOf(range, now, { range, from: '2026-01-01', to: '2026-01-02' });
      expect(spanFrom(spanToAddress(span), now)).toEqual(span);
    }
  });

  it('are asked for in the zone of the person', () => {
    expect(spanToQuery(usual, 'Europe/Berlin')).toEqual({ from: '2026-02-04', to: '2026-03-05', zone: 'Europe/Berlin' });
    expect(spanToQuery(usual, '')).toEqual({ from: '2026-02-04', to: '2026-03-05' });
  });

  it('are all there, also where clocks change', () => {
    expect(daysOf('2026-03-28', '2026-03-30')).toEqual(['2026-03-28', '2026-03-29', '2026-03-30']);
    expect(daysOf('2026-03-28', '2026-03-27')).toEqual([]);
    expect([dayName('2026-03-01', now), dayName('2025-12-31', now)]).toEqual(['1 Mar', '31 Dec 2025']);
  });
});

describe('the chart of costs', () => {
  const line = (day: string, provider: string, cost: number | null) => ({ day, provider, left: true, ...sum({ requests: 1, cost_usd: cost }) });
  const providers = ['claude', 'openai'].map((provider) => ({ provider, left: true, ...sum({ requests: 2, cost_usd: 1 }) }));

  it('has a line for each provider, and every day', () => {
    const chart = costChart(report({ providers, lines: [line('2026-03-04', 'openai', 2), line('2026-03-02', 'claude', 0.5), line('2026-03-02', 'openai', null)] }), now);
    expect(chart.series.map((s) => [s.name, s.points.map((p) => p.y)])).toEqual([
      ['claude', [0, 0.5, 0, 0, 0]],
      ['openai', [0, 0, 0, 2, 0]],
    ]);
    expect(chart.stops[3]).toMatchObject({ title: '4 Mar', rows: [{ name: 'claude', text: '$0' }, { name: 'openai', text: '$2.00' }] });
    expect(chart.table.rows).toEqual([
      ['2026-03-04', 'openai', '2'],
      ['2026-03-02', 'claude', '0.5'],
      ['2026-03-02', 'openai', ''],
    ]);
    expect(chart.empty).toBe('');
  });

  it('says why there is nothing to draw', () => {
    expect(costChart(report(), now).empty).toBe('Nothing left this machine on these days.');
    const unknown = providers.map((p) => ({ ...p, cost_usd: null }));
    expect(costChart(report({ providers: unknown, lines: [line('2026-03-02', 'openai', null)] }), now).empty).toBe('Nothing that left has a known cost.');
  });
});

describe('whom a request was sent to', () => {
  const record = (left?: AuditRecord['left']) => ({ status: 'success', left }) as AuditRecord;
  const to = (provider: string, http_status: number) => ({ provider, http_status, bytes_out: 1234, bytes_in: 567_000 });

  it('names each of them', () => {
    expect(leftTo(record([to('openai', 500), to('claude', 200)]))).toBe('openai, claude');
    expect(leftTo(record())).toBe('');
    expect(departures(record([to('openai', 0), to('claude', 200)]))).toEqual([
      { name: 'Sent to openai', value: '1 kB out, 567 kB in, no answer' },
      { name: 'Sent to claude', value: '1 kB out, 567 kB in, answered 200' },
    ]);
    expect(departures(record())).toEqual([{ name: 'Sent to', value: 'nobody' }]);
  });
});
