import { describe, expect, it } from 'vitest';
import { matching, score } from './search';

describe('matching', () => {
  const models = ['gpt-4o-mini', 'qwen3-8b-4bit', 'smollm2-135m-instruct', 'Café 8b'];
  const find = (typed: string) => matching(models, typed, (m) => m);

  it.each([
    ['', models],
    ['  ', models],
    ['8b', ['qwen3-8b-4bit', 'Café 8b']],
    ['4bit qwen', ['qwen3-8b-4bit']],
    ['GPT', ['gpt-4o-mini']],
    ['cafe', ['Café 8b']],
    ['gpt qwen', []],
    ['.*', []],
  ])('finds by "%s"', (typed, found) => expect(find(typed)).toEqual(found));

  it('puts what begins with the word first, then what has it at the beginning of a part', () => {
    expect(matching(['a mini', 'gemini', 'mini b'], 'mini', (m) => m)).toEqual(['mini b', 'a mini', 'gemini']);
    expect(score('mini', 'x')).toBe(0);
  });

  it('puts what is called exactly so before what only begins with it', () => {
    const commands = [
      { name: 'Chat with a model', more: '' },
      { name: 'Playground', more: 'chat with a model' },
      { name: 'Chat', more: 'Request Timeouts' },
    ];
    expect(matching(commands, 'chat ', (c) => c.name, (c) => c.more).map((c) => c.name)).toEqual(['Chat', 'Chat with a model', 'Playground']);
  });
});
