// What is said of a provider's key, and of how it answered.
import type { HubTokenTest, ProviderState, ProviderTest, SecretState } from '../api/types';
import { duration } from './units';

export interface Said {
  text: string;
  tone: 'muted' | 'ok' | 'warn' | 'bad';
}

/** Where a provider's key is, in a few words; the server has the sentence. */
export const keyWord = ({ key, api_key_env: variable }: Pick<ProviderState, 'key' | 'api_key_env'>): Said => word(key.state, 'key', variable);

/** Where the Hub's token is. */
export const tokenWord = (token: Pick<SecretState, 'state'>): Said => word(token.state, 'token', 'HF_TOKEN');

function word(state: SecretState['state'], what: 'key' | 'token', variable: string): Said {
  switch (state) {
    case 'none':
      return { text: `without a ${what}`, tone: 'muted' };
    case 'variable-set':
      return { text: `${what} from ${variable}`, tone: 'muted' };
    case 'in-keychain':
      return { text: `${what} in the keychain`, tone: 'muted' };
    case 'variable-not-set':
      return { text: what === 'token' ? `${variable} holds no token` : `${variable} is not set`, tone: 'bad' };
    case 'not-in-keychain':
      return { text: `its ${what} is not in the keychain`, tone: 'bad' };
    case 'keychain-locked':
      return { text: 'the keychain is locked', tone: 'warn' };
    case 'no-keychain':
      return { text: 'there is no keychain', tone: 'bad' };
    case 'keychain-unreadable':
      return { text: 'the keychain does not answer', tone: 'bad' };
  }
}

/** How a provider answered to a test. */
export function testWord({ ok, duration_ms, models, problem }: ProviderTest): Said {
  if (!ok) return { text: problem?.detail || problem?.title || 'It did not answer well.', tone: 'bad' };
  const lists = models === 1 ? '1 model' : models === 0 ? 'no models' : `${models} models`;
  return { text: `It answered in ${duration(duration_ms)} and lists ${lists}.`, tone: 'ok' };
}

/** What the Hub said to its token. */
export function tokenTestWord({ ok, duration_ms, account, problem }: HubTokenTest): Said {
  if (!ok) return { text: problem?.detail || problem?.title || 'It did not answer well.', tone: 'bad' };
  return { text: `It answered in ${duration(duration_ms)} and knows the token as that of ${account}.`, tone: 'ok' };
}
