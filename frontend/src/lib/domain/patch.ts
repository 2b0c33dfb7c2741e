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

/** The paths of what a patch changes: timeouts.chat. */
export function paths(patch: Json | undefined, at = ''): string[] {
  if (patch === undefined) return [];
  if (!isObject(patch)) return [at];
  return Object.entries(patch).flatMap(([name, value]) => paths(value, at ? `${at}.${name}` : name));
}
