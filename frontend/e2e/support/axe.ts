// What axe-core finds wrong on a page, in light and in dark.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { artifacts } from './stage';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Each finding as a line; and a picture of each theme, to look at. */
export async function violations(page: Page, what: string): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(axe);
    const results = (await page.evaluate('axe.run()')) as AxeResults;
    for (const v of results.violations) found.push(`${what}, ${colorScheme}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(' | ')}`);
    await page.screenshot({ path: join(artifacts, `${what} ${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return found;
}
