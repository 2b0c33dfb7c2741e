// How much of a prompt the engine or provider had already read for a request before, and did not read again; and what to
// do where that is little.
import type { AuditRecord } from '../api/types';
import type { Explanation } from './errors';
import { percent, tokens, unknown } from './units';

type Counted = Pick<AuditRecord, 'prompt_tokens' | 'cached_tokens'>;

/** 1.2k, 86 % of the prompt; a dash where nobody told. */
export function reused({ prompt_tokens: all, cached_tokens: cached }: Counted): string {
  if (cached === null) return unknown;
  return all ? `${tokens(cached)}, ${percent((100 * cached) / all)} of the prompt` : tokens(cached);
}

export const readAnew = ({ prompt_tokens: all, cached_tokens: cached }: Counted): string =>
  all === null || cached === null ? unknown : tokens(Math.max(0, all - cached));

const hints: Record<string, Explanation> = {
  'prefix-changes-at-start': {
    what: 'The first lines of this tool’s prompts change with every request, so that nothing after them could be reused.',
    todo: 'Have it leave out the date, time or id there. For Claude Code, set CLAUDE_CODE_ATTRIBUTION_HEADER to "0" under env in ~/.claude/settings.json, as the page Connect does.',
  },
};

/** What made a request slower than it need have been; null for nothing that is known. */
export const advice = (r: Pick<AuditRecord, 'hint'>): Explanation | null => hints[r.hint] ?? null;
