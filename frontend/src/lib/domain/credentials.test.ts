import { expect, it } from 'vitest';
import type { ProviderState } from '../api/types';
import { keyWord, testWord, tokenTestWord, tokenWord } from './credentials';

const states: [ProviderState['key']['state'], string, string][] = [
  ['none', 'without a key', 'muted'],
  ['variable-set', 'key from FAR_KEY', 'muted'],
  ['variable-not-set', 'FAR_KEY is not set', 'bad'],
  ['in-keychain', 'key in the keychain', 'muted'],
  ['not-in-keychain', 'its key is not in the keychain', 'bad'],
  ['keychain-locked', 'the keychain is locked', 'warn'],
  ['no-keychain', 'there is no keychain', 'bad'],
  ['keychain-unreadable', 'the keychain does not answer', 'bad'],
];
it.each(states)('of a key that is %s it says: %s', (state, text, tone) => {
  expect(keyWord({ api_key_env: 'FAR_KEY', key: { state, source: 'none', detail: '' } })).toEqual({ text, tone });
});

it('says how a provider answered', () => {
  expect(testWord({ ok: true, duration_ms: 120, models: 43 })).toEqual({ text: 'It answered in 120 ms and lists 43 models.', tone: 'ok' });
  expect(testWord({ ok: true, duration_ms: 1, models: 1 }).text).toContain('1 model.');
  expect(testWord({ ok: true, duration_ms: 1, models: 0 }).text).toContain('no models.');
  const problem = { kind: 'upstream-key', title: 'Key refused', detail: 'Provider far refused the key (401).' };
  expect(testWord({ ok: false, duration_ms: 3, models: 0, problem })).toEqual({ text: problem.detail, tone: 'bad' });
});

it('says where the token of the Hub is, and what the Hub said to it', () => {
  expect(tokenWord({ state: 'none' })).toEqual({ text: 'without a token', tone: 'muted' });
  expect(tokenWord({ state: 'variable-set' }).text).toBe('token from HF_TOKEN');
  expect(tokenWord({ state: 'variable-not-set' })).toEqual({ text: 'HF_TOKEN holds no token', tone: 'bad' });
  expect(tokenTestWord({ ok: true, duration_ms: 120, account: 'somebody' })).toEqual({ text: 'It answered in 120 ms and knows the token as that of somebody.', tone: 'ok' });
  const problem = { kind: 'hub-refused', title: 'Hub refused', detail: 'It does not take the token.' };
  expect(tokenTestWord({ ok: false, duration_ms: 3, account: '', problem })).toEqual({ text: problem.detail, tone: 'bad' });
});
