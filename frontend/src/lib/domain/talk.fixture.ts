// An answer for tests.
import type { Said } from './talk';

export const said = (some: Partial<Said> = {}): Said => ({
  model: 'a',
  state: 'done',
  text: 'Hello.',
  reasoning: '',
  measures: { asked: 1000, first: 1212, last: 2212, tokens: 69 },
  promptTokens: 1400,
  cachedTokens: 1200,
  finish: 'stop',
  from: { requestId: 'req_1', backend: 'LOCAL', provider: '', model: 'a', attempts: 1, failed: [], dropped: [] },
  problem: null,
  ...some,
});
