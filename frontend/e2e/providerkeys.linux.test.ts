// Providers' keys on the page, with a real keychain: set, tested and removed, and never shown again.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { violations } from './support/axe';
import { Keychain } from './support/keychain';
import { eventually, useStage } from './support/stage';
import { startUpstream, type Upstream } from './support/upstream';

const key = 'sk-secret-of-the-scripted-provider';
let upstream: Upstream;
let keychain: Keychain;
const stage = useStage({
  prepare: async () => {
    upstream = await startUpstream('-key', key);
    keychain = await Keychain.start();
  },
});
afterAll(async () => {
  await upstream?.stop();
  await keychain?.stop();
});

const patch = (body: unknown) =>
  stage.server.api('/api/settings', { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

beforeEach(async () => {
  await stage.server.api('/api/providers/scripted/key', { method: 'DELETE' });
  await patch({ providers: [{ name: 'scripted', kind: 'openai', base_url: upstream.url }], routes: [{ model: 'first', targets: [{ provider: 'scripted', model: 'ok-4' }] }] });
  await stage.page.getByRole('link', { name: 'Settings', exact: true }).click();
  await entry('scripted').waitFor();
});

const providers = () => stage.page.getByRole('region', { name: 'Providers', exact: true });
const entry = (name: string) => providers().locator('button[aria-expanded]').filter({ has: stage.page.getByText(name, { exact: true }) });
const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const field = () => providers().getByLabel('Key', { exact: true });
const says = (text: string) => providers().getByText(text, { exact: true }).waitFor();
const keptUnder = async () => ((await (await stage.server.api('/api/settings')).json()) as { providers: { api_key_keychain?: string }[] }).providers[0]?.api_key_keychain;
const ask = () =>
  fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ model: 'first', messages: [{ role: 'user', content: 'Hello' }] }),
  });

async function set(value: string): Promise<void> {
  await field().fill(value);
  await stage.page.keyboard.press('Enter');
}

it('are set, tested and used, and stand nowhere on the page or in a file', async () => {
  const { page, server } = stage;
  await says('without a key');
  await button('Test scripted').click();
  await providers().getByText('none is set').waitFor();
  expect((await ask()).ok).toBe(false);

  await entry('scripted').click();
  expect(await field().getAttribute('type')).toBe('password');
  await set(key);
  await page.getByText('The key of scripted is in the keychain.').waitFor();
  await says('key in the keychain');
  expect(await field().inputValue()).toBe('');
  expect(await page.content()).not.toContain(key);
  expect(await page.getByText('The settings were changed outside').count()).toBe(0); // it was oneself
  expect(await keptUnder()).toBe('scripted');
  await button('Test scripted').click();
  await providers().getByText(/^It answered in .* and lists \d+ models\.$/).waitFor();
  expect((await ask()).status).toBe(200);

  await page.reload();
  await says('key in the keychain');
  await entry('scripted').click();
  expect(await field().inputValue()).toBe('');
  expect(await violations(page, 'provider key')).toEqual([]);
  for (const name of await readdir(server.dir, { recursive: true, withFileTypes: true })) {
    if (name.isFile()) expect((await readFile(join(name.parentPath, name.name))).includes(key), name.name).toBe(false);
  }
});

it('that are wrong are told apart from none', async () => {
  await entry('scripted').click();
  await set('sk-wrong');
  await says('key in the keychain');
  await button('Test scripted').click();
  await providers().getByText('refused the key').waitFor();
  await set('two words');
  await providers().getByRole('alert').filter({ hasText: 'without blanks' }).waitFor();
});

it('leave what is unsaved beside them alone', async () => {
  const { page } = stage;
  await button('Add Ollama').click();
  await entry('scripted').click();
  await page.getByText('Save this provider first').waitFor(); // of the new one
  await providers().getByLabel('Key', { exact: true }).first().fill(key);
  await page.keyboard.press('Enter');
  await says('key in the keychain');
  await page.getByText('1 change', { exact: true }).waitFor();
  expect(await page.getByText('The settings were changed outside').count()).toBe(0);
  await button('Save').click();
  await page.getByText('Saved', { exact: true }).waitFor();
  expect(await keptUnder()).toBe('scripted');
  expect((await ask()).status).toBe(200);
});

it('are removed when the time to undo that is over, and not when it is undone', async () => {
  const { page } = stage;
  await entry('scripted').click();
  await set(key);
  await says('key in the keychain');
  await button('Remove the key of scripted').click();
  await button('Undo').click();
  await page.getByText('The keychain has it. What is set here takes its place.').waitFor();
  expect(await keptUnder()).toBe('scripted');
  await button('Remove the key of scripted').click();
  await says('without a key'); // after ten seconds
  expect(await keptUnder()).toBeUndefined();
  expect((await ask()).ok).toBe(false);
});

it('are removed at once when the page is left meanwhile', async () => {
  const { page } = stage;
  await entry('scripted').click();
  await set(key);
  await says('key in the keychain');
  await button('Remove the key of scripted').click();
  await button('Undo').waitFor();
  await page.goto('about:blank');
  await eventually(keptUnder).toBeUndefined();
});

it('of a provider that goes can be removed after it', async () => {
  const { page } = stage;
  await entry('scripted').click();
  await set(key);
  await says('key in the keychain');
  await patch({ routes: [] });
  await button('Remove scripted').click();
  await button('Save').click();
  await page.getByText('The keychain still has the key of scripted.').waitFor();
  await button('Remove it').click();
  await page.getByText('Removed the key of scripted.').waitFor();
  expect((await stage.server.api('/api/providers/scripted/key', { method: 'DELETE' })).status).toBe(404); // there is none
});

it('cannot be set for a provider that is not saved as it stands', async () => {
  const { page } = stage;
  await entry('scripted').click();
  await providers().getByLabel('Address', { exact: true }).fill('http://127.0.0.1:9/v1');
  await page.getByText('Save this provider first').waitFor();
  expect(await field().isDisabled()).toBe(true);
  expect(await button('Test scripted').getAttribute('aria-disabled')).toBe('true');
  await button('Revert').click();
  await eventually(() => field().isDisabled()).toBe(false);
});

it('say when the keychain is locked', async () => {
  const { page, server } = stage;
  await entry('scripted').click();
  await set(key);
  await says('key in the keychain');
  await keychain.lock();
  await server.stop(); // what it had read it has forgotten
  await server.start();
  await page.goto(server.url);
  await stage.login();
  await page.getByRole('link', { name: 'Settings', exact: true }).click();
  await says('the keychain is locked');
});
