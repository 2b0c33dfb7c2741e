// Questions to /v1/chat/completions, streamed. They are the same requests that any tool would send.
import type { AnsweredBy, Message } from '../domain/talk';
import { EventParser } from '../domain/sse';
import { request } from './client';
import { ApiError, isAbort } from './problem';
import type { Problem } from './types';

export interface Question {
  model: string;
  messages: readonly Message[];
  /** More members of the body, such as max_tokens. */
  options?: Record<string, unknown>;
  signal: AbortSignal;
}

export interface Piece {
  text: string;
  /** What the model thought, where its server tells that apart. */
  reasoning: string;
  /** Once the server has told. */
  promptTokens?: number;
  cachedTokens?: number;
  completionTokens?: number;
  /** Why the answer ended, such as stop or length. */
  finish?: string;
  /** Who answers; it comes first and alone. */
  from?: AnsweredBy;
}

// A chunk of the answer or, where it broke off, the problem document that stands in its place.
interface Chunk extends Partial<Problem> {
  choices?: { delta?: { content?: string | null; reasoning_content?: string | null; reasoning?: string | null; refusal?: string | null }; finish_reason?: string | null }[];
  usage?: { prompt_tokens?: number; completion_tokens?: number; prompt_tokens_details?: { cached_tokens?: number | null } | null } | null;
  /** llama.cpp's own. */
  timings?: { cache_n?: number };
  error?: object;
}

export async function* ask(question: Question): AsyncGenerator<Piece> {
  const response = await request('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    signal: question.signal,
    body: JSON.stringify({
      model: question.model,
      messages: question.messages,
      ...question.options,
      stream: true,
      stream_options: { include_usage: true },
    }),
  });
  if (!response.body) throw cutOff();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
    yield { text: '', reasoning: '', from: answeredBy(response.headers) };
    for (;;) {
      const { done, value } = await reader.read();
      if (done) throw cutOff(); // the end of an answer is [DONE], not silence
      for (const event of parser.push(decoder.decode(value, { stream: true }))) {
        if (event.data === '[DONE]') return;
        yield piece(JSON.parse(event.data) as Chunk);
      }
    }
  } catch (error) {
    if (isAbort(error) || error instanceof ApiError) throw error;
    throw cutOff();
  } finally {
    // Also when the one who reads has had enough: the server then cancels the request.
    await reader.cancel().catch(() => undefined);
  }
}

function answeredBy(headers: Headers): AnsweredBy {
  const list = (name: string) => (headers.get(name) ?? '').split(',').map((part) => part.trim()).filter(Boolean);
  return {
    requestId: headers.get('X-Request-Id') ?? '',
    backend: headers.get('X-Mlxbar-Backend') ?? '',
    provider: headers.get('X-Mlxbar-Provider') ?? '',
    model: headers.get('X-Mlxbar-Model') ?? '',
    attempts: Number(headers.get('X-Mlxbar-Attempts')) || 1,
    failed: list('X-Mlxbar-Failed'),
    dropped: list('X-Mlxbar-Dropped'),
  };
}

function piece(chunk: Chunk): Piece {
  if (chunk.error) {
    throw new ApiError({ type: '/problems/internal', title: 'The answer broke off', status: 502, detail: '', ...chunk });
  }
  const choice = chunk.choices?.[0];
  const delta = choice?.delta;
  const result: Piece = { text: delta?.content ?? delta?.refusal ?? '', reasoning: delta?.reasoning_content ?? delta?.reasoning ?? '' };
  const usage = chunk.usage;
  if (typeof usage?.prompt_tokens === 'number') result.promptTokens = usage.prompt_tokens;
  if (typeof usage?.completion_tokens === 'number') result.completionTokens = usage.completion_tokens;
  const cached = usage?.prompt_tokens_details?.cached_tokens ?? chunk.timings?.cache_n;
  if (typeof cached === 'number') result.cachedTokens = cached;
  if (choice?.finish_reason) result.finish = choice.finish_reason;
  return result;
}

const cutOff = (): ApiError =>
  new ApiError({
    type: '/problems/upstream-cut',
    title: 'Cut off',
    status: 502,
    detail: 'The answer was cut off: the connection to the server ended before it did.',
  });
