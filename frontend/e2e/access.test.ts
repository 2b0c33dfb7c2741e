// What people need who do not use a mouse, do not see the screen, or have little room.
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import { expect, it } from 'vitest';
import { starter, unreachable } from './support/server';
import { artifacts, eventually, useStage } from './support/stage';

const stage = useStage({ login: false });
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core finds wrong, in light and in dark, with a picture of each kept. */
async function violations(what: string): Promise<string[]> {
  const { page } = stage;
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(axe);
    const results = (await page.evaluate('axe.run()')) as AxeResults;
    for (const v of results.violations) found.push(`${what}, ${colorScheme}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(' | ')}`);
    await page.screenshot({ path: join(artifacts, `${what} ${colorScheme}.png`) });
  }
  return found;
}

it('has nothing that axe-core finds wrong, in light and in dark', async () => {
  const { page } = stage;
  await page.getByLabel('Admin token').fill('wrong');
  await page.keyboard.press('Enter');
  await page.getByText('This is not the admin token').waitFor();
  const found = await violations('login');

  await stage.login();
  await page.getByText('No requests yet').waitFor();
  found.push(...(await violations('empty')));

  await stage.ask('Hello?', unreachable);
  await stage.answer().getByRole('alert').waitFor();
  await stage.ask('Write a long story about a river.', starter);
  await page.getByText('first token after').waitFor();
  await page.keyboard.press('Escape');
  await eventually(async () => (await stage.newest()).status).toBe('cancelled');
  await stage.ask('Hello?', starter);
  await page.getByText('first token after').waitFor();
  found.push(...(await violations('overview')));
  expect(found).toEqual([]);
});

it('can be walked with the keyboard alone, and shows where one is', async () => {
  const { page } = stage;
  await eventually(() => page.evaluate(() => document.activeElement?.id)).toBe('token'); // by itself
  await page.keyboard.type(await stage.server.token());
  await page.keyboard.press('Enter');
  await page.getByRole('columnheader', { name: 'Tokens' }).waitFor();

  await eventually(() => page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA');
  await page.keyboard.type('Write a long story about a river.');
  await page.keyboard.press('Enter');
  await stage.streamed(20);
  await page.keyboard.press('Escape');
  await page.getByText('· stopped').waitFor();

  const walked: string[] = [];
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press('Tab');
    const [name, outline] = await page.evaluate(() => {
      const e = document.activeElement as HTMLElement;
      const { outlineStyle, outlineWidth } = getComputedStyle(e);
      const text = e.getAttribute('aria-label') ?? e.querySelector('span span:last-child')?.textContent ?? e.textContent ?? '';
      return [e === document.body ? '' : text.trim(), `${outlineStyle} ${outlineWidth}`] as const;
    });
    if (name === '') continue; // the browser's own frame, between the end and the beginning
    if (walked.includes(name)) break;
    expect(outline, name).toBe('solid 2px');
    walked.push(name);
  }
  expect(walked).toEqual([
    'Ask', 'Answer', 'Export CSV', 'Export JSONL', 'Table of the last requests',
    'Overview', 'Settings', 'Log out', 'Copy address', 'Stop', 'Model', 'Question',
  ]);
});

it('keeps the focus on the button that asks and stops', async () => {
  const { page } = stage;
  await stage.login();
  await page.getByLabel('Question').fill('Write a long story about a river.');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await page.getByText('first token after').waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('· stopped').waitFor();
  expect(await page.evaluate(() => document.activeElement?.textContent?.trim().endsWith('Ask'))).toBe(true);
});

it.each([
  [1600, 1000],
  [900, 600], // the window's smallest size
  [420, 800],
])('fits into %i by %i', async (width, height) => {
  const { page } = stage;
  await page.setViewportSize({ width, height });
  await stage.login();
  await page.getByRole('columnheader', { name: 'Tokens' }).waitFor();
  const over = await page.evaluate(() =>
    [...document.querySelectorAll('body, main, section, header, nav')]
      .filter((e) => e.scrollWidth > e.clientWidth + 1)
      .map((e) => `${e.tagName} ${e.scrollWidth} in ${e.clientWidth}`),
  );
  expect(over).toEqual([]);
  const table = page.getByRole('region', { name: 'Table of the last requests' });
  if (width >= 900) expect(await table.evaluate((e) => e.scrollWidth - e.clientWidth)).toBe(0);
  await page.screenshot({ path: join(artifacts, `overview ${width}.png`) });
});
