// The shared parts as people use them: with the keyboard, in both themes, under the content security policy.
import { mkdir } from 'node:fs/promises';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { violations } from './support/axe';
import { launch } from './support/browser';
import { serveGallery, type Gallery } from './support/gallery';
import { cut } from './support/layout';
import { artifacts, eventually, patience } from './support/stage';

let gallery: Gallery;
let browser: Browser;
let page: Page;
const wrongs: string[] = [];

beforeAll(async () => {
  await mkdir(artifacts, { recursive: true });
  gallery = await serveGallery();
  browser = await launch();
});
beforeEach(async () => {
  wrongs.length = 0;
  page = await browser.newPage({ viewport: { width: 1080, height: 720 }, reducedMotion: 'reduce' });
  page.setDefaultTimeout(patience);
  page.on('pageerror', (error) => wrongs.push(String(error)));
  page.on('console', (message) => {
    if (/Content Security Policy/.test(message.text())) wrongs.push(message.text());
  });
  await page.clock.setFixedTime(new Date('2026-01-02T14:00:00')); // so that no message's time is over
  await page.goto(gallery.url);
  await page.getByRole('heading', { name: 'Parts' }).waitFor();
});
afterEach(async () => {
  await page.close();
  expect(wrongs).toEqual([]);
});
afterAll(async () => {
  await browser?.close();
  await gallery?.close();
});

const button = (name: string) => page.getByRole('button', { name, exact: true });
/** A combobox's own; a select has options too. */
const options = () => page.getByRole('listbox').getByRole('option');
const focused = () => page.evaluate(() => document.activeElement?.textContent?.trim() || document.activeElement?.getAttribute('aria-label') || '');

it('have nothing that axe-core finds wrong, closed and open', async () => {
  const found = await violations(page, 'parts');
  await page.getByRole('combobox', { name: 'Model' }).click();
  await options().first().waitFor();
  found.push(...(await violations(page, 'parts combobox')));
  await page.keyboard.press('Escape');
  await button('Delete all').click();
  await button('Undo').waitFor();
  await button('Delete all').focus();
  await page.keyboard.press('Tab');
  await page.getByRole('tooltip').waitFor();
  found.push(...(await violations(page, 'parts toast and tooltip')));
  for (const name of ['Open a dialog', 'Open a side sheet']) {
    await button(name).click();
    await page.getByRole('dialog').waitFor();
    found.push(...(await violations(page, name)));
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });
  }
  expect(found).toEqual([]);
});

it('find in a combobox what is typed, and let go of it with Escape', async () => {
  const model = page.getByRole('combobox', { name: 'Model' });
  expect(await model.inputValue()).toBe('qwen3-8b-4bit');
  await model.focus();
  await page.keyboard.press('ArrowDown');
  await eventually(() => options().allInnerTexts()).toEqual(['All models', 'smollm2-135m-instruct', 'qwen3-8b-4bit', 'gpt-4o-mini', 'claude-sonnet']);
  await model.fill('mini');
  await eventually(() => options().allInnerTexts()).toEqual(['gpt-4o-mini']);
  await eventually(() => page.locator('[role=option][data-highlighted]').count()).toBe(1);
  await page.keyboard.press('Enter');
  await eventually(() => model.inputValue()).toBe('gpt-4o-mini');
  await options().first().waitFor({ state: 'detached' });

  await model.fill('no such');
  await page.getByText('Nothing matches “no such”.').waitFor();
  await page.keyboard.press('Escape');
  await eventually(() => model.inputValue()).toBe('gpt-4o-mini');

  await model.click();
  await page.getByRole('option', { name: 'All models' }).click();
  await eventually(() => model.inputValue()).toBe('');
});

it('keep the keyboard inside a dialog, and give it back', async () => {
  await button('Open a dialog').focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Choose a time range' });
  await dialog.waitFor();
  for (let i = 0; i < 8; i++) {
    await page.keyboard.press('Tab');
    await eventually(() => dialog.evaluate((d) => d.contains(document.activeElement))).toBe(true);
  }
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'detached' });
  await eventually(focused).toBe('Open a dialog');
});

it('change tabs with the arrow keys', async () => {
  await page.getByRole('tab', { name: 'Request' }).focus();
  await page.keyboard.press('ArrowRight');
  await page.getByText('What belongs to “tokens”.').waitFor();
  expect(await page.getByRole('tab', { name: 'Tokens' }).getAttribute('aria-selected')).toBe('true');
});

it('undo with the message’s button, and with the keys for it', async () => {
  for (const undo of [() => button('Undo').click(), () => page.keyboard.press('Control+z')]) {
    await button('Delete all').click();
    await button('Undo').waitFor();
    await undo();
    await page.getByText('Undone').waitFor();
    await eventually(() => button('Undo').count()).toBe(0);
    await page.reload();
  }
});

it('let a list grow and shrink with the keyboard', async () => {
  const entries = page.getByRole('list', { name: 'Allowed web origins' }).getByRole('listitem');
  await page.getByRole('textbox', { name: 'Allowed web origins' }).fill('http://localhost:4000');
  await page.keyboard.press('Enter');
  await eventually(() => entries.allInnerTexts()).toEqual(['http://localhost:3000', 'http://localhost:4000']);
  await button('Remove http://localhost:3000').click();
  await eventually(() => entries.allInnerTexts()).toEqual(['http://localhost:4000']);
  // The button is gone; the keyboard is not.
  expect(await page.getByRole('textbox', { name: 'Allowed web origins' }).evaluate((e) => e === document.activeElement)).toBe(true);
});

it.each([
  [1080, 720],
  [540, 360], // a window of 1080 by 720 at 200 %
  [420, 800],
])('cut no text at %i by %i', async (width, height) => {
  await page.setViewportSize({ width, height });
  expect(await cut(page)).toEqual([]);
});

it('put a list in order by the arrow keys, and by a drag', async () => {
  const list = page.getByRole('list', { name: 'Order', exact: true });
  const order = async () => (await list.locator('> li button[aria-expanded]').allInnerTexts()).map((t) => t.trim());
  await button('Move gpt-*').focus();
  await page.keyboard.press('ArrowDown');
  await eventually(order).toEqual(['claude-*', 'gpt-*', 'fast']);
  await eventually(focused).toBe('Move gpt-*');
  await page.getByRole('status').filter({ hasText: 'gpt-*: now 2 of 3' }).waitFor({ state: 'attached' });
  const [from, to] = [await button('Move fast').boundingBox(), await button('Move claude-*').boundingBox()];
  if (!from || !to) throw new Error('the handles are not there');
  await page.mouse.move(from.x + 10, from.y + 10);
  await page.mouse.down();
  await page.mouse.move(to.x + 10, to.y - 4, { steps: 4 });
  await page.locator('[data-insertion]').waitFor();
  await page.mouse.up();
  await eventually(order).toEqual(['fast', 'claude-*', 'gpt-*']);
});
