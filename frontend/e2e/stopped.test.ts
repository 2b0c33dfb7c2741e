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
