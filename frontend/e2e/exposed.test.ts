// A server that other machines can reach, as its pages tell of it.
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { violations } from './support/axe';
import { cut } from './support/layout';
import { starter } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage({ login: false });

beforeAll(async () => {
  const { server } = stage;
  await server.stop();
  await server.start('0.0.0.0:0');
});
beforeEach(async () => {
  await stage.login();
  await stage.page.getByRole('link', { name: 'Settings', exact: true }).click();
  await notice().waitFor();
});

const region = (name: string) => stage.page.getByRole('region', { name, exact: true });
const notice = () => stage.page.getByText('Other machines can reach mlxbar', { exact: true });
const ask = (key?: string) => fetch(`${stage.server.url}/v1/models`, { headers: key ? { Authorization: `Bearer ${key}` } : {} });

it('says so, and that without a key everything is refused, until one is made', async () => {
  const { page, server } = stage;
  const port = new URL(server.url).port;
  await page.getByText(`It listens on 0.0.0.0:${port}.`).waitFor();
  await page.getByText('There is no key yet: all are refused until you make one.').waitFor();
  expect((await ask()).status).toBe(401);
  expect(await violations(page, 'reachable by others')).toEqual([]);
  expect(await cut(page)).toEqual([]);

  await page.getByRole('button', { name: 'API keys', exact: true }).click();
  await region('API Keys').getByText('No key yet: until there is one, every request for a model is refused.').waitFor();
  await region('API Keys').getByText('so a key is needed whatever stands here').waitFor();
  await page.getByRole('button', { name: 'Make a key' }).click();
  await page.getByRole('textbox', { name: 'Name', exact: true }).fill('editor');
  await page.getByRole('button', { name: 'Make the key' }).click();
  const secret = page.getByText(/^sk-mlxbar-/);
  await secret.waitFor();
  expect((await ask(await secret.innerText())).status).toBe(200);
  await page.keyboard.press('Escape');
  await eventually(() => page.getByText('There is no key yet').count()).toBe(0);
  expect(await notice().count()).toBe(1);
});

it('tells tools of the key that they need', async () => {
  const { page } = stage;
  await page.evaluate((to) => (location.hash = to), `connect/codex?for=${starter}`);
  await page.getByText('env_key = "MLXBAR_API_KEY"').waitFor();
  await page.getByText('This server requires an API key.').first().waitFor();
});
