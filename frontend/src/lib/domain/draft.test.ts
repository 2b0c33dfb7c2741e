import { expect, it } from 'vitest';
import { keepable } from './draft';

it('keeps what was changed as it is', () => {
  const patch = {
    timeouts: { chat: '18m' },
    local_only: true,
    engines: { llamacpp: null },
    server: { allowed_origins: ['http://localhost:3000'] },
    providers: [{ name: 'openai', kind: 'openai', base_url: 'https://api.openai.com/v1', api_key_env: 'OPENAI_API_KEY' }],
  };
  expect(keepable(patch)).toEqual(patch);
});

it.each([
  ['a key in the place of the variable that holds it', { api_key_env: 'sk-proj-secret' }],
  ['a key of more lines', { api_key_env: 'A\nsecret' }],
  ['a password in an address', { base_url: 'https://me:secret@example.com/v1' }],
  ['a key in the query of an address', { base_url: 'https://example.com/v1?key=secret' }],
  ['a key in the place of an address', { base_url: 'secret' }],
  ['a key behind an address', { base_url: 'https://example.com/v1#secret' }],
])('leaves out %s', (_, entry) => {
  const kept = keepable({ providers: [{ name: 'p', ...entry }], telemetry: { otlp_endpoint: 'https://me:secret@example.com' } });
  expect(JSON.stringify(kept)).not.toContain('secret');
  expect(kept).toMatchObject({ providers: [{ name: 'p' }] });
});
