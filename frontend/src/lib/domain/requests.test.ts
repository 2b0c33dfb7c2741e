import { describe, expect, test } from 'vitest';
import type { AuditRecord, RequestStatus } from '../api/types';
import { elapsed, reduce, running, shown } from './requests';

const record = (id: number, status: RequestStatus = 'success', more: Partial<AuditRecord> = {}): AuditRecord => ({
  id,
  request_id: `req_${id}`,
  started_at: '2026-11-24T14:02:51.000Z',
  model: 'smollm2-135m-instruct',
  served_model: 'smollm2-135m-instruct',
  backend: 'LOCAL',
  provider: 'llamacpp',
  endpoint: '/v1/chat/completions',
  stream: true,
  duration_ms: status === 'running' ? null : 1200,
  ttft_ms: null,
  status,
  http_status: null,
  error_type: '',
  prompt_tokens: null,
  completion_tokens: null,
  total_tokens: null,
  cached_tokens: null,
  hint: '',
  prompt_ms: null,
  generation_ms: null,
  attempts: 1,
  client: 'test',
  key_id: '',
  cost_usd: null,
  ...more,
});
const brief = (rows: AuditRecord[]) => rows.map((r) => `${r.id} ${r.status}`);

describe('the list', () => {
  test('a request comes and ends', () => {
    let rows = reduce([record(1)], { type: 'heard', record: record(2, 'running') });
    expect(brief(rows)).toEqual(['2 running', '1 success']);
    expect(running(rows)).toBe(1);
    rows = reduce(rows, { type: 'heard', record: record(2, 'timeout') });
    expect(brief(rows)).toEqual(['2 timeout', '1 success']);
    expect(running(rows)).toBe(0);
  });

  test('events in the wrong order, or twice, do no harm', () => {
    let rows = reduce([], { type: 'heard', record: record(3) });
    rows = reduce(rows, { type: 'heard', record: record(3, 'running') });
    rows = reduce(rows, { type: 'heard', record: record(2, 'running') });
    rows = reduce(rows, { type: 'heard', record: record(2, 'running') });
    expect(brief(rows)).toEqual(['3 success', '2 running']);
  });

  test('loading replaces what was known, but not what came since', () => {
    const rows = [record(9, 'running'), record(8), record(7, 'running'), record(5)];
    const records = [record(8, 'running'), record(7, 'interrupted'), record(6)];
    expect(brief(reduce(rows, { type: 'loaded', records }))).toEqual(['9 running', '8 success', '7 interrupted', '6 success']);
  });

  test('an emptied audit empties the list only of what it knew', () => {
    expect(reduce([], { type: 'loaded', records: [] })).toEqual([]);
  });

  test('no more than are shown are kept, and the argument stays as it was', () => {
    const rows = Array.from({ length: shown }, (_, i) => record(shown - i));
    const before = brief(rows);
    const after = reduce(rows, { type: 'heard', record: record(shown + 1, 'running') });
    expect(after).toHaveLength(shown);
    expect(after[0]?.id).toBe(shown + 1);
    expect(brief(rows)).toEqual(before);
  });
});

test('elapsed time runs only while the request does', () => {
  const now = new Date('2026-11-24T14:02:54.500Z');
  expect(elapsed(record(1, 'running'), now)).toBe(3500);
  expect(elapsed(record(1, 'running'), new Date('2026-11-24T14:02:50Z'))).toBe(0);
  expect(elapsed(record(1, 'success'), now)).toBe(1200);
});
