// Pictures of the shared parts, for docs/DESIGN-SYSTEM.md.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, it } from 'vitest';
import { launch } from '../support/browser';
import { serveGallery, type Gallery } from '../support/gallery';
import { root } from '../support/server';

const height = 800;
const img = join(root, 'docs/img');
let gallery: Gallery;
let browser: Browser;

beforeAll(async () => {
  await mkdir(img, { recursive: true });
  gallery = await serveGallery();
  browser = await launch();
});
afterAll(async () => {
  await browser?.close();
  await gallery?.close();
});

const shown = [
  'colours', 'type', 'button', 'select', 'fields', 'disclosure', 'sortable', 'panel', 'notice', 'status', 'tabs', 'meter', 'progress', 'skeleton', 'empty',
];

it.each(['light', 'dark'] as const)('takes the pictures of the parts, %s', async (colorScheme) => {
  const page = await browser.newPage({ viewport: { width: 680, height }, colorScheme, reducedMotion: 'reduce' });
  await page.clock.setFixedTime(new Date('2026-01-02T14:00:00')); // so that no message's time is over
  await page.goto(gallery.url);
  const path = (name: string) => join(img, `part-${name}-${colorScheme}.png`);
  for (const name of shown) await page.locator(`[data-part=${name}]`).screenshot({ path: path(name), caret: 'hide' });

  await page.getByRole('combobox', { name: 'Model' }).click();
  await page.getByRole('listbox').waitFor();
  await around(page, '[data-part=combobox]', 190, path('combobox'));
  await page.keyboard.press('Escape');

  await page.getByRole('button', { name: 'Open a dialog' }).click();
  await page.getByRole('dialog').waitFor();
  await page.screenshot({ path: path('dialog'), clip: { x: 0, y: 0.12 * height - 40, width: 680, height: 240 }, caret: 'hide' });
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'detached' });

  await page.getByRole('button', { name: 'Delete all' }).click();
  await page.getByRole('button', { name: 'Undo' }).waitFor();
  await page.getByRole('button', { name: 'Delete all' }).focus();
  await page.keyboard.press('Tab');
  await page.getByRole('tooltip').waitFor();
  await page.screenshot({ path: path('toast'), clip: { x: 0, y: height - 200, width: 680, height: 200 }, caret: 'hide' });
  await page.close();
});

/** A picture of a part and of so much below it. */
async function around(page: Page, selector: string, below: number, path: string): Promise<void> {
  const part = page.locator(selector);
  await part.evaluate((e) => e.scrollIntoView({ block: 'start' }));
  const box = await part.boundingBox();
  if (box) await page.screenshot({ path, clip: { x: box.x, y: box.y, width: box.width, height: Math.min(box.height + below, height - box.y) }, caret: 'hide' });
}
