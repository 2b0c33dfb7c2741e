// Providers and routes as people change them. What is right, the server decides; it says so at the field.

import { difference, merged, type Json } from './patch';

export interface Provider {
  name: string;
  kind: 'openai' | 'anthropic';
  base_url: string;
  api_key_env?: string;
  /** What the keychain keeps its key under; whoever keeps a key there writes it. */
  api_key_keychain?: string;
}

export type Spread = 'order' | 'weight' | 'load';

export interface Target {
  provider: string;
  model?: string;
  weight?: number;
}

export interface Route {
  model: string;
  spread?: Spread;
  targets: readonly Target[];
}

/** What a target names for the engines of this machine. */
export const here = 'local';

export const kindNames: Record<Provider['kind'], string> = { openai: 'OpenAI', anthropic: 'Anthropic' };

export interface Preset {
  label: string;
  provider: Provider;
}

/** Servers that people have. Where each listens is what its makers say. */
export const presets: readonly Preset[] = [
  { label: 'OpenAI', provider: { name: 'openai', kind: 'openai', base_url: 'https://api.openai.com/v1' } },
  { label: 'Anthropic', provider: { name: 'anthropic', kind: 'anthropic', base_url: 'https://api.anthropic.com/v1' } },
  { label: 'Ollama', provider: { name: 'ollama', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1' } },
  { label: 'LM Studio', provider: { name: 'lm-studio', kind: 'openai', base_url: 'http://127.0.0.1:1234/v1' } },
  { label: 'vLLM', provider: { name: 'vllm', kind: 'openai', base_url: 'http://127.0.0.1:8000/v1' } },
  { label: 'Other', provider: { name: 'other', kind: 'openai', base_url: '' } },
];

/** A provider out of a preset, under a name that no other has. */
export function fromPreset({ provider }: Preset, others: readonly Provider[]): Provider {
  let name = provider.name;
  for (let n = 2; others.some((o) => o.name === name); n++) name = `${provider.name}-${n}`;
  return { ...provider, name };
}

/** Another program that serves models on this machine. */
export interface Found {
  name: string;
  kind: Provider['kind'];
  base_url: string;
}

/** Those that no provider of the list leads to yet, as the list stands while somebody changes it. */
export const offered = <T extends Found>(found: readonly T[], providers: readonly Provider[]): T[] =>
  found.filter((f) => !providers.some((p) => p.base_url.replace('//localhost:', '//127.0.0.1:') === f.base_url));

/** A preset that leads to what was found: under the name that it has among the presets. */
export const presetOf = ({ name, kind, base_url }: Found): Preset => ({
  label: name,
  provider: { name: presets.find((p) => p.label === name)?.provider.name ?? name.toLowerCase().replaceAll(' ', '-'), kind, base_url },
});

/** An entry with some of its members changed; one that may be left out is, when it says nothing. */
export function changed<T extends object>(entry: T, change: Partial<T>, optional: readonly (keyof T)[] = []): T {
  const next = { ...entry, ...change };
  for (const name of optional) if (next[name] === '' || next[name] === undefined) delete next[name];
  return next;
}

/** The list with another entry at a place. */
export const replaced = <T>(list: readonly T[], at: number, entry: T): T[] => list.map((e, i) => (i === at ? entry : e));

/** The list without the entry at a place. */
export const without = <T>(list: readonly T[], at: number): T[] => list.filter((_, i) => i !== at);

const byName = (list: readonly Provider[], name: string) => list.find((p) => p.name === name);

/** Whether a provider stands in the list just as it is. */
export const sameIn = (list: readonly Provider[], provider: Provider): boolean =>
  difference(byName(list, provider.name) as unknown as Json | undefined, provider as unknown as Json) === undefined;

/** The providers as somebody is changing them, with what has changed elsewhere since: in those that there were before and are still. */
export const carried = (mine: readonly Provider[], before: readonly Provider[], now: readonly Provider[]): Provider[] =>
  mine.map((p) => {
    const [was, is] = [byName(before, p.name), byName(now, p.name)] as unknown as (Json | undefined)[];
    return was && is ? (merged(p as unknown as Json, difference(was, is)) as unknown as Provider) : p;
  });

/** A place in routes: of a route, and of a target in it. */
export type Place = readonly [route: number, target: number];

/** Where routes lead to a provider. */
export const leadsTo = (routes: readonly Route[], provider: string): Place[] =>
  routes.flatMap((r, i) => r.targets.flatMap((t, j): Place[] => (t.provider === provider ? [[i, j]] : [])));

/** The routes with the targets at those places leading to a provider of another name. */
export const renamed = (routes: readonly Route[], places: readonly Place[], name: string): Route[] =>
  routes.map((r, i) => ({ ...r, targets: r.targets.map((t, j) => (places.some(([a, b]) => a === i && b === j) ? { ...t, provider: name } : t)) }));

/** A route to begin with: to the first provider, else to this machine. */
export const newRoute = (providers: readonly Provider[]): Route => ({ model: '', targets: [{ provider: providers[0]?.name ?? here }] });

/** One more target: the first provider that the route does not lead to yet, or this machine. */
export function nextTarget(route: Route, providers: readonly Provider[]): Target {
  const names = [...providers.map((p) => p.name), here];
  return { provider: names.find((n) => !route.targets.some((t) => t.provider === n)) ?? here };
}

/** A provider as people read it. */
export const called = (provider: string): string => (provider === here ? 'this machine' : provider || 'nobody');

/** Where a route leads, in a few words that follow its pattern. */
export function summary({ spread = 'order', targets }: Route): string {
  const to = targets.map(({ provider, model, weight }) => {
    const share = spread === 'order' || targets.length < 2 ? '' : ` (${weight ?? 1})`;
    return `${called(provider)}${model ? ` as ${model}` : ''}${share}`;
  });
  const [first = 'nowhere', ...others] = to;
  if (others.length === 0) return `goes to ${first}`;
  if (spread === 'weight') return `is shared by weight: ${to.join(', ')}`;
  if (spread === 'load') return `goes to the least busy of ${to.join(', ')}`;
  return `goes to ${first}, then ${others.join(', then ')}`;
}

/** Whether a pattern matches a name, as the server has it: * stands for any characters. */
export function matches(pattern: string, name: string): boolean {
  if (!pattern.includes('*')) return pattern === name;
  const quoted = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${quoted.join('.*')}$`, 's').test(name);
}

/** The pattern above a route that takes all of its requests, or "". */
export function shadow(routes: readonly Route[], at: number): string {
  const pattern = routes[at]?.model ?? '';
  // A * of the lower one is a character like others, which only a * of the upper one takes in.
  return pattern ? (routes.slice(0, at).find((r) => r.model && matches(r.model, pattern))?.model ?? '') : '';
}

/** Whether what goes to a base URL leaves this machine; one that is none says nothing yet. */
export function leaves(baseURL: string): boolean {
  let host: string;
  try {
    host = new URL(baseURL).hostname;
  } catch {
    return false;
  }
  return host !== 'localhost' && host !== '[::1]' && !/^127(\.\d+){3}$/.test(host);
}

/** The providers elsewhere that some route leads to. */
export const elsewhere = (providers: readonly Provider[], routes: readonly Route[]): string[] =>
  providers.filter((p) => leaves(p.base_url) && leadsTo(routes, p.name).length > 0).map((p) => p.name);

/** What the server finds wrong with a target, which counts from 0, for people, who count from 1. */
export const counted = (fault: string): string => fault.replace(/targets\[(\d+)\]/g, (_, n: string) => `target ${Number(n) + 1}`);
