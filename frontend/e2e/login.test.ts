import { expect, it } from 'vitest';
import { useStage } from './support/stage';

const stage = useStage({ login: false });

it('asks for the admin token, and says why when it is wrong', async () => {
  const { page } = stage;
  await page.getByLabel('Admin token').fill('not-the-token');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByText('This is not the admin token').waitFor();
  expect(await page.getByLabel('Admin token').inputValue()).toBe('');
  expect(await page.getByLabel('Admin token').getAttribute('aria-invalid')).toBe('true');
  expect(await page.getByRole('heading', { name: 'Overview' }).count()).toBe(0);

  await stage.login();
  await page.getByText('No requests yet').waitFor();
});

it('stays logged in over a reload, until Log out', async () => {
  const { page } = stage;
  await stage.login();
  await page.reload();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.getByRole('button', { name: 'Log out' }).click();
  await page.getByLabel('Admin token').waitFor();
  await page.reload();
  await page.getByLabel('Admin token').waitFor();
});

it('keeps the token out of addresses, storage and scripts', async () => {
  const { page } = stage;
  const asked: string[] = [];
  page.on('request', (request) => asked.push(request.url()));
  await stage.login();
  const token = await stage.server.token();
  const seen = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }, location.href]));
  expect([seen, ...asked].filter((text) => text.includes(token))).toEqual([]);
  expect(await page.evaluate(() => document.cookie)).toBe('');
});
