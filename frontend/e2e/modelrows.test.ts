// A model's row on the page of the models: what is typed into it, its path, and its look where there is little room.
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { violations } from './support/axe';
import { starter } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();

const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const row = () => stage.page.locator(`[data-model="${starter}"]`);

async function show(): Promise<void> {
  await stage.page.evaluate(() => (location.hash = 'models/installed'));
  await stage.page.getByRole('heading', { level: 2, name: 'Models' }).waitFor();
}

it('keeps what is not saved while the page is open, says so, and has the browser ask before it is lost', async () => {
  const { page } = stage;
  const form = page.getByRole('form', { name: `Settings of ${starter}` });
  const says = row().getByText('not saved', { exact: true });
  await show();
  await row().getByRole('button', { name: starter }).first().click();
  const before = await form.getByLabel('Context').inputValue();
  await form.getByLabel('Context').fill('768');
  await says.waitFor();
  await page.evaluate(() => (location.hash = 'connect'));
  await page.getByRole('heading', { level: 2, name: 'Connect' }).waitFor();
  await show();
  await eventually(() => form.getByLabel('Context').inputValue()).toBe('768'); // its row is still open
  expect(await violations(page, 'models unsaved')).toEqual([]);
  const asked = page.waitForEvent('dialog');
  const left = page.goto('about:blank').catch(() => null); // which does not come to be
  const dialog = await asked;
  expect(dialog.type()).toBe('beforeunload');
  await dialog.dismiss();
  await left;
  await form.getByRole('button', { name: 'Revert' }).click();
  await says.waitFor({ state: 'detached' });
  expect(await form.getByLabel('Context').inputValue()).toBe(before);
});

it('copies the path of a model’s own file', async () => {
  const { page, server } = stage;
  await show();
  await row().getByRole('button', { name: starter }).first().click();
  await button(`Copy path of ${starter}`).click();
  await row().getByText('Copied', { exact: true }).last().waitFor();
  const path = await page.evaluate(() => navigator.clipboard.readText());
  expect(path).toBe(join(server.dir, 'models', `${starter}.gguf`));
  expect((await stat(path)).isFile()).toBe(true);
});

it('begins every line of a narrow row where its name begins', async () => {
  const { page } = stage;
  await page.setViewportSize({ width: 450, height: 700 });
  await show();
  const lefts = await row().evaluate((row) => {
    const line = row.querySelector('button[aria-expanded]')?.parentElement;
    const parts = [...(line?.querySelectorAll(':scope > button > span, :scope > span') ?? [])].map((e) => e.getBoundingClientRect());
    const lines: DOMRect[][] = [];
    for (const box of parts) {
      const line = lines.find((l) => l.some((other) => other.top < box.bottom && box.top < other.bottom));
      if (line) line.push(box);
      else lines.push([box]);
    }
    return lines.map((boxes) => Math.round(Math.min(...boxes.map((b) => b.left))));
  });
  expect(lefts.length).toBeGreaterThan(1);
  expect(new Set(lefts).size, `the lines begin at ${lefts.join(', ')}`).toBe(1);
});
