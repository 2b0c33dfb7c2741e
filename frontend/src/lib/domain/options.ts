// What can be said beside a prompt: the instructions, and how the model shall choose its words. What is empty is not
// sent, so that the engine's or provider's own default holds.

/** As it stands in the fields. */
export type Options = Record<OptionName, string>;
export type OptionName = 'system' | NumberName | 'stop';
type NumberName = 'temperature' | 'top_p' | 'max_tokens' | 'seed' | 'frequency_penalty' | 'presence_penalty';

export interface NumberOption {
  name: NumberName;
  label: string;
  note: string;
  min: number;
  max: number;
  whole?: boolean;
}

export const numbers: readonly NumberOption[] = [
  { name: 'temperature', label: 'Temperature', note: '0 to 2; 0 is the least random', min: 0, max: 2 },
  { name: 'top_p', label: 'Top P', note: '0 to 1', min: 0, max: 1 },
  { name: 'max_tokens', label: 'Max tokens', note: 'of the answer', min: 1, max: 10_000_000, whole: true },
  { name: 'seed', label: 'Seed', note: 'same seed, same answer', min: 0, max: 4_294_967_295, whole: true },
  { name: 'frequency_penalty', label: 'Frequency penalty', note: '-2 to 2', min: -2, max: 2 },
  { name: 'presence_penalty', label: 'Presence penalty', note: '-2 to 2', min: -2, max: 2 },
];

export const noOptions: Options = { system: '', temperature: '', top_p: '', max_tokens: '', seed: '', frequency_penalty: '', presence_penalty: '', stop: '' };

/** How many are set. */
export const setOptions = (o: Options): number => Object.values(o).filter((text) => text.trim() !== '').length;

export type Faults = Partial<Record<OptionName, string>>;

/** What is wrong with them, to go on after a field's label. */
export function faultsOf(o: Options): Faults {
  const faults: Faults = {};
  for (const { name, min, max, whole } of numbers) {
    const text = o[name].trim();
    if (text === '') continue;
    const n = numberOf(text);
    if (n === null || (whole && !Number.isInteger(n))) faults[name] = `must be a ${whole ? 'whole ' : ''}number`;
    else if (n < min || n > max) faults[name] = `must be from ${min} to ${max}`;
  }
  if (stops(o).length > 4) faults.stop = 'may have four lines at most';
  return faults;
}

/** The members of a request's body that they stand for. */
export function bodyOf(o: Options): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const { name } of numbers) {
    const n = numberOf(o[name]);
    if (n !== null) body[name] = n;
  }
  const stop = stops(o);
  if (stop.length > 0) body.stop = stop;
  return body;
}

/** The field that a problem document's location means, such as body.temperature; null when it is none of these. */
export function optionAt(location: string): OptionName | null {
  const name = location.replace(/^body\./, '').split(/[.[]/)[0] ?? '';
  return name !== 'system' && name in noOptions ? (name as OptionName) : null;
}

const stops = (o: Options): string[] => o.stop.split('\n').filter((line) => line !== '');

function numberOf(text: string): number | null {
  const trimmed = text.trim().replace(',', '.');
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(trimmed)) return null;
  const n = Number(trimmed);
  return Number.isFinite(n) ? n : null;
}
