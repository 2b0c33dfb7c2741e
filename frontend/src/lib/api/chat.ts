// A question to /v1/chat/completions, streamed. It is the same request that any tool would send.
import { EventParser } from '../domain/sse';
import { request } from './client';
import { ApiError, isAbort } from './problem';
import type { Problem } from './types';

export interface Question {
  model: string;
  prompt: string;
  maxTokens: number;
  signal: AbortSignal;
}

export interface Piece {
  text: string;
  /** Tokens of the answer, once the server has told. */
  completionTokens?: number;
  /** Why the answer ended, such as stop or length. */
  finish?: string;
}

// A chunk of the answer or, where it broke off, the problem document that stands in its place.
interface Chunk extends Partial<Problem> {
  choices?: { delta?: { content?: string | null }; finish_reason?: string | null }[];
  usage?: { completion_tokens?: number } | null;
  error?: object;
}

export async function* ask(question: Question): AsyncGenerator<Piece> {
  const response = await request('/v1/chat/completions', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    signal: question.signal,
    body: JSON.stringify({
      model: question.model,
      messages: [{ role: 'user', content: question.prompt }],
      max_tokens: question.maxTokens,
      stream: true,
      stream_options: { include_usage: true },
    }),
  });
  if (!response.body) throw cutOff();
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  const parser = new EventParser();
  try {
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

function piece(chunk: Chunk): Piece {
  if (chunk.error) {
    throw new ApiError({ type: '/problems/internal', title: 'The answer broke off', status: 502, detail: '', ...chunk });
  }
  const choice = chunk.choices?.[0];
  const result: Piece = { text: choice?.delta?.content ?? '' };
  if (typeof chunk.usage?.completion_tokens === 'number') result.completionTokens = chunk.usage.completion_tokens;
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
