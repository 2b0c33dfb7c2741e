// What came of a check, as lines to read.
import type { CheckResult } from '../api/types';
import { duration, tokens } from './units';

const backends: Record<string, string> = { LOCAL: 'this machine', OPENAI: 'OpenAI protocol', ANTHROPIC: 'Anthropic protocol' };

/** Who answered and how fast; what is not known has no line. */
export function figures(r: CheckResult): { name: string; value: string }[] {
  const lines: { name: string; value: string }[] = [];
  const line = (name: string, value: string) => value && lines.push({ name, value });
  line('Request', r.endpoint);
  if (r.provider) line('Answered by', `${r.provider}, ${backends[r.backend] ?? r.backend}`);
  if (r.served_model !== r.model) line('Model there', r.served_model);
  if (r.ttft_ms !== null) line('First token', `after ${duration(r.ttft_ms)}`);
  if (r.ttft_ms !== null) line('Whole answer', `after ${duration(r.duration_ms)}`);
  if (r.prompt_tokens !== null || r.completion_tokens !== null) line('Tokens', `${tokens(r.prompt_tokens)} in, ${tokens(r.completion_tokens)} out`);
  if (r.tool_called !== null && r.ok) line('Tool call', r.tool_called ? 'made' : 'not made');
  if (r.attempts > 1) line('Attempts', String(r.attempts));
  line('Request id', r.request_id);
  return lines;
}

/** Notes of the check and on what was left out on the way. */
export function remarks(r: CheckResult): string[] {
  if (r.dropped.length === 0) return r.notes;
  return [...r.notes, `Left out on the way, because the model's server knows nothing of it: ${r.dropped.join(', ')}.`];
}
