import { expect, it } from 'vitest';
import { starter } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();

it('says that the server is stopped, and goes on when it is back', async () => {
  const { page, server } = stage;
  const id = await server.briefly();
  await stage.row(id).waitFor();

  await server.stop();
  await page.getByText('The server is stopped').waitFor();
  expect(await page.getByRole('button', { name: 'Ask' }).getAttribute('aria-disabled')).toBe('true');
  expect(await page.getByRole('button', { name: 'Export CSV' }).getAttribute('aria-disabled')).toBe('true');
  expect(await stage.row(id).count()).toBe(1); // what was known is still to be read

  await server.start();
  await page.getByLabel('Admin token').waitFor(); // sessions live in the server's memory
  await stage.login();
  await stage.row(id).waitFor();
  await stage.ask('And now?', starter);
  await page.getByText('first token after').waitFor();
});

it('stops the server with its button', async () => {
  const { page, server } = stage;
  await page.locator('main header').getByRole('button', { name: 'Stop' }).click();
  await page.getByText('The server is stopped').waitFor();
  await eventually(() => server.ended()).toBe(true);
  await server.start();
});

it('says that an answer was cut off when the server dies in its middle', async () => {
  const { page, server } = stage;
  await stage.ask('Write a long story about a river.', starter);
  await stage.streamed(20);
  await server.kill();
  await page.getByText('The answer was cut off').waitFor();
  await page.getByText('The server is stopped').waitFor();
  expect(await page.locator('tbody tr').first().innerText()).not.toContain('running'); // nobody knows

  await server.start();
  await page.getByLabel('Admin token').waitFor();
  await stage.login();
  await page.locator('tr').filter({ hasText: 'interrupted' }).waitFor();
});

it('keeps the audit to be read while the server is stopped, and shows what came when it is back', async () => {
  const { page, server } = stage;
  const id = await server.briefly();
  await page.getByRole('link', { name: 'Settings' }).click();
  const row = (request: string) => page.getByRole('region', { name: 'Table of the audit' }).locator(`tr[data-request="${request}"]`);
  await row(id).waitFor();
  await server.stop();
  await eventually(() => page.getByRole('button', { name: 'Delete all' }).getAttribute('aria-disabled')).toBe('true');
  expect(await row(id).count()).toBe(1);

  await server.start();
  const meanwhile = await server.briefly();
  await page.getByLabel('Admin token').fill(await server.token());
  await page.keyboard.press('Enter');
  await row(meanwhile).waitFor();
  await row(id).waitFor();
});
