import { expect, it } from 'vitest';
import { said } from './talk.fixture';
import { noOptions } from './options';
import type { Turn } from './talk';
import { transcript, transcriptName } from './transcript';

const at = new Date('2026-11-26T14:02:00Z');
const options = { ...noOptions, system: 'Be brief.', temperature: '0' };
const turns: Turn[] = [
  {
    id: 1,
    prompt: 'Hi\n# there',
    answers: [
      said({ text: 'Hello.', reasoning: 'Greet.\nBack.' }),
      said({ model: 'b', text: 'He', state: 'failed', measures: null, promptTokens: null, finish: '', from: null, problem: { title: 'Cut off', detail: 'It broke.', requestId: 'req_2', fields: [] } }),
    ],
  },
];

it('is Markdown to read', () => {
  expect(transcript('md', turns, options, at)).toBe(`# Conversation

Saved 2026-11-26T14:02:00.000Z · temperature: 0

## System

Be brief.

## User

Hi
# there

## a

> Greet.
> Back.

Hello.

*68 tokens/s · first token after 212 ms · 1.4k tokens in, 1.2k of them reused · 69 out · finish reason stop*

## b

He

*Cut off: It broke.*
`);
});

it('is JSON to work with', () => {
  expect(JSON.parse(transcript('json', turns, options, at))).toEqual({
    saved_at: '2026-11-26T14:02:00.000Z',
    system: 'Be brief.',
    options: { temperature: 0 },
    turns: [
      {
        prompt: 'Hi\n# there',
        answers: [
          {
            model: 'a', state: 'done', text: 'Hello.', reasoning: 'Greet.\nBack.', finish_reason: 'stop', prompt_tokens: 1400, cached_tokens: 1200, completion_tokens: 69,
            ttft_ms: 212, tokens_per_second: 68, request_id: 'req_1', backend: 'LOCAL', provider: null, served_model: 'a', attempts: 1,
          },
          {
            model: 'b', state: 'failed', text: 'He', reasoning: '', finish_reason: null, prompt_tokens: null, cached_tokens: 1200, completion_tokens: null,
            ttft_ms: null, tokens_per_second: null, request_id: 'req_2', backend: null, provider: null, served_model: null, attempts: null,
            problem: { title: 'Cut off', detail: 'It broke.' },
          },
        ],
      },
    ],
  });
  expect(JSON.parse(transcript('json', [], noOptions, at))).toEqual({ saved_at: '2026-11-26T14:02:00.000Z', options: {}, turns: [] });
});

it('has a name with the day and the minute, in local time', () => {
  expect(transcriptName('md', new Date(2026, 0, 2, 3, 4))).toBe('mlxbar-chat-2026-01-02-0304.md');
  expect(transcriptName('json', new Date(2026, 10, 26, 14, 2))).toBe('mlxbar-chat-2026-11-26-1402.json');
});
