// Durations as settings.json writes them ("15m", "90s", "1h30m") and as people set them: in minutes.

const part = /(\d+(?:\.\d+)?)(ms|h|m|s)/y;
const inMinutes: Record<string, number> = { h: 60, m: 1, s: 1 / 60, ms: 1 / 60_000 };

/** The minutes of a duration, or null if it is none. */
export function toMinutes(duration: string): number | null {
  let minutes = 0;
  part.lastIndex = 0;
  while (part.lastIndex < duration.length) {
    const found = part.exec(duration);
    if (!found) return null;
    minutes += Number(found[1]) * (inMinutes[found[2]!] ?? 0);
  }
  return duration === '' ? null : Math.round(minutes * 60_000) / 60_000;
}

/** A duration of so many minutes, in whole seconds where they are no whole minutes: 15m, 90s. */
export function fromMinutes(minutes: number): string {
  return Number.isInteger(minutes) ? `${minutes}m` : `${Math.round(minutes * 60)}s`;
}

/** What a person typed into a field of numbers, or null when it is none. */
export function typedNumber(text: string): number | null {
  const value = Number(text.trim().replace(',', '.'));
  return text.trim() === '' || !Number.isFinite(value) ? null : value;
}
