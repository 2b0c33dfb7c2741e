// Another address, set on the page: the server moves while it runs, and the page goes along.
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo, type Server as Listener } from 'node:net';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, it } from 'vitest';
import { unused } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage({ login: false });

beforeAll(async () => {
  // Where the settings say, not where the command line does.
  const { server } = stage;
  await server.stop();
  const file = join(server.dir, 'settings.json');
  const settings = JSON.parse(await readFile(file, 'utf8')) as object;
  await writeFile(file, JSON.stringify({ ...settings, server: { addr: '127.0.0.1:0' } }));
  await server.start('');
});

beforeEach(async () => {
  await stage.login();
  await stage.page.getByRole('link', { name: 'Settings', exact: true }).click();
  await stage.page.getByRole('slider', { name: 'Chat' }).waitFor();
});

const address = () => stage.page.getByRole('textbox', { name: 'Address', exact: true });
const save = () => stage.page.getByRole('button', { name: 'Save' }).click();

const listenSomewhere = (): Promise<{ listener: Listener; port: number }> =>
  new Promise((resolve) => {
    const listener = createServer();
    listener.listen(0, '127.0.0.1', () => resolve({ listener, port: (listener.address() as AddressInfo).port }));
  });

it('says at the field that an address is taken, and stays where it is', async () => {
  const { page, server } = stage;
  const { listener, port } = await listenSomewhere();
  try {
    await address().fill(`127.0.0.1:${port}`);
    await save();
    await page.getByRole('alert').filter({ hasText: `Address cannot be taken: port ${port} is taken` }).waitFor();
    expect(new URL(page.url()).origin).toBe(server.url);
    expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  } finally {
    listener.close();
  }
});

it('goes to the new address with the page, which stays logged in', async () => {
  const { page, server } = stage;
  const port = await unused();
  const before = server.url;
  await address().fill(`127.0.0.1:${port}`);
  await save();
  server.url = `http://127.0.0.1:${port}`;
  await eventually(() => new URL(page.url()).origin).toBe(server.url);
  await eventually(() => address().inputValue()).toBe(`127.0.0.1:${port}`);
  expect(new URL(page.url()).hash).toBe('#settings');
  const old = () => fetch(`${before}/healthz`).then(() => 'answers', () => 'gone');
  await eventually(old).toBe('gone'); // a connection that was open there carries one more answer

  // And the page lives on there: it hears, and saves.
  await page.getByRole('spinbutton', { name: 'Chat, minutes' }).fill('25');
  await save();
  await page.getByText('Saved', { exact: true }).waitFor();
});
