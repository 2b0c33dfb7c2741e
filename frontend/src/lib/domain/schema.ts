// What the settings' JSON Schema says of a setting: the server's own words, limits and default.
import { spoken } from './duration';
import { valueAt, type Json } from './patch';

export interface Facts {
  description: string;
  default: Json;
}

/** The facts of the setting at a path: timeouts.chat. */
export function facts(schema: Json | undefined, path: string): Facts {
  const found = valueAt(schema, path.split('.').map((name) => `properties.${name}`).join('.'));
  const text = valueAt(found, 'description');
  return { description: typeof text === 'string' ? text : '', default: valueAt(found, 'default') ?? null };
}

export type Kind = 'text' | 'number' | 'duration' | 'list' | 'choice' | 'switch';

/** The default as a sentence: Default: 64 MiB. */
export function defaultOf(value: Json, kind: Kind, unit = ''): string {
  if (value === null || value === '' || (Array.isArray(value) && value.length === 0)) return 'Default: none.';
  if (Array.isArray(value)) return `Default: ${value.join(', ')}.`;
  if (typeof value === 'boolean') return `Default: ${value ? 'on' : 'off'}.`;
  return `Default: ${kind === 'duration' ? spoken(String(value)) : [value, unit].filter((v) => v !== '').join(' ')}.`;
}

/** What is said under a setting's name. */
export function hintOf({ description, default: value }: Facts, kind: Kind, unit = ''): string {
  return [description, description && defaultOf(value, kind, unit)].filter(Boolean).join(' ');
}
