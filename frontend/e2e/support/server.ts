// The real server on a data folder of its own, with the real engine and the starter model.
import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../../../', import.meta.url));
export const binary = join(root, 'build/bin/mlxbar');
const prepared = join(root, 'build/cache/data');

export const starter = 'smollm2-135m-instruct';
/** A model whose route leads to a port that nobody listens on. */
export const unreachable = 'gone-model';

export class Server {
  readonly dir: string;
  url = '';
  #process: ChildProcess | null = null;
  #port = 0;
  #words = '';
  readonly #killWithUs = () => this.#process?.kill('SIGKILL');

  readonly #program: string;

  private constructor(dir: string, program: string) {
    this.dir = dir;
    this.#program = program;
    process.on('exit', this.#killWithUs);
  }

  /** On a new data folder; program is another one than that in build/bin. */
  static async make(program = binary): Promise<Server> {
    for (const needed of [program, join(prepared, 'runtimes'), join(prepared, 'models', `${starter}.gguf`)]) {
      if (!existsSync(needed)) throw new Error(`${needed} is not there: run make setup`);
    }
    const dir = await mkdtemp(join(tmpdir(), 'mlxbar e2e '));
    await chmod(dir, 0o700);
    for (const folder of ['runtimes', 'models']) await linkEntries(join(prepared, folder), join(dir, folder));
    await writeFile(
      join(dir, 'settings.json'),
      JSON.stringify({
        providers: [{ name: 'gone', kind: 'openai', base_url: 'http://127.0.0.1:1/v1' }],
        routes: [{ model: unreachable, targets: [{ provider: 'gone' }] }],
      }),
    );
    return new Server(dir, program);
  }

  /** Starts the server, the second time on the first time's port; with addr "" where its settings say. */
  async start(addr?: string): Promise<void> {
    const at = addr ?? `127.0.0.1:${this.#port || (await unused())}`;
    const child = spawn(this.#program, ['serve', ...(at ? ['--addr', at] : []), '--data-dir', this.dir], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    child.stderr.on('data', (data: Buffer) => (this.#words += data.toString()));
    const lines = createInterface({ input: child.stdout });
    await new Promise<void>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with ${code} before it was ready: ${this.#words}`)));
      lines.on('line', (line) => {
        this.#words += `${line}\n`;
        const ready = / ready on (http:\S+:(\d+))$/.exec(line);
        if (ready?.[1]) {
          this.url = ready[1];
          this.#port = Number(ready[2]);
          resolve();
        }
      });
    });
  }

  async token(): Promise<string> {
    return (await readFile(join(this.dir, 'run/admin.token'), 'utf8')).trim();
  }

  /** Asks the server as any program does that has the admin token. */
  async api(path: string, init: RequestInit = {}): Promise<Response> {
    return fetch(this.url + path, { ...init, headers: { Authorization: `Bearer ${await this.token()}`, ...init.headers } });
  }

  /** Changes settings. */
  async set(change: object): Promise<void> {
    const response = await this.api('/api/settings', { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(change) });
    if (!response.ok) throw new Error(`the settings were not changed: ${await response.text()}`);
  }

  ended(): boolean {
    return !this.#process || this.#process.exitCode !== null || this.#process.signalCode !== null;
  }

  /** Has the starter model answer with a few tokens, and gives the request's id. */
  async briefly(): Promise<string> {
    const response = await fetch(`${this.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: starter, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4 }),
    });
    if (!response.ok) throw new Error(`the server answered with ${response.status}: ${await response.text()}`);
    return String(response.headers.get('x-request-id'));
  }

  /** Ends the server in order, and waits for it. */
  async stop(): Promise<void> {
    await this.#signal('SIGTERM');
  }

  /** Ends the server as a crash does. */
  async kill(): Promise<void> {
    await this.#signal('SIGKILL');
  }

  async #signal(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (!child || this.ended()) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    process.off('exit', this.#killWithUs);
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A port of those that no system gives away by itself: so nobody takes it while a server is stopped or moves. */
export async function unused(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const listener = createServer();
    const free = await new Promise<boolean>((resolve) => {
      listener.once('error', () => resolve(false));
      listener.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => listener.close(resolve));
    return port;
  }
}

async function linkEntries(from: string, to: string): Promise<void> {
  await mkdir(to, { mode: 0o700 });
  for (const name of await readdir(from)) {
    if (name === '.lock' || name.startsWith('.new-')) continue;
    await symlink(join(from, name), join(to, name));
  }
}
