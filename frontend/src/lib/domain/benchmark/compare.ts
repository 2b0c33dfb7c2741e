// Two runs held against each other, figure by figure, by the rules of `mlx-benchmark compare`.
import type { Estimate } from '../../api/types';
import { all, type Figure } from './figures';
import { chosenCases, keyOf, type Case, type Choice, type Run } from './run';

export interface Change {
  figure: Figure;
  before: Estimate;
  after: Estimate;
  /** How much more the later figure is, in per cent. */
  percent: number;
  /** How many times as fast it is now: 2 is half the time, or twice the rate. */
  speed: number;
  verdict: 'faster' | 'slower' | 'same';
  /** The intervals overlap: the difference may be chance. */
  overlap: boolean;
  /** There are intervals at all. */
  sure: boolean;
}

export interface Pair {
  before: Case;
  after: Case;
  changes: Change[];
}

/** Less than this is called the same: the last digit that is shown. */
const little = 0.5;

/** The cases of a choice that both runs have, with what has changed. */
export function compare(before: Run, after: Run, chosen: Choice): Pair[] {
  return chosenCases(after, chosen).flatMap((now) => {
    const was = before.cases.find((c) => c.answered > 0 && keyOf(c) === keyOf(now));
    return was ? [{ before: was, after: now, changes: all.flatMap((f) => change(f, was, now)) }] : [];
  });
}

function change(figure: Figure, was: Case, now: Case): Change[] {
  const [before, after] = [figure.of(was), figure.of(now)];
  if (!before || !after || before.value <= 0 || after.value <= 0) return [];
  const percent = (100 * (after.value - before.value)) / before.value;
  const speed = speedOf(figure, before.value, after.value);
  const verdict = Math.abs(percent) < little ? 'same' : speed > 1 ? 'faster' : 'slower';
  const sure = before.low < before.high || after.low < after.high;
  return [{ figure, before, after, percent, speed, verdict, overlap: before.low <= after.high && after.low <= before.high, sure }];
}

/** How many times as fast a value is, held against another. */
export const speedOf = (figure: Figure, before: number, after: number): number => (figure.higher ? after / before : before / after);

/** 12 % faster, 3.2 % slower, the same: by what the figure itself has changed. */
export function amount({ percent, verdict }: Change): string {
  if (verdict === 'same') return 'the same';
  const n = Math.abs(percent);
  return `${n < 9.95 ? n.toFixed(1) : Math.round(n)} % ${verdict}`;
}

/** Whether the difference is more than chance, in words. */
export function confidence({ overlap, sure, verdict }: Change): string {
  if (!sure) return 'no interval';
  if (overlap) return verdict === 'same' ? 'intervals overlap' : 'intervals overlap: may be chance';
  return 'intervals apart';
}

const lower = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** What has become faster or slower, as sentences: first what is sure, then what may be chance. */
export function words(pair: Pair): string[] {
  const said = (which: (c: Change) => boolean) =>
    pair.changes.filter(which).map((c) => `${lower(c.figure.label)} ${amount(c)}`);
  const apart = (c: Change) => c.sure && !c.overlap && c.verdict !== 'same';
  const chance = (c: Change) => c.sure && c.overlap && c.verdict !== 'same';
  const parts: [string[], string][] = [
    [said((c) => apart(c) && c.verdict === 'faster'), 'Faster, with intervals that do not overlap:'],
    [said((c) => apart(c) && c.verdict === 'slower'), 'Slower, with intervals that do not overlap:'],
    [said(chance), 'Overlapping intervals, so it may be chance:'],
    [said((c) => !c.sure), 'Without an interval:'],
  ];
  const found = parts.filter(([list]) => list.length > 0).map(([list, begin]) => `${begin} ${list.join(', ')}.`);
  return found.length > 0 ? found : ['Nothing has changed by half a per cent.'];
}
