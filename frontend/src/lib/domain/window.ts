// Which rows of a very long list are in sight. Only those are drawn; a box as high as the list gives the
// scroll bar. Browsers know no box of a million rows' height (some end at 16 million pixels), so above a
// limit the box is lower than the list: then small moves go pixel by pixel as anywhere else, and a great
// one, such as a drag of the bar, goes to the same share of the list.

export interface Frame {
  /** Rows of the list. */
  count: number;
  rowHeight: number;
  /** Height in which rows are seen. */
  view: number;
}

/** Where one is: top in the list, scroll in the box. Both in pixels. */
export interface Position {
  top: number;
  scroll: number;
}

export const tallest = 8_000_000;

const listHeight = (f: Frame): number => f.count * f.rowHeight;

/** The height of the box that is scrolled. */
export const boxHeight = (f: Frame): number => Math.min(tallest, Math.max(listHeight(f), f.view));

const lastTop = (f: Frame): number => Math.max(0, listHeight(f) - f.view);
const lastScroll = (f: Frame): number => Math.max(0, boxHeight(f) - f.view);
const within = (n: number, last: number): number => Math.min(Math.max(0, n), last);

/** The position at which the list's top is there, with the box where its share of the way is. */
export function at(f: Frame, top: number): Position {
  const to = within(top, lastTop(f));
  return { top: to, scroll: lastTop(f) === 0 ? 0 : (to / lastTop(f)) * lastScroll(f) };
}

/** The position after the box was scrolled. */
export function scrolled(f: Frame, before: Position, scroll: number): Position {
  const last = lastScroll(f);
  if (scroll <= 0) return { top: 0, scroll: 0 };
  if (scroll >= last - 0.5) return { top: lastTop(f), scroll: last };
  const moved = scroll - before.scroll;
  const exact = boxHeight(f) < tallest;
  const top = exact ? scroll : Math.abs(moved) <= f.view ? before.top + moved : (scroll / last) * lastTop(f);
  return { top: within(top, lastTop(f)), scroll };
}

/** The rows in sight, last excluded, and how many pixels of the first one are above. */
export function inSight(f: Frame, top: number): { first: number; last: number; above: number } {
  const first = Math.min(Math.floor(top / f.rowHeight), Math.max(0, f.count - 1));
  const last = Math.min(f.count, Math.ceil((top + f.view) / f.rowHeight));
  return { first, last, above: top - first * f.rowHeight };
}

/** The least move of top after which the whole row is in sight. */
export function reveal(f: Frame, top: number, row: number): number {
  const begin = row * f.rowHeight;
  if (begin < top) return begin;
  return Math.max(top, begin + f.rowHeight - f.view);
}

/** Where a key leads from a row, or null for a key that leads nowhere. -1 is no row yet. */
export function stepped(key: string, row: number, f: Frame): number | null {
  const page = Math.max(1, Math.floor(f.view / f.rowHeight) - 1);
  const to = { ArrowDown: row + 1, ArrowUp: row - 1, PageDown: row + page, PageUp: row - page, Home: 0, End: f.count - 1 }[key];
  return to === undefined || f.count === 0 ? null : within(to, f.count - 1);
}
