// Finding in a list by what somebody types: all words must be there, in any order and case. What begins
// with them goes first, and before all what is called exactly so.

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

const exact = 1000; // more than any number of words that are typed

/** The items whose name, or what more is said of them, answers to what was typed, the best first; all of them, as they stand, when it is nothing. */
export function matching<T>(items: readonly T[], typed: string, name: (item: T) => string, more: (item: T) => string = () => ''): T[] {
  if (typed.trim() === '') return [...items];
  return items
    .map((item) => ({ item, score: score(`${name(item)} ${more(item)}`, typed) + (plain(name(item)) === plain(typed.trim()) ? exact : 0) }))
    .filter((found) => found.score > 0)
    .sort((a, b) => b.score - a.score)
    .map((found) => found.item);
}
