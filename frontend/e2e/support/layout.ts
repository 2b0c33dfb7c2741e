// Whether a page has room for all that it says.
import type { Page } from 'playwright-core';

/**
 * What is cut or runs over, as lines. Text that ends in dots is fine where the whole of it is a tooltip away,
 * and so is what scrolls by itself or is meant for screen readers alone.
 */
export const cut = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const lines: string[] = [];
    const width = document.documentElement.clientWidth;
    // In a box that scrolls by itself, things may be wider than the page.
    const scrolls = (e: Element | null): boolean =>
      !!e && e.tagName !== 'MAIN' && (/auto|scroll/.test(getComputedStyle(e).overflowX) || scrolls(e.parentElement));
    for (const e of document.querySelectorAll<HTMLElement>('body *')) {
      if (e.closest('svg, canvas, [hidden], [aria-hidden=true], .sr-only') || !e.checkVisibility()) continue;
      const box = e.getBoundingClientRect();
      if (box.width <= 1 || box.height <= 1) continue; // there for screen readers
      const name = `${e.tagName.toLowerCase()} “${(e.textContent ?? '').trim().slice(0, 40)}”`;
      if ((box.right > width + 1 || box.left < -1) && !scrolls(e.parentElement)) {
        lines.push(`${name} runs out of the page: ${Math.round(box.left)} to ${Math.round(box.right)} of ${width}`);
      }
      const text = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent?.trim());
      if (!text || e.closest('[title]:not([title=""])')) continue;
      const { overflowX, overflowY } = getComputedStyle(e);
      if (/hidden|clip/.test(overflowX) && e.scrollWidth > e.clientWidth + 1) lines.push(`${name} is cut: ${e.scrollWidth} in ${e.clientWidth}`);
      if (/hidden|clip/.test(overflowY) && e.scrollHeight > e.clientHeight + 4) lines.push(`${name} is cut in height: ${e.scrollHeight} in ${e.clientHeight}`);
    }
    return lines;
  });
