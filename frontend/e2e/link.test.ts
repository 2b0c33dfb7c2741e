import { expect, it } from 'vitest';
import { useStage } from './support/stage';

const stage = useStage({ login: false });

async function link(): Promise<string> {
  const response = await stage.server.api('/api/session/link', { method: 'POST' });
  expect(response.status).toBe(201);
  return ((await response.json()) as { url: string }).url;
}

it('logs in by a link, which leaves no trace in the address', async () => {
  const { page } = stage;
  await page.goto(await link());
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  expect(page.url()).not.toContain('code');
  await page.reload();
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
});

it('says why a link that has been used does not log in', async () => {
  const { page } = stage;
  const used = await link();
  expect((await fetch(used, { redirect: 'manual' })).status).toBe(303);
  await page.goto(used);
  await page.getByText('This link has been used or is too old').waitFor();
  expect(page.url()).toBe(`${stage.server.url}/`);
  // The page that says so takes the token.
  await stage.login();
});

it('leaves who is logged in already alone', async () => {
  const { page } = stage;
  await page.goto(await link());
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  await page.goto(`${stage.server.url}/login?code=guess`);
  await page.getByRole('heading', { name: 'Overview' }).waitFor();
  expect(await page.getByText('This link has been used').count()).toBe(0);
});
