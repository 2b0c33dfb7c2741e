// The conversation of the playground. It is here as long as the window or the browser's page is, and nowhere else.
import { ask, type Piece } from '../api/chat';
import { getRecord } from '../api/client';
import { ApiError, sentence } from '../api/problem';
import { saveFile } from '../api/save';
import { begin, heard, type Measures } from '../domain/answer';
import { explain } from '../domain/errors';
import { bodyOf, faultsOf, noOptions, optionAt, type Faults, type OptionName } from '../domain/options';
import { messagesFor, type AnsweredBy, type AnswerState, type Fault, type Message, type Said, type Turn } from '../domain/talk';
import { transcript, transcriptName, type TranscriptFormat } from '../domain/transcript';
import { server } from './server.svelte';
import { toasts } from './toast.svelte';

const explainTries = 10;
const explainPause = 200;
const drawnEvery = 50; // milliseconds: tokens come faster than anybody reads

export class Answer implements Said {
  state = $state<AnswerState>('waiting');
  text = $state('');
  reasoning = $state('');
  measures = $state.raw<Measures | null>(null);
  promptTokens = $state<number | null>(null);
  cachedTokens = $state<number | null>(null);
  finish = $state('');
  from = $state.raw<AnsweredBy | null>(null);
  problem = $state.raw<Fault | null>(null);
  readonly busy = $derived(this.state === 'waiting' || this.state === 'answering');

  readonly #control = new AbortController();
  #text = '';
  #reasoning = '';
  #drawing: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly model: string) {}

  stop(): void {
    this.#control.abort();
  }

  async run(messages: readonly Message[], options: Record<string, unknown>): Promise<void> {
    const { signal } = this.#control;
    this.measures = begin(performance.now());
    try {
      for await (const piece of ask({ model: this.model, messages, options, signal })) this.#heard(piece);
      this.#draw();
      this.state = 'done';
    } catch (error) {
      this.#draw();
      if (signal.aborted) this.state = 'stopped';
      else {
        this.problem = faultOf(error, this.from?.requestId ?? '');
        this.state = 'failed';
        if (error instanceof ApiError && error.kind === 'upstream-cut' && !error.requestId && this.from) await this.#explain(this.from.requestId);
      }
    }
  }

  /** A browser forgets what it has not handed over when a connection breaks, the server's last word among it. The record says it too, as soon as it is complete. */
  async #explain(requestId: string): Promise<void> {
    for (let tries = 0; tries < explainTries; tries++) {
      const record = await getRecord(requestId).catch(() => null);
      const known = record && explain(record);
      if (known && this.problem) {
        this.problem = { ...this.problem, detail: `${known.what} ${known.todo}` };
        return;
      }
      await new Promise((passed) => setTimeout(passed, explainPause));
    }
  }

  #heard(piece: Piece): void {
    if (piece.from) this.from = piece.from;
    this.#text += piece.text;
    this.#reasoning += piece.reasoning;
    if (this.measures) this.measures = heard(this.measures, performance.now(), piece.text || piece.reasoning, piece.completionTokens);
    if (piece.promptTokens !== undefined) this.promptTokens = piece.promptTokens;
    if (piece.cachedTokens !== undefined) this.cachedTokens = piece.cachedTokens;
    if (piece.finish) this.finish = piece.finish;
    if (this.state === 'waiting' && (piece.text || piece.reasoning)) {
      this.state = 'answering';
      this.#draw();
    }
    this.#drawing ??= setTimeout(() => this.#draw(), drawnEvery);
  }

  #draw(): void {
    clearTimeout(this.#drawing);
    this.#drawing = undefined;
    this.text = this.#text;
    this.reasoning = this.#reasoning;
  }
}

function faultOf(error: unknown, requestId: string): Fault {
  if (!(error instanceof ApiError)) return { title: 'Not answered', detail: sentence(error), requestId, fields: [] };
  const { title, message, fields } = error;
  return { title, detail: message === title ? '' : message, requestId: error.requestId || requestId, fields: fields.map(({ location, detail }) => ({ location, detail })) };
}

class Chat {
  turns = $state.raw<readonly Turn<Answer>[]>([]);
  models = $state<[string, string]>(['', '']);
  /** Whether a second model is asked too. */
  compared = $state(false);
  options = $state({ ...noOptions });
  /** What is being written. */
  draft = $state('');
  /** What servers said of options. */
  #refused = $state.raw<Faults>({});
  readonly faults: Faults = $derived({ ...this.#refused, ...faultsOf(this.options) });
  readonly busy = $derived(this.turns.at(-1)?.answers.some((a) => a.busy) ?? false);
  readonly asked = $derived(this.compared ? this.models : this.models.slice(0, 1));
  /** Whether there is somebody to ask, and nothing wrong with the options. */
  readonly able = $derived(this.asked.every((m) => m !== '') && Object.keys(faultsOf(this.options)).length === 0);

  #last = 0;
  #undo = 0;

  set(name: OptionName, text: string): void {
    this.options[name] = text;
    const { [name]: _, ...others } = this.#refused;
    this.#refused = others;
  }

  /** Asks what is being written; false when that cannot be. */
  send(): boolean {
    const prompt = this.draft;
    if (!this.#put(this.turns, prompt)) return false;
    this.draft = '';
    return true;
  }

  /** Asks a turn's question in other words. What came after it goes. */
  edit(id: number, prompt: string): boolean {
    const was = this.turns;
    const at = was.findIndex((t) => t.id === id);
    if (at < 0 || !this.able) return false;
    this.stop();
    if (!this.#put(was.slice(0, at), prompt, true)) return false;
    this.#canUndo(at + 1 < was.length ? 'Asked anew. What came after it is gone.' : 'Asked anew.', was);
    return true;
  }

  /** Has the model of a column answer the last turn again. */
  retry(column: number): void {
    const was = this.turns;
    const turn = was.at(-1);
    const old = turn?.answers[column];
    if (!turn || !old || old.busy) return;
    const before = was.slice(0, -1);
    const answer = new Answer(this.asked[column] || old.model);
    this.#settle();
    this.turns = [...before, { ...turn, answers: turn.answers.map((a, i) => (i === column ? answer : a)) }];
    void this.#run(answer, before, column, turn.prompt);
    if (old.text) this.#canUndo('Answered anew.', was);
  }

  stop(): void {
    for (const answer of this.turns.at(-1)?.answers ?? []) answer.stop();
  }

  clear(): void {
    const was = this.turns;
    if (was.length === 0) return;
    this.stop();
    this.#settle();
    this.turns = [];
    this.#canUndo('Conversation cleared.', was);
  }

  /** Leaves nothing of it, for whoever comes next. */
  forget(): void {
    this.stop();
    this.#settle();
    this.turns = [];
    this.draft = '';
    this.options = { ...noOptions };
    this.#refused = {};
  }

  async save(format: TranscriptFormat): Promise<void> {
    const now = new Date();
    const kind = format === 'md' ? 'text/markdown' : 'application/json';
    try {
      const where = await saveFile(transcriptName(format, now), new Blob([transcript(format, this.turns, this.options, now)], { type: kind }));
      if (where) toasts.show({ text: `Saved ${where}`, tone: 'ok' });
    } catch (error) {
      toasts.show({ text: `Not saved: ${sentence(error)}`, tone: 'bad' });
    }
  }

  #put(before: readonly Turn<Answer>[], prompt: string, anew = false): boolean {
    if (prompt.trim() === '' || (!anew && this.busy) || !this.able) return false;
    this.#settle();
    const answers = this.asked.map((model) => new Answer(model));
    this.turns = [...before, { id: ++this.#last, prompt, answers }];
    answers.forEach((answer, column) => void this.#run(answer, before, column, prompt));
    return true;
  }

  async #run(answer: Answer, before: readonly Turn<Answer>[], column: number, prompt: string): Promise<void> {
    await answer.run(messagesFor(before, column, this.options.system, prompt), bodyOf(this.options));
    for (const { location, detail } of answer.problem?.fields ?? []) {
      const name = optionAt(location);
      if (name) this.#refused = { ...this.#refused, [name]: detail };
    }
  }

  /** From now on another change is the last one. */
  #settle(): void {
    toasts.dismiss(this.#undo);
  }

  #canUndo(text: string, was: readonly Turn<Answer>[]): void {
    this.#undo = toasts.show({
      text,
      action: {
        label: 'Undo',
        run: () => {
          this.stop();
          this.turns = was;
        },
      },
    });
  }
}

export const chat = new Chat();

server.onLogout(() => chat.forget());
