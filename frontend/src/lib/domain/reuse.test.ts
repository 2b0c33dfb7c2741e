import { expect, it } from 'vitest';
import { advice, readAnew, reused } from './reuse';

it.each([
  [1400, 1200, '1.2k, 86 % of the prompt', '200'],
  [11, 0, '0, 0 % of the prompt', '11'],
  [11, null, '–', '–'],
  [null, 4, '4', '–'],
  [0, 0, '0', '0'],
])('of %j tokens %j were reused: %s, %s read anew', (prompt_tokens, cached_tokens, had, anew) => {
  expect([reused({ prompt_tokens, cached_tokens }), readAnew({ prompt_tokens, cached_tokens })]).toEqual([had, anew]);
});

it('has advice for a prompt whose beginning changes, and for nothing else', () => {
  expect(advice({ hint: 'prefix-changes-at-start' })?.todo).toContain('CLAUDE_CODE_ATTRIBUTION_HEADER');
  expect(advice({ hint: '' })).toBeNull();
  expect(advice({ hint: 'of a later version' })).toBeNull();
});
