// What a person sets for one model: an entry of models.each. What is left out is as for all models.
import { difference, type Json } from './patch';

export interface ModelSettings {
  name: string;
  pin?: boolean;
  preload?: boolean;
  context_size?: number;
  parallel?: number;
  draft?: string;
  arguments?: readonly string[];
}

const is = (entry: ModelSettings, name: string): boolean => entry.name.toLowerCase() === name.toLowerCase();

/** The entry of a model; one that says nothing where there is none. */
export const settingsOf = (each: readonly ModelSettings[], name: string): ModelSettings => each.find((e) => is(e, name)) ?? { name };

/** Where a model's entry stands, or would. */
export function placeOf(each: readonly ModelSettings[], name: string): number {
  const at = each.findIndex((e) => is(e, name));
  return at < 0 ? each.length : at;
}

/** Without what says nothing. */
function plain({ name, ...rest }: ModelSettings): ModelSettings {
  const said = Object.entries(rest).filter(([, v]) => !(v === undefined || v === false || v === 0 || v === '' || (Array.isArray(v) && v.length === 0)));
  return { name, ...Object.fromEntries(said) };
}

/** The list with a model's entry changed; an entry that says nothing more is taken out. */
export function withSettings(each: readonly ModelSettings[], name: string, change: Partial<ModelSettings>): ModelSettings[] {
  const before = settingsOf(each, name);
  const next = plain({ ...before, ...change, name: before.name });
  const says = Object.keys(next).length > 1;
  if (!each.some((e) => is(e, name))) return says ? [...each, next] : [...each];
  return each.flatMap((e) => (!is(e, name) ? [e] : says ? [next] : []));
}

/** As it is being typed: numbers are text, and empty is as for all models. */
export interface Form {
  pin: boolean;
  preload: boolean;
  context_size: string;
  parallel: string;
  draft: string;
  arguments: string;
}

const digits = (n: number | undefined): string => (n ? String(n) : '');

export const toForm = (s: ModelSettings): Form => ({
  pin: s.pin ?? false,
  preload: s.preload ?? false,
  context_size: digits(s.context_size),
  parallel: digits(s.parallel),
  draft: s.draft ?? '',
  arguments: (s.arguments ?? []).map(quoted).join(' '),
});

const quoted = (argument: string): string => (/[\s"']/.test(argument) || argument === '' ? `'${argument.replaceAll("'", `'"'"'`)}'` : argument);

export type Faults = Partial<Record<keyof Form, string>>;

/** What a form means, or what is wrong in it, as it goes on after the field's name. */
export function fromForm(form: Form): { change: Omit<ModelSettings, 'name'>; faults: Faults } {
  const faults: Faults = {};
  const whole = (field: 'context_size' | 'parallel'): number => {
    const text = form[field].trim();
    if (text === '') return 0;
    if (!/^\d+$/.test(text)) faults[field] = 'takes a whole number, or nothing for what counts for all models';
    return Number(text);
  };
  const context_size = whole('context_size');
  const parallel = whole('parallel');
  const list = split(form.arguments);
  if (list === null) faults.arguments = 'has a quotation mark without its end';
  return { change: { pin: form.pin, preload: form.preload, context_size, parallel, draft: form.draft.trim(), arguments: list ?? [] }, faults };
}

/** Words as a terminal divides them, without its other signs; null when a quotation does not end. */
export function split(text: string): string[] | null {
  const list: string[] = [];
  let word: string | null = null;
  let quote = '';
  for (const c of text) {
    if (quote) {
      if (c === quote) quote = '';
      else word = (word ?? '') + c;
    } else if (c === '"' || c === "'") {
      quote = c;
      word ??= '';
    } else if (/\s/.test(c)) {
      if (word !== null) list.push(word);
      word = null;
    } else word = (word ?? '') + c;
  }
  if (quote) return null;
  if (word !== null) list.push(word);
  return list;
}

/** Whether two forms say the same. */
export const same = (a: Form, b: Form): boolean => difference(a as unknown as Json, b as unknown as Json) === undefined;

export type Edits = Readonly<Record<string, Partial<Form>>>;

/** The names of the models of which something is changed. */
export const changedOf = (edits: Edits, each: readonly ModelSettings[]): string[] =>
  Object.entries(edits).flatMap(([name, edit]) => {
    const saved = toForm(settingsOf(each, name));
    return same({ ...saved, ...edit }, saved) ? [] : [name];
  });

/** What is changed of single models, as entries with that alone; a field that can have no such value is left out. */
export function entriesOf(edits: Edits, each: readonly ModelSettings[]): ModelSettings[] {
  return changedOf(edits, each).flatMap((name) => {
    const saved = toForm(settingsOf(each, name));
    const form = { ...saved, ...edits[name] };
    const { change, faults } = fromForm(form);
    const said = Object.entries(change).filter(([field]) => !(field in faults) && form[field as keyof Form] !== saved[field as keyof Form]);
    return said.length > 0 ? [{ name, ...Object.fromEntries(said) }] : [];
  });
}

/** The way back. */
export const editsOf = (entries: readonly ModelSettings[]): Edits =>
  Object.fromEntries(entries.map((entry) => [entry.name, Object.fromEntries(Object.entries(toForm(entry)).filter(([field]) => field in entry)) as Partial<Form>]));

/** What the server finds wrong, by field: models.each[2].context_size is the context's when 2 is the model's entry. */
export function faultsOf(fields: readonly { location: string; detail: string }[], at: number): { faults: Faults; rest: string[] } {
  const faults: Faults = {};
  const rest: string[] = [];
  for (const { location, detail } of fields) {
    const field = /^models\.each\[(\d+)\]\.(\w+)/.exec(location);
    if (field && Number(field[1]) === at && field[2] !== undefined && field[2] in empty) faults[field[2] as keyof Form] = detail;
    else rest.push(`${location} ${detail}`.trim());
  }
  return { faults, rest };
}

const empty = toForm({ name: '' });
