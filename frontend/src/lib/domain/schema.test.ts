import { describe, expect, it } from 'vitest';
import { defaultOf, facts, hintOf, type Kind } from './schema';
import type { Json } from './patch';

const schema: Json = {
  properties: {
    server: { properties: { max_body_mb: { description: 'The largest body, in MiB.', default: 64, type: 'integer' } } },
    timeouts: { properties: { connect: { description: 'To connect.', default: '10s' } } },
  },
};

it('reads the facts of a setting', () => {
  expect(facts(schema, 'server.max_body_mb')).toEqual({ description: 'The largest body, in MiB.', default: 64 });
  expect(facts(schema, 'server.gone')).toEqual({ description: '', default: null });
  expect(facts(undefined, 'server.addr')).toEqual({ description: '', default: null });
});

describe('the default', () => {
  it.each<[Json, Kind, string, string]>([
    [64, 'number', 'MiB', 'Default: 64 MiB.'],
    [0, 'number', '', 'Default: 0.'],
    ['2m', 'duration', '', 'Default: 2 min.'],
    ['127.0.0.1:10242', 'text', '', 'Default: 127.0.0.1:10242.'],
    [[], 'list', '', 'Default: none.'],
    [['a', 'b'], 'list', '', 'Default: a, b.'],
    [null, 'text', '', 'Default: none.'],
  ])('%j is told as a sentence', (value, kind, unit, sentence) => expect(defaultOf(value, kind, unit)).toBe(sentence));
});

it('says nothing of a setting that it does not know', () => {
  expect(hintOf(facts(schema, 'timeouts.connect'), 'duration')).toBe('To connect. Default: 10 s.');
  expect(hintOf(facts(schema, 'timeouts.gone'), 'duration')).toBe('');
});
