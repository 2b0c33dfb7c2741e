// Finding in a list by what somebody types: all words must be there, in any order and case. What begins
// with them goes first.

const plain = (text: string): string => text.toLowerCase().normalize('NFKD').replace(/\p{M}/gu, '');

/** How well text answers to words: 0 not at all, more is better. */
export function score(text: string, typed: string): number {
  const hay = plain(text);
  const words = plain(typed).split(/\s+/).filter(Boolean);
  let sum = 1;
  for (const word of words) {
    const at = hay.indexOf(word);
    if (at < 0) return 0;
    sum += at === 0 ? 4 : /[\s\-_./:]/.test(hay[at - 1] ?? '') ? 2 : 1;
  }
  return sum;
}

/** The items that answer to what was typed, the best first; all of them, as they stand, when it is nothing. */
export function matching<T>(items: readonly T[], typed: string, text: (item: T) => string): T[] {
  if (typed.trim() === '') return [...items];
  return items
    .map((item) => ({ item, score: score(text(item), typed) }))
    .filter((found) => found.score > 0)
    .sort((a, b) => b.score - a.score)
    .map((found) => found.item);
}
