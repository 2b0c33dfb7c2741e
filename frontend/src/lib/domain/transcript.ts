// A conversation as a file: Markdown to read, JSON to work with.
import { speed } from './answer';
import { bodyOf, type Options } from './options';
import { figures, parted, type Said, type Turn } from './talk';
import { dayOf, two } from './units';

export type TranscriptFormat = 'md' | 'json';

/** mlxbar-chat-2026-11-26-1402.md */
export function transcriptName(format: TranscriptFormat, at: Date): string {
  return `mlxbar-chat-${dayOf(at)}-${two(at.getHours())}${two(at.getMinutes())}.${format}`;
}

export const transcript = (format: TranscriptFormat, turns: readonly Turn[], options: Options, at: Date): string =>
  format === 'md' ? markdown(turns, options, at) : json(turns, options, at);

function markdown(turns: readonly Turn[], options: Options, at: Date): string {
  const set = Object.entries(bodyOf(options)).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  const parts = [`# Conversation\n\nSaved ${at.toISOString()}${set.length > 0 ? ` · ${set.join(' · ')}` : ''}`];
  if (options.system.trim() !== '') parts.push(`## System\n\n${options.system}`);
  for (const turn of turns) {
    parts.push(`## User\n\n${turn.prompt}`);
    for (const said of turn.answers) parts.push(answered(said));
  }
  return `${parts.join('\n\n')}\n`;
}

function answered(said: Said): string {
  const { text, reasoning } = parted(said);
  const parts = [`## ${said.model}`];
  if (reasoning) parts.push(reasoning.replace(/^/gm, '> '));
  if (text) parts.push(text);
  if (said.problem) parts.push(`*${said.problem.title}: ${said.problem.detail}*`);
  const line = figures(said).join(' · ');
  if (line) parts.push(`*${line}*`);
  return parts.join('\n\n');
}

function json(turns: readonly Turn[], options: Options, at: Date): string {
  const whole = {
    saved_at: at.toISOString(),
    ...(options.system.trim() !== '' && { system: options.system }),
    options: bodyOf(options),
    turns: turns.map(({ prompt, answers }) => ({ prompt, answers: answers.map(plain) })),
  };
  return `${JSON.stringify(whole, null, 2)}\n`;
}

function plain(said: Said): Record<string, unknown> {
  const { measures: m, from, problem } = said;
  return {
    model: said.model,
    state: said.state,
    ...parted(said),
    finish_reason: said.finish || null,
    prompt_tokens: said.promptTokens,
    cached_tokens: said.cachedTokens,
    completion_tokens: m?.tokens ?? null,
    ttft_ms: m && m.first !== null ? Math.round(m.first - m.asked) : null,
    tokens_per_second: m ? rounded(speed(m)) : null,
    request_id: from?.requestId || problem?.requestId || null,
    backend: from?.backend || null,
    provider: from?.provider || null,
    served_model: from?.model || null,
    attempts: from?.attempts ?? null,
    ...(problem && { problem: { title: problem.title, detail: problem.detail } }),
  };
}

const rounded = (n: number | null): number | null => (n === null ? null : Math.round(n * 10) / 10);
