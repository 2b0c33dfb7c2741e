// Pictures of the pages, with requests that were really made.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, it } from 'vitest';
import { root, starter, unreachable } from '../support/server';
import { eventually, useStage } from '../support/stage';

const stage = useStage({ login: false });
const docs = join(root, 'docs');

async function ask(path: string, body: object, client: string): Promise<void> {
  const response = await fetch(stage.server.url + path, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'User-Agent': client },
    body: JSON.stringify(body),
  });
  await response.text();
}

beforeAll(async () => {
  await mkdir(join(docs, 'img'), { recursive: true });
  const messages = [{ role: 'user', content: 'Name three rivers.' }];
  for (let i = 0; i < 9; i++) await ask('/v1/chat/completions', { model: starter, messages, max_tokens: 8 + 3 * i }, i % 2 ? 'an-editor/2.1' : 'OpenAI/Python 2.0');
  for (let i = 0; i < 6; i++) await ask('/v1/embeddings', { model: starter, input: 'A river' }, 'notes/1.4');
  await ask('/v1/chat/completions', { model: unreachable, messages }, 'an-editor/2.1');
});

/** Takes a picture of the page as it stands. */
async function take(name: string, colorScheme: 'light' | 'dark', clip?: { x: number; y: number; width: number; height: number }): Promise<void> {
  await stage.page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
  await stage.page.screenshot({ path: join(docs, `${name}.png`), caret: 'hide', ...(clip && { clip }) });
}

it('takes the pictures of the overview', async () => {
  const { page } = stage;
  await stage.login();
  await stage.ask('Say hello in one sentence.', starter);
  await page.getByText('first token after').waitFor();
  await eventually(async () => (await stage.newest()).status).toBe('success');
  await page.locator('canvas').first().waitFor();
  await take('screenshot', 'light');
  await take('img/overview-dark', 'dark');
});

it('takes the pictures of providers and routes', async () => {
  const { page, server } = stage;
  const was = (await (await server.api('/api/settings')).json()) as { providers: object[]; routes: object[] };
  const patch = (body: object) => server.api('/api/settings', { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  await patch({
    providers: [
      { name: 'openai', kind: 'openai', base_url: 'https://api.openai.com/v1' },
      { name: 'anthropic', kind: 'anthropic', base_url: 'https://api.anthropic.com/v1' },
      { name: 'ollama', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1' },
    ],
    routes: [
      { model: 'gpt-*', targets: [{ provider: 'openai' }, { provider: 'local', model: starter }] },
      { model: 'claude-*', targets: [{ provider: 'anthropic' }] },
      { model: 'fast', targets: [{ provider: 'local', model: starter }, { provider: 'ollama', model: 'qwen3:8b' }] },
    ],
  });
  await page.setViewportSize({ width: 1080, height: 860 });
  await stage.login();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByText('without a key').first().waitFor();
  await page.getByLabel('Where would a model go?').fill('gpt-4o-mini');
  await page.keyboard.press('Enter');
  await page.getByText('the route gpt-* decides').waitFor();
  await page.getByRole('link', { name: 'Providers', exact: true }).click();
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await take('img/routes-light', 'light');
  await take('img/routes-dark', 'dark');
  await patch(was);
});

it('takes the pictures of the settings, the audit and the palette', async () => {
  const { page } = stage;
  await stage.login();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await page.getByRole('slider', { name: 'Chat' }).waitFor();
  await take('img/settings-light', 'light');
  await take('img/settings-dark', 'dark');
  await page.getByRole('link', { name: 'Audit Logs' }).click();
  await page.getByRole('region', { name: 'Table of the audit' }).locator('tr[data-request]').first().waitFor();
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await take('img/audit-light', 'light', { x: 0, y: 0, width: 1080, height: 560 });
  await page.keyboard.press('Control+k');
  await page.getByRole('option', { name: 'Overview' }).waitFor();
  const box = (await page.getByRole('dialog').boundingBox()) ?? { x: 0, y: 0, width: 1080, height: 720 };
  await take('img/palette-light', 'light', box);
  await take('img/palette-dark', 'dark', box);
});
