// A conversation in turns: what was asked, and what one model, or two side by side, said to it.
import { speed, type Measures } from './answer';
import { duration, rate, tokens } from './units';

export interface Message {
  role: 'system' | 'user' | 'assistant';
  content: string;
}

/** What an answer's headers say of who gave it. */
export interface AnsweredBy {
  requestId: string;
  backend: string;
  provider: string;
  /** The model's name there. */
  model: string;
  attempts: number;
  /** Targets that failed before, each with why, as in openai=rate-limited. */
  failed: readonly string[];
  /** What was left out of the request on its way. */
  dropped: readonly string[];
}

/** Why there is no answer, or not all of one. */
export interface Fault {
  title: string;
  detail: string;
  requestId: string;
  fields: readonly { location: string; detail: string }[];
}

export type AnswerState = 'waiting' | 'answering' | 'done' | 'stopped' | 'failed';

/** An answer as far as it has come. */
export interface Said {
  readonly model: string;
  readonly state: AnswerState;
  readonly text: string;
  readonly reasoning: string;
  readonly measures: Measures | null;
  readonly promptTokens: number | null;
  readonly cachedTokens: number | null;
  readonly finish: string;
  readonly from: AnsweredBy | null;
  readonly problem: Fault | null;
}

export interface Turn<A extends Said = Said> {
  readonly id: number;
  readonly prompt: string;
  /** The first model's and, where there was one, the second's. */
  readonly answers: readonly A[];
}

/** What an answer is called beside the others of its turn: its model, and which one where both are of it. */
export function calledAmong(answers: readonly Pick<Said, 'model'>[], column: number): string {
  const { model = '' } = answers[column] ?? {};
  return answers.filter((a) => a.model === model).length > 1 ? `${model}, ${column === 0 ? 'first' : 'second'}` : model;
}

/**
 * What the model of a column is sent: what it said itself, or the first one where it was not asked. A turn
 * that was not answered is left out, for many models refuse two questions in a row.
 */
export function messagesFor(before: readonly Turn[], column: number, system: string, prompt: string): Message[] {
  const messages: Message[] = system.trim() === '' ? [] : [{ role: 'system', content: system }];
  for (const turn of before) {
    const said = parted(turn.answers[column] ?? turn.answers[0]).text;
    if (said.trim() === '') continue;
    messages.push({ role: 'user', content: turn.prompt }, { role: 'assistant', content: said });
  }
  return [...messages, { role: 'user', content: prompt }];
}

const thought = /^\s*<(think|thinking)>([\s\S]*?)(?:<\/\1>\s*|$)/;

/** The answer and what was thought before it, which some models write into the answer itself. */
export function parted(said: Pick<Said, 'text' | 'reasoning'> | undefined): { text: string; reasoning: string } {
  const { text = '', reasoning = '' } = said ?? {};
  const found = thought.exec(text);
  if (!found) return { text, reasoning };
  return { text: text.slice(found[0].length), reasoning: [reasoning, (found[2] ?? '').trim()].filter(Boolean).join('\n\n') };
}

/** stopped · 68 tokens/s · first token after 212 ms · 11 tokens in, 4 of them reused · 412 out · finish reason stop */
export function figures(said: Said): string[] {
  const { state, measures: m, promptTokens, cachedTokens, finish } = said;
  const list = state === 'stopped' ? ['stopped'] : [];
  if (m) {
    const s = speed(m);
    if (s !== null) list.push(rate(s));
    if (m.first !== null) list.push(`first token after ${duration(m.first - m.asked)}`);
  }
  if (promptTokens !== null) list.push(`${tokens(promptTokens)} tokens in${cachedTokens ? `, ${tokens(cachedTokens)} of them reused` : ''}`);
  if (m?.tokens != null) list.push(`${tokens(m.tokens)} out`);
  if (finish) list.push(`finish reason ${finish}`);
  return list;
}

/** LOCAL · openai, as gpt-4o · 2 attempts, after gone=upstream-unreachable · left out: seed */
export function origin(said: Said): string[] {
  const { from } = said;
  if (!from) return [];
  const list = from.provider && from.provider !== 'local' ? [from.provider] : [];
  if (from.model && from.model !== said.model) list.push(`as ${from.model}`);
  if (from.attempts > 1) list.push(`${from.attempts} attempts`);
  if (from.failed.length > 0) list.push(`after ${from.failed.join(', ')}`);
  if (from.dropped.length > 0) list.push(`left out: ${from.dropped.join(', ')}`);
  return list;
}

/** What a screen reader is told of the last turn: how it stands, and never each token. */
export function announcement(turn: Turn | undefined): string {
  return (turn?.answers ?? [])
    .map(({ model, state, problem, text, finish }) => {
      if (state === 'waiting' || state === 'answering') return `${model} is answering.`;
      if (state === 'stopped') return `${model} was stopped.`;
      if (state === 'failed') return `${model} failed: ${problem?.title}. ${problem?.detail}`;
      return text.trim() === '' ? `${model} answered with nothing.` : `${model} has answered${finish === 'length' ? ', up to the limit of tokens' : ''}.`;
    })
    .join(' ');
}
