// A scripted provider (cmd/fakeupstream), two models of known speed among what it offers, and benchmarks that are measured on those.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root, unreachable, type Server } from './server';

export const quick = 'quick-model';
export const slow = 'slow-model';

const program = join(root, 'build/bin/fakeupstream');

export interface Upstream {
  url: string;
  stop(): Promise<void>;
}

/** Starts the provider, with flags of cmd/fakeupstream; it ends with this process at the latest. */
export async function startUpstream(...flags: string[]): Promise<Upstream> {
  if (!existsSync(program)) throw new Error(`${program} is not there: run make setup`);
  const child = spawn(program, ['-addr', '127.0.0.1:0', '-until-stdin', ...flags], { stdio: ['pipe', 'pipe', 'inherit'] });
  for await (const line of createInterface({ input: child.stdout })) {
    const ready = / on (http:\S+)$/.exec(line);
    if (!ready?.[1]) continue;
    const ended = once(child, 'exit');
    return {
      url: ready[1],
      stop: async () => {
        child.stdin.end();
        await ended;
      },
    };
  }
  throw new Error('the scripted provider did not start');
}

interface Route {
  model: string;
  targets: { provider: string; model?: string }[];
}

/**
 * Has the server, before it starts, lead models to scripts of the provider, the two of known speed by default. Further routes may lead
 * to scripted as well, and to gone, where nobody answers.
 */
export async function leadTo(
  upstream: Upstream,
  { dir }: Server,
  scripts: Readonly<Record<string, string>> = { [quick]: 'usage-12=3ms', [slow]: 'usage-12=9ms' },
  further: readonly Route[] = [{ model: unreachable, targets: [{ provider: 'gone' }] }],
): Promise<void> {
  const scripted = Object.entries(scripts).map(([model, script]) => ({ model, targets: [{ provider: 'scripted', model: script }] }));
  const gone = { name: 'gone', kind: 'openai', base_url: 'http://127.0.0.1:1/v1' };
  await writeFile(
    join(dir, 'settings.json'),
    JSON.stringify({
      providers: [{ name: 'scripted', kind: 'openai', base_url: upstream.url }, ...(further.length > 0 ? [gone] : [])],
      routes: [...scripted, ...further],
    }),
  );
}

/** Measures both models as anyone does in a terminal, and keeps the results in the server. */
export async function measure(server: Server, label: string, more: readonly string[] = []): Promise<void> {
  const flags = ['--model', `${quick},${slow}`, '--prompt', 'short,medium', '--concurrency', '1,2', '--runs', '6', '--max-tokens', '12', ...more];
  const child = spawn(join(root, 'build/bin/mlx-benchmark'), ['suite', '--save', '--data-dir', server.dir, '--label', label, '--format', 'csv', ...flags], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let words = '';
  child.stderr.on('data', (data: Buffer) => (words += data.toString()));
  const [code] = (await once(child, 'exit')) as [number];
  if (code !== 0) throw new Error(`mlx-benchmark ended with ${code}: ${words}`);
}
