import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ask, type Piece, type Question } from '../api/chat';
import { getRecord } from '../api/client';
import { ApiError } from '../api/problem';
import { saveFile } from '../api/save';
import type { AuditRecord } from '../api/types';
import { chat } from './chat.svelte';
import { toasts } from './toast.svelte';

vi.mock('../api/chat', () => ({ ask: vi.fn() }));
vi.mock('../api/client', () => ({ getRecord: vi.fn() }));
vi.mock('../api/save', () => ({ saveFile: vi.fn() }));
vi.mock('./server.svelte', () => ({ server: { onLogout: vi.fn() } }));

/** A model that says what a test has it say. */
class Model {
  readonly question: Question;
  #tell: (what: Piece | Error | null) => void = () => undefined;
  #next: Promise<Piece | Error | null>;

  constructor(question: Question) {
    this.question = question;
    this.#next = new Promise((tell) => (this.#tell = tell));
    question.signal.addEventListener('abort', () => this.#tell(new DOMException('', 'AbortError')));
  }

  async *answer(): AsyncGenerator<Piece> {
    for (;;) {
      const what = await this.#next;
      this.#next = new Promise((tell) => (this.#tell = tell));
      if (what === null) return;
      if (what instanceof Error) throw what;
      yield what;
    }
  }

  async says(what: Piece | Error | null): Promise<void> {
    this.#tell(what);
    for (let i = 0; i < 8; i++) await Promise.resolve();
  }
}

const text = (t: string): Piece => ({ text: t, reasoning: '' });
let models: Model[] = [];

beforeEach(() => {
  models = [];
  vi.mocked(ask).mockImplementation((question) => {
    const model = new Model(question);
    models.push(model);
    return model.answer();
  });
  chat.models = ['a', 'b'];
  chat.compared = false;
});
afterEach(() => {
  chat.forget();
  toasts.list = [];
  vi.resetAllMocks();
});

function send(prompt: string): boolean {
  chat.draft = prompt;
  return chat.send();
}

async function answered(prompt: string, answer: string): Promise<void> {
  send(prompt);
  await models.at(-1)?.says(text(answer));
  await models.at(-1)?.says(null);
}

const shown = () => chat.turns.map((t) => [t.prompt, ...t.answers.map((a) => `${a.state}: ${a.text}`)]);
const undo = async () => {
  const last = toasts.list.at(-1);
  if (!last?.action) throw new Error('nothing can be undone');
  await toasts.act(last);
};

describe('a conversation', () => {
  it('goes on from what was said', async () => {
    await answered('One?', 'Yes.');
    await answered('Two?', 'No.');
    expect(shown()).toEqual([['One?', 'done: Yes.'], ['Two?', 'done: No.']]);
    expect(models[1]?.question.messages).toEqual([{ role: 'user', content: 'One?' }, { role: 'assistant', content: 'Yes.' }, { role: 'user', content: 'Two?' }]);
    expect(chat.draft).toBe('');
  });

  it('sends the options that are set, and says nothing while one is wrong', async () => {
    chat.set('temperature', '3');
    expect(send('Hi')).toBe(false);
    expect([chat.draft, chat.turns, chat.faults.temperature]).toEqual(['Hi', [], 'must be from 0 to 2']);
    chat.set('temperature', '0');
    chat.set('system', 'Be brief.');
    expect(chat.send()).toBe(true);
    expect(models[0]?.question).toMatchObject({ options: { temperature: 0 }, messages: [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'Hi' }] });
  });

  it('puts what a server refuses beside the option, until that is changed', async () => {
    send('Hi');
    await models[0]?.says(
      new ApiError({ type: '/problems/invalid-request', title: 'Invalid request', status: 400, detail: 'temperature: must be from 0 to 1', request_id: 'req_1', errors: [{ location: 'body.temperature', detail: 'must be from 0 to 1' }] }),
    );
    expect(chat.turns[0]?.answers[0]?.problem).toMatchObject({ title: 'Invalid request', detail: 'temperature: must be from 0 to 1', requestId: 'req_1' });
    expect(chat.faults).toEqual({ temperature: 'must be from 0 to 1' });
    chat.set('temperature', '1');
    expect(chat.faults).toEqual({});
  });

  it('takes no second question while one is answered, none without words, and none without a model', async () => {
    expect(send(' \n')).toBe(false);
    send('One?');
    expect(send('Two?')).toBe(false);
    expect(chat.draft).toBe('Two?');
    await models[0]?.says(null);
    chat.models[0] = '';
    expect(chat.send()).toBe(false);
    expect(models.length).toBe(1);
  });
});

it('has the record say why an answer was cut off, where the connection took that along', async () => {
  vi.mocked(getRecord).mockRejectedValueOnce(new Error('not yet'));
  vi.mocked(getRecord).mockResolvedValueOnce({ status: 'error', error_type: 'upstream-failed' } as AuditRecord);
  send('Hi');
  await models[0]?.says({ ...text('He'), from: { requestId: 'req_1', backend: 'OPENAI', provider: 'x', model: 'a', attempts: 1, failed: [], dropped: [] } });
  await models[0]?.says(new ApiError({ type: '/problems/upstream-cut', title: 'Cut off', status: 502, detail: 'The connection ended.' }));
  expect(chat.turns[0]?.answers[0]?.problem).toEqual({ title: 'Cut off', detail: 'The connection ended.', requestId: 'req_1', fields: [] });
  await vi.waitFor(() => expect(chat.turns[0]?.answers[0]?.problem?.detail).toContain('answered with an error of its own'));
  expect(vi.mocked(getRecord).mock.calls).toEqual([['req_1'], ['req_1']]);
});

describe('two models', () => {
  it('are asked the same and answer on their own: one stops, one fails, one goes on', async () => {
    chat.compared = true;
    send('Hi');
    expect(models.map((m) => m.question.model)).toEqual(['a', 'b']);
    await models[0]?.says(text('Hel'));
    await models[1]?.says(text('Bo'));
    chat.turns[0]?.answers[0]?.stop();
    await models[0]?.says(null);
    expect(chat.busy).toBe(true);
    await models[1]?.says(text('njour'));
    await models[1]?.says(new ApiError({ type: '/problems/upstream-cut', title: 'Cut off', status: 502, detail: '' }));
    expect(shown()).toEqual([['Hi', 'stopped: Hel', 'failed: Bonjour']]);
    expect(chat.busy).toBe(false);
    expect(chat.turns[0]?.answers.map((a) => a.problem?.title)).toEqual([undefined, 'Cut off']);
  });
});

describe('what can be undone', () => {
  it('is an edit, which takes what came after it', async () => {
    await answered('One?', 'Yes.');
    await answered('Two?', 'No.');
    chat.edit(chat.turns[0]?.id ?? 0, 'Uno?');
    await models[2]?.says(text('Sí.'));
    expect(shown()).toEqual([['Uno?', 'answering: Sí.']]);
    expect(models[2]?.question.messages).toEqual([{ role: 'user', content: 'Uno?' }]);
    await undo();
    expect(shown()).toEqual([['One?', 'done: Yes.'], ['Two?', 'done: No.']]);
    expect(models[2]?.question.signal.aborted).toBe(true);
  });

  it('is another try', async () => {
    await answered('One?', 'Yes.');
    chat.retry(0);
    await models[1]?.says(text('Perhaps.'));
    await models[1]?.says(null);
    expect(shown()).toEqual([['One?', 'done: Perhaps.']]);
    await undo();
    expect(shown()).toEqual([['One?', 'done: Yes.']]);
  });

  it('is that all was cleared, until something else is asked', async () => {
    await answered('One?', 'Yes.');
    chat.clear();
    expect(chat.turns).toEqual([]);
    await undo();
    expect(shown()).toEqual([['One?', 'done: Yes.']]);
    chat.clear();
    send('Two?');
    expect(toasts.list).toEqual([]);
  });

  it('is nothing once somebody has logged out', async () => {
    chat.set('system', 'Secret.');
    await answered('One?', 'Yes.');
    chat.clear();
    chat.forget();
    expect([chat.turns, chat.draft, chat.options.system, toasts.list]).toEqual([[], '', '', []]);
  });
});

it('is saved when somebody says so', async () => {
  await answered('One?', 'Yes.');
  vi.mocked(saveFile).mockResolvedValueOnce('chat.md');
  await chat.save('md');
  const [name, content] = vi.mocked(saveFile).mock.calls[0] ?? [];
  expect(name).toMatch(/^mlxbar-chat-[\d-]+\.md$/);
  expect(await content?.text()).toContain('## User\n\nOne?\n\n## a\n\nYes.');
  expect(toasts.list.at(-1)?.text).toBe('Saved chat.md');
  vi.mocked(saveFile).mockRejectedValueOnce(new Error('the disk is full'));
  await chat.save('json');
  expect(toasts.list.at(-1)).toMatchObject({ text: 'Not saved: the disk is full', tone: 'bad' });
});
