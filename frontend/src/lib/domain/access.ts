// API keys: what a form makes of one, and what is said of it.
import type { AccessKey, KeyRequest } from '../api/types';
import { tokens } from './units';

/** What somebody fills in. null is what is no number. */
export interface KeyForm {
  name: string;
  models: readonly string[];
  requestsPerMinute: number | null;
  tokensPerDay: number | null;
}

export const emptyKey: KeyForm = { name: '', models: [], requestsPerMinute: 0, tokensPerDay: 0 };

export const formOf = ({ name, limits }: Pick<AccessKey, 'name' | 'limits'>): KeyForm => ({
  name,
  models: limits.models ?? [],
  requestsPerMinute: limits.requests_per_minute ?? 0,
  tokensPerDay: limits.tokens_per_day ?? 0,
});

type KeyField = keyof KeyForm;

/** The form's field that a problem document means by its location: body.limits.models[0]. */
const fields: readonly [prefix: string, field: KeyField][] = [
  ['body.name', 'name'],
  ['body.limits.models', 'models'],
  ['body.limits.requests_per_minute', 'requestsPerMinute'],
  ['body.limits.tokens_per_day', 'tokensPerDay'],
];
export const fieldAt = (location: string): KeyField | null => fields.find(([prefix]) => location.startsWith(prefix))?.[1] ?? null;

/** What is to be asked of the server, or which fields hold no number. */
export function toKey({ name, models, requestsPerMinute, tokensPerDay }: KeyForm): KeyRequest | Partial<Record<KeyField, string>> {
  if (requestsPerMinute !== null && tokensPerDay !== null) {
    return { name: name.trim(), limits: { models: [...models], requests_per_minute: requestsPerMinute, tokens_per_day: tokensPerDay } };
  }
  const wanted = 'takes a number; 0 for no limit';
  return { ...(requestsPerMinute === null ? { requestsPerMinute: wanted } : {}), ...(tokensPerDay === null ? { tokensPerDay: wanted } : {}) };
}

export const isKey = (what: ReturnType<typeof toKey>): what is KeyRequest => 'name' in what && 'limits' in what;

/** What a key may, in a few words. */
export function limitsOf({ limits }: Pick<AccessKey, 'limits'>): string {
  const { models = [], requests_per_minute: requests = 0, tokens_per_day: perDay = 0 } = limits;
  const words = [models.length > 0 ? models.join(', ') : 'every model'];
  if (requests > 0) words.push(`${requests} ${requests === 1 ? 'request' : 'requests'} a minute`);
  if (perDay > 0) words.push(`${tokens(perDay)} tokens a day`);
  return words.join(' · ');
}
