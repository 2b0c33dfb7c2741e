// What is looked at, as the address writes it, and what is to be measured, as somebody types it.
import type { BenchmarkRequest } from '../../api/types';
import type { Run } from './run';

export interface View {
  /** Ids; 0 is for none. */
  run: number;
  before: number;
  prompt: string;
  at: number;
}

const whole = (text: string | null): number => (text !== null && /^\d{1,15}$/.test(text) ? Number(text) : 0);

export const viewFrom = (query: URLSearchParams): View => ({
  run: whole(query.get('run')),
  before: whole(query.get('before')),
  prompt: query.get('prompt') ?? '',
  at: whole(query.get('at')),
});

export function toAddress(view: View): URLSearchParams {
  const query = new URLSearchParams();
  if (view.run) query.set('run', String(view.run));
  if (view.before) query.set('before', String(view.before));
  if (view.prompt) query.set('prompt', view.prompt);
  if (view.at) query.set('at', String(view.at));
  return query;
}

/** The run to show: the one that was chosen, else the newest that measured something, else the newest. */
export const shownRun = (runs: readonly Run[], id: number): Run | null =>
  runs.find((r) => r.id === id) ?? runs.find((r) => r.cases.some((c) => c.answered > 0)) ?? runs[0] ?? null;

/** The ways that a request can go; who asks all models can leave some out. */
export const routes = ['local-llamacpp', 'local-mlx', 'openai', 'anthropic', 'failover'] as const;
export type Route = (typeof routes)[number];
export const routeNames: Record<Route, string> = { 'local-llamacpp': 'llama.cpp', 'local-mlx': 'MLX', openai: 'OpenAI and compatible', anthropic: 'Anthropic', failover: 'Several targets' };

/** The form in which a benchmark is described. null is what was typed and is no number. */
export interface Form {
  model: string; // '' for all
  prompt: string; // '' for all three
  routes: readonly Route[]; // when all models are asked
  runs: number | null;
  max_tokens: number | null;
  concurrency: string;
  warmup: number | null;
  stream: boolean;
  same_prompt: boolean;
  label: string;
}

export const usual: Form = { model: '', prompt: 'short', routes, runs: 10, max_tokens: 128, concurrency: '1, 2, 4', warmup: 1, stream: true, same_prompt: false, label: '' };

export const promptNotes: Record<string, string> = { short: 'one sentence', medium: '450 tokens', long: '1700 tokens' };

/** 1, 2 and 4 out of "1, 2, 4"; null when something else stands there. */
export function typedNumbers(text: string): number[] | null {
  const words = text.split(/[\s,;]+/).filter(Boolean);
  return words.length > 0 && words.every((w) => /^\d{1,9}$/.test(w)) ? words.map(Number) : null;
}

/** What to ask the server for, or what cannot be asked at all; whether it is right, the server says. */
export function toRequest(form: Form): BenchmarkRequest | Record<string, string> {
  const faults: Record<string, string> = {};
  const concurrency = typedNumbers(form.concurrency);
  if (!concurrency) faults.concurrency = 'must be numbers, such as 1, 2, 4';
  for (const field of ['runs', 'max_tokens', 'warmup'] as const) if (form[field] === null) faults[field] = 'must be a number';
  if (form.model === '' && form.routes.length === 0) faults.routes = 'must be one at least';
  if (Object.keys(faults).length > 0 || !concurrency) return faults;
  return {
    kind: form.model === '' || form.prompt === '' ? 'suite' : 'run',
    ...(form.model ? { model: form.model } : {}),
    ...(form.prompt ? { prompt: form.prompt as 'short' | 'medium' | 'long' } : {}),
    ...(form.model === '' && form.routes.length < routes.length ? { routes: [...form.routes] } : {}),
    runs: form.runs ?? 0,
    max_tokens: form.max_tokens ?? 0,
    concurrency,
    warmup: form.warmup ?? 0,
    stream: form.stream,
    same_prompt: form.same_prompt,
    ...(form.label.trim() ? { label: form.label.trim() } : {}),
  };
}

export const isRequest = (r: BenchmarkRequest | Record<string, string>): r is BenchmarkRequest => 'kind' in r;
