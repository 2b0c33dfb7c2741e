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
    for (const e of document.querySelectorAll<HTMLElement>('body *')) {
      if (e.closest('.sr-only, svg, [hidden], [aria-hidden=true]') || !e.checkVisibility()) continue;
      const style = getComputedStyle(e);
      const box = e.getBoundingClientRect();
      const scrolls = (at: Element | null): boolean => !!at && (/auto|scroll/.test(getComputedStyle(at).overflowX) || scrolls(at.parentElement));
      const own = [...e.childNodes].some((n) => n.nodeType === Node.TEXT_NODE && n.textContent?.trim());
      const name = `${e.tagName.toLowerCase()} “${(e.textContent ?? '').trim().slice(0, 40)}”`;
      if (box.width > 0 && (box.right > width + 1 || box.left < -1) && !(e.parentElement && scrolls(e.parentElement) && e.closest('table, [role=grid], [role=table]'))) {
        lines.push(`${name} runs out of the page: ${Math.round(box.left)} to ${Math.round(box.right)} of ${width}`);
      }
      const hides = style.overflowX === 'hidden' || style.overflowX === 'clip';
      if (own && hides && e.scrollWidth > e.clientWidth + 1 && !e.title && !e.closest('[title]')) lines.push(`${name} is cut: ${e.scrollWidth} in ${e.clientWidth}`);
      if (own && !['auto', 'scroll'].includes(style.overflowY) && style.display !== 'inline' && e.scrollHeight > e.clientHeight + 4 && style.overflowY === 'hidden' && !e.title && !e.closest('[title]')) {
        lines.push(`${name} is cut in height: ${e.scrollHeight} in ${e.clientHeight}`);
      }
    }
    return lines;
  });
