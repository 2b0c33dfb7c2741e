// The page that connects tools, with the real server and the real engine.
import { describe, expect, it } from 'vitest';
import { violations } from './support/axe';
import { walk } from './support/keyboard';
import { cut } from './support/layout';
import { starter, unreachable } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();
const gone = 'no-such-model';

async function open(tool: string, model = starter): Promise<void> {
  const { page } = stage;
  await page.evaluate((to) => (location.hash = to), `connect/${tool}?for=${model}`);
  await page.getByRole('heading', { level: 2, name: 'Connect' }).waitFor();
  await page.getByRole('heading', { level: 3, name: 'Check' }).waitFor();
  await eventually(() => page.getByRole('combobox', { name: 'Model' }).inputValue()).toBe(model);
}

const check = () => stage.page.getByRole('button', { name: 'Check' });
const clipboard = () => stage.page.evaluate(() => navigator.clipboard.readText());
const requireKey = async (on: boolean) => {
  const answer = await stage.server.api('/api/settings', { method: 'PATCH', body: JSON.stringify({ server: { require_api_key: on } }), headers: { 'Content-Type': 'application/json' } });
  expect(answer.status).toBe(200);
};

it('is reached from the side, the palette and by its key, and shows each tool', async () => {
  const { page } = stage;
  await page.getByRole('link', { name: 'Connect', exact: true }).click();
  await page.getByRole('region', { name: 'For one shell' }).waitFor(); // the first tool
  await page.keyboard.press('Control+1');
  await page.getByRole('heading', { level: 2, name: 'Overview' }).waitFor();
  await page.keyboard.press('Control+5');
  await page.getByRole('heading', { level: 2, name: 'Connect' }).waitFor();
  for (const [name, says] of [
    ['Codex', '~/.codex/config.toml'], ['Cursor', 'through its own servers'], ['Zed', '~/.config/zed/settings.json'], ['Continue', '~/.continue/config.yaml'],
    ['aider', 'OPENAI_API_BASE'], ['opencode', 'opencode.json'], ['curl', '/v1/messages'], ['OpenAI SDK, Go', 'openai-go'], ['Anthropic SDK, Python', 'from anthropic'],
  ] as const) {
    await page.getByRole('link', { name, exact: true }).click();
    await page.getByRole('heading', { level: 3, name, exact: true }).waitFor();
    await page.locator('main').getByText(says).first().waitFor();
  }
});

it('copies what it shows, with the address and the model that was chosen', async () => {
  const { page, server } = stage;
  await open('codex');
  await page.getByRole('button', { name: 'Copy Settings' }).click();
  await eventually(clipboard).toContain(`base_url = "${server.url}/v1"`);
  const settings = await clipboard();
  expect(settings).toContain(`model = "${starter}"`);
  expect(settings).not.toContain('env_key');

  await page.getByRole('combobox', { name: 'Model' }).click();
  await page.getByRole('option', { name: unreachable }).click();
  await page.getByText(`model = "${unreachable}"`).waitFor();
  await page.getByRole('heading', { level: 3, name: 'Codex' }).waitFor(); // the tool stays
  expect(new URL(page.url()).hash).toBe(`#connect/codex?for=${unreachable}`);
});

describe('a check', () => {
  it.each([['claude-code', 'Claude Code', '/v1/messages'], ['codex', 'Codex', '/v1/responses'], ['opencode', 'opencode', '/v1/chat/completions']])('passes for %s and the model of this machine', async (id, name, endpoint) => {
    const { page } = stage;
    await open(id);
    await check().click();
    await page.getByText(`${name} can ask ${starter}.`).waitFor();
    await page.getByText('llamacpp, this machine').waitFor();
    await page.getByText(/^after \d/).first().waitFor();
    const record = await stage.ended();
    expect(record).toMatchObject({ model: starter, endpoint, status: 'success', backend: 'LOCAL' });
    expect(String(record.client)).toMatch(/^mlxbar-check\//);
    await page.getByText(String(record.request_id)).waitFor();
  });

  it('says which models there are when the one that was asked for is not there', async () => {
    const { page } = stage;
    await open('curl', gone);
    await check().click();
    await page.getByText(`There is no model ${gone}. There are: `).waitFor();
    await page.getByText('Choose one of the models that are there').waitFor();
    expect(await stage.ended()).toMatchObject({ model: gone, status: 'error', error_type: 'model-not-found' });
  });

  it('says what a provider that is not there means', async () => {
    await open('claude-code', unreachable);
    await check().click();
    await stage.page.getByText("Is the provider's address right, and does that server run?").waitFor();
  });

  it('forgets what it found when the model or the tool is another', async () => {
    const { page } = stage;
    await open('curl', gone);
    await check().click();
    await page.getByText(`There is no model ${gone}.`).waitFor();
    await page.getByRole('link', { name: 'aider', exact: true }).click();
    await page.getByText('What comes of it appears here.').waitFor();
  });
});

describe('where an API key is required', () => {
  it('says so in the snippets, and checks with a key or without', async () => {
    const { page, server } = stage;
    await requireKey(true);
    try {
      await page.reload();
      await open('codex');
      await page.getByText('env_key = "MLXBAR_API_KEY"').waitFor();
      await page.getByText('This server requires an API key.').first().waitFor();
      await check().click();
      await page.getByText('The check was let in without one').waitFor();
      const field = page.getByLabel('API key for the check');
      await field.fill('sk-mlxbar-nobodys');
      await check().click();
      await page.getByText('not one that this mlxbar gave out').waitFor();
      expect(await violations(page, 'connect with keys')).toEqual([]);
      const made = (await (await server.api('/api/keys', { method: 'POST', body: JSON.stringify({ name: 'a tool' }), headers: { 'Content-Type': 'application/json' } })).json()) as { secret: string };
      await field.fill(made.secret);
      await check().click();
      await page.getByText(`Codex can ask ${starter}.`).waitFor();
    } finally {
      await requireKey(false);
    }
  });
});

it('has nothing that axe-core finds wrong, in light and in dark, before a check and after', async () => {
  const { page } = stage;
  await open('claude-code');
  const found = await violations(page, 'connect');
  await check().click();
  await page.getByText(`Claude Code can ask ${starter}.`).waitFor();
  found.push(...(await violations(page, 'connect passed')));
  await open('cursor', gone);
  await check().click();
  await page.getByText(`There is no model ${gone}.`).waitFor();
  found.push(...(await violations(page, 'connect failed')));
  expect(found).toEqual([]);
});

it('is all reached by the keyboard', async () => {
  await open('claude-code');
  expect(await walk(stage.page, 60)).toEqual(
    expect.arrayContaining(["Copy the server's address", 'Model', 'Claude Code', 'Codex', 'OpenAI SDK, Python', 'For one shell', 'Copy For one shell', 'Check']),
  );
});

it.each([[1600, 1000], [900, 600], [540, 360], [450, 300], [420, 800]])('fits into %i by %i, and cuts no text', async (width, height) => {
  const { page } = stage;
  await page.setViewportSize({ width, height });
  for (const tool of ['claude-code', 'cursor', 'openai-go']) {
    await open(tool);
    expect(await cut(page), tool).toEqual([]);
    const over = await page.evaluate(() =>
      [...document.querySelectorAll('body, main, section, header, nav')].filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => `${e.tagName} ${e.scrollWidth} in ${e.clientWidth}`),
    );
    expect(over, tool).toEqual([]);
  }
});
