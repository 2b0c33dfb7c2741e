// What axe-core finds wrong on a page, in light and in dark.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { AxeResults } from 'axe-core';
import type { Page } from 'playwright-core';
import { artifacts } from './stage';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe-core does not look for, as lines: WCAG 1.4.11 of fields, and lists that WebKit does not take for such. */
const others = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const lines: string[] = [];
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true })!;
    const paint = (color: string, on: number[]): number[] => {
      canvas.fillStyle = `rgb(${on.join(' ')})`;
      canvas.fillRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data.slice(0, 3)];
    };
    const behind = (e: Element | null): number[] => (e ? paint(getComputedStyle(e).backgroundColor, behind(e.parentElement)) : [255, 255, 255]);
    const light = (rgb: number[]): number => {
      const [r = 0, g = 0, b = 0] = rgb.map((v) => (v / 255 <= 0.03928 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const contrast = (a: number[], b: number[]): number => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
    for (const e of document.querySelectorAll<HTMLElement>('input:not([type=radio], [type=checkbox], [type=range]), select, textarea')) {
      const { borderTopColor, borderTopWidth } = getComputedStyle(e);
      if (!e.checkVisibility() || borderTopWidth === '0px' || borderTopColor === 'rgba(0, 0, 0, 0)') continue;
      const around = behind(e.parentElement);
      const ratio = contrast(paint(borderTopColor, around), around);
      if (ratio < 3) lines.push(`the edge of a field has a contrast of ${ratio.toFixed(2)}: ${e.outerHTML.slice(0, 120)}`);
    }
    for (const e of document.querySelectorAll('ul:not([role]), ol:not([role])')) {
      if (e.checkVisibility() && getComputedStyle(e).listStyleType === 'none') lines.push(`a list without marks and role: ${e.outerHTML.slice(0, 120)}`);
    }
    return lines;
  });

/** Each finding as a line; and a picture of each theme, to look at. */
export async function violations(page: Page, what: string): Promise<string[]> {
  const found: string[] = [];
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.evaluate(axe);
    const results = (await page.evaluate('axe.run()')) as AxeResults;
    for (const v of results.violations) found.push(`${what}, ${colorScheme}: ${v.id}: ${v.nodes.map((n) => n.html.slice(0, 120)).join(' | ')}`);
    for (const other of await others(page)) found.push(`${what}, ${colorScheme}: ${other}`);
    await page.screenshot({ path: join(artifacts, `${what} ${colorScheme}.png`) });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  return found;
}
