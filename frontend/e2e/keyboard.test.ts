// A button that changes what it does keeps the keyboard.
import { afterAll, it } from 'vitest';
import { focused } from './support/keyboard';
import { state, useStage } from './support/stage';
import { leadTo, startUpstream, type Upstream } from './support/upstream';

const slow = 'endless';
let upstream: Upstream;
const stage = useStage({
  prepare: async (server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server, { [slow]: 'endless=15ms' }, []);
  },
});
afterAll(() => upstream?.stop());

const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const answer = () => stage.page.getByRole('article', { name: `Answer of ${slow}` });

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
