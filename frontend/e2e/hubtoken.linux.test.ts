// The Hub's token on the page, with a real keychain: set, tested, used and removed, and never shown again.
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { violations } from './support/axe';
import { FakeHub } from './support/hub';
import { Keychain } from './support/keychain';
import { cut } from './support/layout';
import { eventually, useStage } from './support/stage';

const token = 'hf_the-token-of-somebody';
const repo = 'maker/Gated-GGUF';
let hub: FakeHub;
let keychain: Keychain;
let scratch = '';

const stage = useStage({
  prepare: async () => {
    keychain = await Keychain.start();
    hub = await FakeHub.start();
    delete process.env.HF_TOKEN; // which would keep the keychain out
    scratch = await mkdtemp(join(tmpdir(), 'mlxbar hub '));
    await writeFile(join(scratch, 'other'), 'no model');
    await hub.add(repo, 'gated-Q4_0.gguf', join(scratch, 'other'));
    await hub.gate(repo, token);
  },
});
afterAll(async () => {
  await hub?.stop();
  await keychain?.stop();
  if (scratch) await rm(scratch, { recursive: true });
});

beforeEach(async () => {
  await stage.server.api('/api/hub/token', { method: 'DELETE' });
  await stage.page.evaluate(() => (location.hash = 'models/discover'));
  await panel().getByText('without a token').waitFor();
});

const panel = () => stage.page.getByRole('region', { name: 'Token', exact: true });
const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const field = () => panel().getByLabel('Token of the Hub', { exact: true });
const says = (text: string | RegExp) => panel().getByText(text).waitFor();

async function set(value: string): Promise<void> {
  await field().fill(value);
  await stage.page.keyboard.press('Enter');
}

async function open(): Promise<void> {
  await stage.page.getByRole('searchbox', { name: 'Search the Hub' }).fill('Gated');
  await stage.page.keyboard.press('Enter');
  await stage.page.locator(`[data-repo="${repo}"]`).getByRole('button').first().click();
}

it('is set, tested and used, and stands nowhere on the page or in a file', async () => {
  const { page, server } = stage;
  expect(await button('Test the Hub’s token').getAttribute('aria-disabled')).toBe('true');
  await open();
  await page.getByText('Its files could not be listed').waitFor();
  await button('Set a token').click(); // leads to the field
  await eventually(() => field().evaluate((f) => f === document.activeElement)).toBe(true);
  expect(await field().getAttribute('type')).toBe('password');
  await set('hf_wrong');
  await says('token in the keychain');
  await button('Test the Hub’s token').click();
  await says(/does not take the token/);
  await set(token);
  await page.getByText('The Hub’s token is in the keychain.').last().waitFor();
  expect(await field().inputValue()).toBe('');
  await button('Test the Hub’s token').click();
  await says(/^It answered in .* and knows the token as that of somebody\.$/);
  await button('Try again').click();
  await page.locator('[data-offer="gated-Q4_0.gguf"]').waitFor();
  expect(await violations(page, 'hub token')).toEqual([]);
  expect(await cut(page)).toEqual([]);
  expect(await page.content()).not.toContain(token);
  for (const name of await readdir(server.dir, { recursive: true, withFileTypes: true })) {
    if (name.isFile()) expect((await readFile(join(name.parentPath, name.name))).includes(token), name.name).toBe(false);
  }
});

it('is refused where it can be none', async () => {
  await set('two words');
  await panel().getByRole('alert').filter({ hasText: 'without blanks' }).waitFor();
  await says('without a token');
});

it('is removed when the time to undo that is over, and not when it is undone', async () => {
  await set(token);
  await says('token in the keychain');
  await button('Remove the Hub’s token').click();
  await says('It goes out of the keychain in a moment.');
  await button('Undo').click();
  await says('The keychain has it. What is set here takes its place.');
  await button('Remove the Hub’s token').click();
  await says('without a token'); // after ten seconds
});

it('is not tested while nothing may leave the machine, and can be set', async () => {
  await set(token);
  await says('token in the keychain');
  await stage.server.set({ local_only: true });
  await stage.page.getByText('Nothing may leave this machine').first().waitFor();
  expect(await button('Test the Hub’s token').getAttribute('aria-disabled')).toBe('true');
  await stage.server.set({ local_only: false });
});

it('says when the keychain is locked', async () => {
  const { page } = stage;
  await set(token);
  await says('token in the keychain');
  await keychain.lock();
  await page.reload();
  await says('the keychain is locked');
});
