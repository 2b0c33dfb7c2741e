// How much of a prompt the engine or provider had already read for a request before, and did not read again.
import type { AuditRecord } from '../api/types';
import { percent, tokens, unknown } from './units';

type Counted = Pick<AuditRecord, 'prompt_tokens' | 'cached_tokens'>;

/** 1.2k, 86 % of the prompt; a dash where nobody told. */
export function reused({ prompt_tokens: all, cached_tokens: cached }: Counted): string {
  if (cached === null) return unknown;
  return all ? `${tokens(cached)}, ${percent((100 * cached) / all)} of the prompt` : tokens(cached);
}

export const readAnew = ({ prompt_tokens: all, cached_tokens: cached }: Counted): string =>
  all === null || cached === null ? unknown : tokens(Math.max(0, all - cached));
