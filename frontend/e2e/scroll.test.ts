// Only the page scrolls, not the window around it, and each begins at its top.
import { expect, it } from 'vitest';
import { eventually, useStage } from './support/stage';

const stage = useStage();

const main = () => stage.page.locator('main');
const link = (name: string) => stage.page.getByRole('navigation').getByRole('link', { name, exact: true });

it('leaves the sidebar where it is, however far down a link leads', async () => {
  const { page } = stage;
  await link('Settings').click();
  await page.getByRole('heading', { name: 'Request Timeouts' }).waitFor();
  await link('Audit Logs').click();
  await eventually(() => main().evaluate((m) => m.scrollTop)).toBeGreaterThan(500);
  expect(await page.evaluate(() => [document.scrollingElement?.scrollTop, document.scrollingElement?.scrollHeight])).toEqual([0, 720]);
  expect(await page.getByRole('navigation').first().isVisible()).toBe(true);
});

it('begins a page at its top', async () => {
  // Until what is on it has come, the page may be too short for that.
  await eventually(() => main().evaluate((m) => (m.scrollTo(0, 200), m.scrollTop))).toBe(200);
  await link('Settings').click();
  await stage.page.getByRole('heading', { name: 'Request Timeouts' }).waitFor();
  expect(await main().evaluate((m) => m.scrollTop)).toBe(0);
});
