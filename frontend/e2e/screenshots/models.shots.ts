// Pictures of the models, with a Hub of our own: nothing is asked elsewhere.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, it } from 'vitest';
import { FakeHub } from '../support/hub';
import { root, starter } from '../support/server';
import { eventually, useStage } from '../support/stage';

const img = join(root, 'docs/img');
const repo = 'maker/SmolLM2-135M-Instruct-GGUF';
let hub: FakeHub;

const stage = useStage({
  prepare: async () => {
    hub = await FakeHub.start();
    process.env.HF_TOKEN = 'hf_of-a-picture'; // the keychain stays out, and the page has something usual to say
    const weights = join(root, 'build/cache/data/models', `${starter}.gguf`);
    for (const file of ['Q4_K_M', 'Q8_0', 'F16']) await hub.add(repo, `SmolLM2-135M-Instruct-${file}.gguf`, weights);
    await hub.add('maker/SmolLM2-360M-Instruct-GGUF', 'SmolLM2-360M-Instruct-Q4_K_M.gguf', weights);
  },
});
afterAll(() => hub?.stop());

async function take(name: string, ...schemes: ('light' | 'dark')[]): Promise<void> {
  for (const dismiss of await stage.page.getByRole('button', { name: 'Dismiss' }).all()) await dismiss.click();
  // Where this machine keeps the folder is nothing for a picture.
  await stage.page.evaluate((dir) => {
    for (const e of document.querySelectorAll('.font-mono')) if (e.textContent?.startsWith(dir)) e.textContent = e.textContent.replace(dir, '~/.local/share/mlxbar');
    (document.activeElement as HTMLElement | null)?.blur();
  }, stage.server.dir);
  for (const colorScheme of schemes) {
    await stage.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await stage.page.screenshot({ path: join(img, `models-${name}${colorScheme}.png`), caret: 'hide' });
  }
}

it('takes the pictures of the models', async () => {
  const { page, server } = stage;
  await mkdir(img, { recursive: true });
  await server.briefly();
  await page.setViewportSize({ width: 1080, height: 860 });
  const go = (tab: string) => page.evaluate((to) => (location.hash = to), `models/${tab}`);
  await go('discover');
  await page.getByRole('searchbox', { name: 'Search the Hub' }).fill('smollm2');
  await page.keyboard.press('Enter');
  await page.locator(`[data-repo="${repo}"]`).getByRole('button').first().click();
  await hub.fail('SmolLM2-135M-Instruct-Q8_0.gguf', { pause: 1_000_000 });
  await page.getByRole('button', { name: 'Download SmolLM2-135M-Instruct-Q4_K_M.gguf' }).click();
  await page.getByRole('button', { name: 'Installed: show smollm2-135m-instruct-q4_k_m' }).waitFor();
  await page.getByRole('button', { name: 'Download SmolLM2-135M-Instruct-Q8_0.gguf' }).click();
  await page.locator('[data-downloads]').waitFor();
  await take('discover-', 'light');
  await go('downloading');
  await eventually(() => page.locator('[data-far]').last().innerText()).toContain('left');
  await take('downloading-', 'light');
  await go('installed');
  await page.locator(`[data-share="${starter}"]`).waitFor();
  await page.locator(`[data-model="${starter}"]`).getByRole('button', { name: starter }).first().click();
  await take('', 'light', 'dark');
});
