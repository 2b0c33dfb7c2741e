import { describe, expect, it } from 'vitest';
import { said } from './talk.fixture';
import { announcement, calledAmong, figures, messagesFor, origin, parted, type Said, type Turn } from './talk';

const turn = (prompt: string, ...answers: Said[]): Turn => ({ id: 1, prompt, answers });
const roles = (before: Turn[], column: number, system = '') => messagesFor(before, column, system, 'Now?').map((m) => `${m.role}: ${m.content}`);

describe('what a model is sent', () => {
  it('is the instructions, what was said so far, and the question', () => {
    expect(roles([], 0, 'Be brief.')).toEqual(['system: Be brief.', 'user: Now?']);
    expect(roles([turn('Hi', said({ text: 'Hello.' }))], 0, '  ')).toEqual(['user: Hi', 'assistant: Hello.', 'user: Now?']);
  });

  it('is in each column what that model said, and the first where it was not asked', () => {
    const before = [turn('One', said({ text: 'A1' })), turn('Two', said({ text: 'A2' }), said({ text: 'B2' }))];
    expect(roles(before, 1)).toEqual(['user: One', 'assistant: A1', 'user: Two', 'assistant: B2', 'user: Now?']);
    expect(roles(before, 0)).toEqual(['user: One', 'assistant: A1', 'user: Two', 'assistant: A2', 'user: Now?']);
  });

  it('leaves out turns without an answer, keeps one that was stopped, and no thoughts', () => {
    const before = [turn('Lost', said({ text: '', state: 'failed' })), turn('Half', said({ text: 'So f', state: 'stopped' })), turn('Hard', said({ text: '<think>Hm.</think>\n\nYes.' }))];
    expect(roles(before, 0)).toEqual(['user: Half', 'assistant: So f', 'user: Hard', 'assistant: Yes.', 'user: Now?']);
  });
});

describe('what was thought', () => {
  it.each([
    ['told apart', 'Yes.', 'Hm.', { text: 'Yes.', reasoning: 'Hm.' }],
    ['written before the answer', '<think>\nHm.\n</think>\n\nYes.', '', { text: 'Yes.', reasoning: 'Hm.' }],
    ['still going on', '<think>Hm. So', '', { text: '', reasoning: 'Hm. So' }],
    ['empty', '<think>\n\n</think>\nYes.', '', { text: 'Yes.', reasoning: '' }],
    ['spoken of later', 'A <think>b</think> c', '', { text: 'A <think>b</think> c', reasoning: '' }],
  ])('%s', (_, text, reasoning, want) => {
    expect(parted({ text, reasoning })).toEqual(want);
  });
});

describe('under an answer', () => {
  it('stand its figures, as far as they are known', () => {
    expect(figures(said())).toEqual(['68 tokens/s', 'first token after 212 ms', '1.4k tokens in, 1.2k of them reused', '69 out', 'finish reason stop']);
    expect(figures(said({ measures: { asked: 0, first: null, last: null, tokens: null }, promptTokens: null, finish: '' }))).toEqual([]);
    expect(figures(said({ measures: null, cachedTokens: 0, finish: '' }))).toEqual(['1.4k tokens in']);
  });

  it('stands who gave it, where that is more than the model itself', () => {
    const from = said().from;
    if (!from) throw new Error('the fixture has no origin');
    expect(origin(said())).toEqual([]);
    expect(origin(said({ from: { ...from, provider: 'openai', model: 'gpt-4o', attempts: 2, failed: ['gone=upstream-unreachable'], dropped: ['seed'] } }))).toEqual([
      'openai', 'as gpt-4o', '2 attempts', 'after gone=upstream-unreachable', 'left out: seed',
    ]);
  });
});

it('tells a screen reader how the answers stand, whatever their text', () => {
  const answering = turn('Hi', said({ state: 'answering', text: 'Hel' }), said({ model: 'b', state: 'failed', problem: { title: 'Cut off', detail: 'It broke.', requestId: '', fields: [] } }));
  expect(announcement(answering)).toBe('a is answering. b failed: Cut off. It broke.');
  expect(announcement(turn('Hi', said({ finish: 'length' }), said({ model: 'b', text: ' ' })))).toBe('a has answered, up to the limit of tokens. b answered with nothing.');
  expect(announcement(turn('Hi', said({ state: 'stopped' })))).toBe('a was stopped.');
  expect(announcement(undefined)).toBe('');
});

it('tells two answers of one model apart', () => {
  expect([calledAmong([{ model: 'a' }], 0), calledAmong([{ model: 'a' }, { model: 'b' }], 1)]).toEqual(['a', 'b']);
  expect([0, 1].map((column) => calledAmong([{ model: 'a' }, { model: 'a' }], column))).toEqual(['a, first', 'a, second']);
});
