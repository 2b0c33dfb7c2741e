import { describe, expect, it } from 'vitest';
import { emptyKey, fieldAt, formOf, isKey, limitsOf, toKey } from './access';

describe('the form of a key', () => {
  it('makes what the server is asked for', () => {
    const asked = toKey({ name: ' editor ', models: ['gpt-*'], requestsPerMinute: 5, tokensPerDay: 0 });
    expect(asked).toEqual({ name: 'editor', limits: { models: ['gpt-*'], requests_per_minute: 5, tokens_per_day: 0 } });
    expect(isKey(asked)).toBe(true);
  });

  it('names the fields that hold no number', () => {
    const wrong = toKey({ ...emptyKey, requestsPerMinute: null });
    expect(wrong).toEqual({ requestsPerMinute: 'takes a number; 0 for no limit' });
    expect(isKey(wrong)).toBe(false);
    expect(Object.keys(toKey({ ...emptyKey, requestsPerMinute: null, tokensPerDay: null }))).toEqual(['requestsPerMinute', 'tokensPerDay']);
  });

  it('is filled from a key', () => {
    expect(formOf({ name: 'a', limits: { models: ['m'], tokens_per_day: 9 } })).toEqual({ name: 'a', models: ['m'], requestsPerMinute: 0, tokensPerDay: 9 });
  });

  it.each([
    ['body.name', 'name'],
    ['body.limits.models[2]', 'models'],
    ['body.limits.requests_per_minute', 'requestsPerMinute'],
    ['body.limits.tokens_per_day', 'tokensPerDay'],
    ['body', null],
  ])('has a field for what is wrong at %s', (location, want) => expect(fieldAt(location)).toBe(want));
});

it.each([
  [{}, 'every model'],
  [{ models: ['small', 'gpt-*'], requests_per_minute: 1 }, 'small, gpt-* · 1 request a minute'],
  [{ requests_per_minute: 60, tokens_per_day: 200_000 }, 'every model · 60 requests a minute · 200k tokens a day'],
])('says what a key may: %o', (limits, want) => expect(limitsOf({ limits })).toBe(want));
