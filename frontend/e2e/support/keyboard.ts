// Where the keyboard is, and going round a page with Tab.
import type { Locator, Page } from 'playwright-core';
import { expect } from 'vitest';
import { eventually } from './stage';

/** Waits until the keyboard is there. */
export const focused = (of: Locator) => eventually(() => of.evaluate((e) => e === document.activeElement)).toBe(true);

/** The names of all stops, from the first to the last; each must have one, and show that one is there. */
export async function walk(page: Page, most: number): Promise<string[]> {
  const walked: string[] = [];
  for (let i = 0; i < most; i++) {
    await page.keyboard.press('Tab');
    const stop = await page.evaluate(() => {
      const e = document.activeElement as HTMLElement;
      if (e === document.body) return null; // the browser's own frame, between the end and the beginning
      const words = (from: Element | null | undefined) => {
        const copy = from?.cloneNode(true) as Element | undefined;
        copy?.querySelectorAll('[aria-hidden=true]').forEach((hidden) => hidden.remove());
        return copy?.textContent?.trim() ?? '';
      };
      const labelled = e.getAttribute('aria-labelledby');
      const name = e.getAttribute('aria-label') ?? (words(labelled ? document.getElementById(labelled) : (e as HTMLInputElement).labels?.[0]) || words(e));
      // The ring may be around more or less than what has the keyboard: a table's row, or the box that it scrolls in.
      const shows = [...document.querySelectorAll('*')].some((at) => /^solid 2px/.test(`${getComputedStyle(at).outlineStyle} ${getComputedStyle(at).outlineWidth}`));
      const first = !e.dataset.walked;
      e.dataset.walked = 'yes';
      return { name, shows, first };
    });
    if (!stop) continue;
    if (!stop.first) return walked;
    expect(stop.shows, `${stop.name} shows that one is there`).toBe(true);
    expect(stop.name).not.toBe('');
    walked.push(stop.name);
  }
  throw new Error(`after ${most} steps the beginning was not reached again: ${walked.join(', ')}`);
}
