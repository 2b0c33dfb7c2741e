// What is unsaved in the settings lies on the disk while no window is open. A key must not, and somebody may have put one
// where none belongs: such a value is left out, as the server would refuse it.
import type { Json } from './patch';

const variable = /^[A-Za-z_][A-Za-z0-9_]*$/;

function address(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : null;
  return url !== null && url.username === '' && url.password === '' && url.search === '' && url.hash === '';
}

const possible: Readonly<Record<string, (text: string) => boolean>> = {
  api_key_env: (text) => variable.test(text),
  base_url: address,
  otlp_endpoint: address,
};

/** The patch without what could be a secret. */
export function keepable(patch: Json, name = ''): Json {
  if (typeof patch === 'string') return possible[name]?.(patch) === false ? '' : patch;
  if (Array.isArray(patch)) return patch.map((entry) => keepable(entry));
  if (patch === null || typeof patch !== 'object') return patch;
  return Object.fromEntries(Object.entries(patch).map(([member, value]) => [member, keepable(value, member)]));
}
