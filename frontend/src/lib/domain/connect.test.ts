import { expect, it } from 'vitest';
import type { CheckResult } from '../api/types';
import { figures, remarks } from './connect';

const passed: CheckResult = {
  tool: 'codex', model: 'fast', ok: true, kind: '', summary: 'Codex can ask fast.', advice: '', notes: [],
  endpoint: '/v1/responses', request_id: 'req_1', backend: 'LOCAL', provider: 'llamacpp', served_model: 'qwen3-8b', attempts: 2,
  dropped: [], ttft_ms: 412.4, duration_ms: 1250, prompt_tokens: 1204, completion_tokens: 16, tool_called: true,
};

it('says who answered and how fast', () => {
  expect(figures(passed).map(({ name, value }) => `${name}: ${value}`)).toEqual([
    'Request: /v1/responses', 'Answered by: llamacpp, this machine', 'Model there: qwen3-8b', 'First token: after 412 ms',
    'Whole answer: after 1.3 s', 'Tokens: 1.2k in, 16 out', 'Tool call: made', 'Attempts: 2', 'Request id: req_1',
  ]);
  expect(figures({ ...passed, tool_called: false, completion_tokens: null }).map((l) => l.value)).toEqual(expect.arrayContaining(['not made', '1.2k in, – out']));
});

it('says nothing of what is not known', () => {
  const failed: CheckResult = {
    ...passed, ok: false, kind: 'model-not-found', served_model: 'fast', provider: '', backend: '', attempts: 0,
    ttft_ms: null, prompt_tokens: null, completion_tokens: null, tool_called: null,
  };
  expect(figures(failed).map((l) => l.name)).toEqual(['Request', 'Request id']);
  expect(figures({ ...failed, request_id: '' }).map((l) => l.name)).toEqual(['Request']);
});

it('tells what was left out', () => {
  expect(remarks(passed)).toEqual([]);
  expect(remarks({ ...passed, notes: ['A note.'], dropped: ['cache_control', 'tools[3]'] })).toEqual([
    'A note.', "Left out on the way, because the model's server knows nothing of it: cache_control, tools[3].",
  ]);
});
