import { describe, expect, it } from 'vitest';
import type { AuditRecord } from '../api/types';
import { chosen, columns, read, usual } from './columns';

const labels = (ids: readonly string[]) => chosen(ids).map((c) => c.label);

it('shows these columns unless somebody chose others', () => {
  expect(labels(usual)).toEqual(['Timestamp', 'Model', 'Backend', 'Endpoint', 'Duration', 'Status', 'Tokens']);
});

it('keeps every column in its place, whatever the order in which they were chosen', () => {
  expect(labels(['status', 'client', 'model'])).toEqual(['Model', 'Status', 'Client']);
});

describe('what was kept of a choice', () => {
  it.each([
    ['nothing', null, usual],
    ['no JSON', '[', usual],
    ['something else', '{"a":1}', usual],
    ['no column', '[]', usual],
    ['only columns that are no more', '["moon"]', usual],
    ['some', '["client","moon","model"]', ['model', 'client']],
  ])('is read from %s', (_, stored, want) => expect(read(stored)).toEqual(want));
});

it('has a text for every figure that is not known', () => {
  const bare: AuditRecord = {
    id: 1, request_id: 'r', started_at: '2026-11-24T14:02:51.000Z', model: '', served_model: '', backend: 'LOCAL', provider: '',
    endpoint: '/v1/chat/completions', stream: false, duration_ms: null, ttft_ms: null, status: 'interrupted', http_status: null, error_type: '',
    prompt_tokens: null, completion_tokens: null, total_tokens: null, cached_tokens: null, hint: '', prompt_ms: null, generation_ms: null,
    attempts: 0, client: '', key_id: '', cost_usd: null,
  };
  const known = ['started_at', 'backend', 'endpoint', 'status', 'attempts'];
  for (const c of columns) if (!known.includes(c.id)) expect(c.text(bare, new Date()), c.id).toBe('–');
  const full = { ...bare, prompt_tokens: 100, prompt_ms: 50, completion_tokens: 34, generation_ms: 500, total_tokens: 0 };
  const text = (id: string) => columns.find((c) => c.id === id)?.text(full, new Date());
  expect([text('prompt_rate'), text('generation_rate'), text('total_tokens')]).toEqual(['2000 tokens/s', '68 tokens/s', '0']);
});
