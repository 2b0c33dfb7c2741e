// What a person changed in the settings, as a JSON Merge Patch (RFC 7396), and what stands at a path.

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
type Members = { [name: string]: Json };

const isObject = (v: Json | undefined): v is Members => typeof v === 'object' && v !== null && !Array.isArray(v);

/** The patch that makes `to` out of `from`, or undefined when they are the same. */
export function difference(from: Json | undefined, to: Json): Json | undefined {
  if (!isObject(to) || !isObject(from)) return JSON.stringify(from) === JSON.stringify(to) ? undefined : to;
  const patch: Members = {};
  for (const [name, value] of Object.entries(to)) {
    const changed = difference(from[name], value);
    if (changed !== undefined) patch[name] = changed;
  }
  for (const name of Object.keys(from)) if (!(name in to)) patch[name] = null;
  return Object.keys(patch).length > 0 ? patch : undefined;
}

/** What a patch makes of `from`. */
export function merged(from: Json | undefined, patch: Json | undefined): Json {
  if (patch === undefined) return from ?? null;
  if (!isObject(patch)) return patch;
  const result: Members = isObject(from) ? { ...from } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = merged(result[name], value);
  }
  return result;
}

/** The paths of what a patch changes: timeouts.chat. */
export function paths(patch: Json | undefined, at = ''): string[] {
  if (patch === undefined) return [];
  if (!isObject(patch)) return [at];
  return Object.entries(patch).flatMap(([name, value]) => paths(value, at ? `${at}.${name}` : name));
}

/** What stands at a path of members, or undefined. */
export function valueAt(json: Json | undefined, path: string): Json | undefined {
  let at = json;
  for (const name of path.split('.')) at = isObject(at) ? at[name] : undefined;
  return at;
}

/** The patch that puts a value at a path. */
export const patchAt = (path: string, value: Json): Json => path.split('.').reduceRight<Json>((inner, name) => ({ [name]: inner }), value);
