// Pictures of the benchmarks page, with results that were really measured on a scripted provider.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { root, Server } from '../support/server';
import { useStage } from '../support/stage';
import { leadTo, measure, startUpstream, type Upstream } from '../support/upstream';

const img = join(root, 'docs/img');
let upstream: Upstream;
const stage = useStage({
  login: false,
  prepare: async (server: Server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server);
  },
});
afterAll(() => upstream?.stop());

beforeAll(async () => {
  await mkdir(img, { recursive: true });
  const well = ['--runs', '20', '--concurrency', '1,2,4', '--prompt', 'short'];
  for (const label of ['first', 'second', 'third']) await measure(stage.server, label, well);
});

it('takes the pictures of the benchmarks', async () => {
  const { page } = stage;
  await page.setViewportSize({ width: 1080, height: 720 });
  await stage.login();
  await page.evaluate(() => (location.hash = 'benchmarks'));
  await page.getByRole('button', { name: 'Compare with the run before' }).first().click();
  await page.getByRole('slider', { name: 'Values of Before against after' }).waitFor();
  await page.getByRole('slider', { name: 'Values of Time to first token' }).waitFor();
  const take = async (name: string, colorScheme: 'light' | 'dark') => {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(img, `${name}-${colorScheme}.png`), caret: 'hide' });
  };
  await page.mouse.move(0, 0);
  await take('benchmarks', 'light');
  const values = page.getByRole('slider', { name: 'Values of Time between tokens' });
  await values.evaluate((e) => e.closest('section')?.scrollIntoView({ block: 'start' }));
  await values.focus();
  await take('benchmarks-charts', 'light');
  await take('benchmarks-charts', 'dark');
});
