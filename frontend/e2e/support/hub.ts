// A Hugging Face Hub of the tests' own (cmd/fakehub), which servers that are started from here on ask.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { root } from './server';

const program = join(root, 'build/bin/fakehub');

/** What goes wrong with one download, as backend/testkit/hub has it; pause is in nanoseconds between two KiB. */
export interface Fault {
  status?: number;
  retryAfter?: string;
  cutAfter?: number;
  wrong?: boolean;
  pause?: number;
}

export class FakeHub {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(child: ChildProcess, lines: Interface) {
    this.#child = child;
    this.#lines = lines[Symbol.asyncIterator]();
  }

  static async start(): Promise<FakeHub> {
    if (!existsSync(program)) throw new Error(`${program} is not there: run make setup`);
    const child = spawn(program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    const hub = new FakeHub(child, createInterface({ input: child.stdout }));
    const url = / on (http:\S+)$/.exec(await hub.#next())?.[1];
    if (!url) throw new Error('the Hub of the tests did not start');
    process.env.HF_ENDPOINT = url;
    process.env.HF_TOKEN = ''; // keeps the keychain out
    return hub;
  }

  /** Puts a file into a repository, out of one on disk. */
  add = (repo: string, file: string, from: string): Promise<number> => this.#tell({ repo, file, from });

  /** Has it say that a file is of another size. */
  claim = (repo: string, file: string, claim: number): Promise<number> => this.#tell({ repo, file, claim });

  /** Has a repository want a token. */
  gate = (repo: string, gate: string): Promise<number> => this.#tell({ repo, gate });

  /** Says what happens to the next downloads of a file; those after them go well. */
  fail = (file: string, ...fail: Fault[]): Promise<number> => this.#tell({ file, fail });

  /** How often it was asked so far. */
  asked = (): Promise<number> => this.#tell({});

  async stop(): Promise<void> {
    delete process.env.HF_ENDPOINT;
    delete process.env.HF_TOKEN;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }

  async #tell(order: object): Promise<number> {
    this.#child.stdin?.write(`${JSON.stringify(order)}\n`);
    const said = /^ok (\d+)$/.exec(await this.#next());
    if (!said) throw new Error(`the Hub of the tests does not do ${JSON.stringify(order)}`);
    return Number(said[1]);
  }

  async #next(): Promise<string> {
    const { value } = (await this.#lines.next()) as { value?: string };
    return value ?? '';
  }
}
