// A button that changes what it does keeps the keyboard.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, it } from 'vitest';
import { eventually, useStage } from './support/stage';
import { startUpstream, type Upstream } from './support/upstream';

const slow = 'endless';
let upstream: Upstream;
const stage = useStage({
  prepare: async ({ dir }) => {
    upstream = await startUpstream();
    await writeFile(
      join(dir, 'settings.json'),
      JSON.stringify({
        providers: [{ name: 'scripted', kind: 'openai', base_url: upstream.url }],
        routes: [{ model: slow, targets: [{ provider: 'scripted', model: 'endless=15ms' }] }],
      }),
    );
  },
});
afterAll(() => upstream?.stop());

const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const answer = () => stage.page.getByRole('article', { name: `Answer of ${slow}` });
const state = (of: Locator) => eventually(() => of.getAttribute('data-state'));
const focused = (of: Locator) => eventually(() => of.evaluate((e) => e === document.activeElement)).toBe(true);

it('keeps the keyboard where an answer is stopped and had again', async () => {
  const { page } = stage;
  await page.evaluate((to) => (location.hash = to), `playground?model=${slow}`);
  await page.getByRole('textbox', { name: 'Message' }).fill('Hello?');
  await page.keyboard.press('Enter');
  await state(answer()).toBe('answering');
  await button(`Stop ${slow}`).focus();
  await page.keyboard.press('Enter');
  await state(answer()).toBe('stopped');
  await focused(button(`Retry ${slow}`));
  await page.keyboard.press('Enter');
  await state(answer()).toBe('answering');
  await focused(button(`Stop ${slow}`));
  await page.keyboard.press('Escape');
  await focused(button(`Retry ${slow}`));
});
