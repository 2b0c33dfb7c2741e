import { expect, it } from 'vitest';
import { readAnew, reused } from './reuse';

it.each([
  [1400, 1200, '1.2k, 86 % of the prompt', '200'],
  [11, 0, '0, 0 % of the prompt', '11'],
  [11, null, '–', '–'],
  [null, 4, '4', '–'],
  [0, 0, '0', '0'],
])('of %j tokens %j were reused: %s, %s read anew', (prompt_tokens, cached_tokens, had, anew) => {
  expect([reused({ prompt_tokens, cached_tokens }), readAnew({ prompt_tokens, cached_tokens })]).toEqual([had, anew]);
});
