// Pictures of the playground: the starter model, and a scripted provider that says something with more forms in it.
import { join } from 'node:path';
import { afterAll, beforeAll, it } from 'vitest';
import { root, starter } from '../support/server';
import { eventually, useStage } from '../support/stage';
import { leadTo, startUpstream, type Upstream } from '../support/upstream';

let upstream: Upstream;
const stage = useStage({
  prepare: async (server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server, { echo: 'echo=2ms' }, []);
  },
});
beforeAll(async () => void (await stage.server.briefly()));
afterAll(() => upstream?.stop());

it('takes the pictures of the playground', async () => {
  const { page } = stage;
  await page.evaluate((model) => (location.hash = `playground?model=${model}`), starter);
  await page.getByRole('button', { name: 'Add a second model' }).click();
  const second = page.getByRole('combobox', { name: 'Second model' });
  await second.click();
  await page.getByRole('option', { name: 'echo' }).click();
  await page.getByRole('button', { name: /^Options/ }).click();
  for (const [name, value] of [['System prompt', 'Answer briefly.'], ['Temperature', '0'], ['Max tokens', '90']] as const) await page.getByRole('dialog').getByLabel(name, { exact: true }).fill(value);
  await page.keyboard.press('Escape');
  await page.getByRole('textbox', { name: 'Message' }).fill('How do I reverse a list in Python?\n\n```python\nnumbers = [1, 2, 3]\n```');
  await page.keyboard.press('Enter');
  await eventually(() => page.getByRole('article').evaluateAll((all) => all.map((a) => a.getAttribute('data-state')))).toEqual(['done', 'done']);
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(root, `docs/img/playground-${colorScheme}.png`), caret: 'hide' });
  }
});
