import { describe, expect, it } from 'vitest';
import {
  carried, changed, counted, elsewhere, fromPreset, leadsTo, leaves, matches, newRoute, nextTarget, offered, presetOf, presets, renamed, replaced, sameIn, shadow, summary, without,
  type Provider, type Route,
} from './routes';

const far: Provider = { name: 'far', kind: 'openai', base_url: 'https://far.example/v1' };
const near: Provider = { name: 'near', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1' };
const routes: Route[] = [
  { model: 'gpt-*', targets: [{ provider: 'far' }, { provider: 'local', model: 'small' }] },
  { model: 'own', targets: [{ provider: 'near' }] },
];

describe('a provider', () => {
  it('gets a name that no other has', () => {
    const [openai] = presets;
    if (!openai) throw new Error('there is no preset');
    const first = fromPreset(openai, []);
    expect(first.name).toBe('openai');
    const second = fromPreset(openai, [first]);
    expect(second.name).toBe('openai-2');
    expect(fromPreset(openai, [first, second]).name).toBe('openai-3');
  });

  it('of each preset stands on its own', () => {
    expect(new Set(presets.map((p) => p.provider.name)).size).toBe(presets.length);
    expect(presets.map((p) => p.label)).toEqual(['OpenAI', 'Anthropic', 'Ollama', 'LM Studio', 'vLLM', 'Other']);
  });

  it('that runs here is offered until another leads to it, under the name of its preset', () => {
    const found = [
      { name: 'Ollama', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1' },
      { name: 'LM Studio', kind: 'openai', base_url: 'http://127.0.0.1:1234/v1' },
    ] as const;
    expect(offered(found, [far]).map((f) => f.name)).toEqual(['Ollama', 'LM Studio']);
    expect(offered(found, [far, near]).map((f) => f.name)).toEqual(['LM Studio']);
    expect(offered(found, [{ ...near, base_url: 'http://localhost:1234/v1' }]).map((f) => f.name)).toEqual(['Ollama']);
    expect(fromPreset(presetOf(found[1]), [])).toEqual({ name: 'lm-studio', kind: 'openai', base_url: 'http://127.0.0.1:1234/v1' });
    expect(fromPreset(presetOf(found[0]), [{ ...far, name: 'ollama' }]).name).toBe('ollama-2');
    expect(presetOf({ name: 'Some Server', kind: 'openai', base_url: 'http://127.0.0.1:5/v1' }).provider.name).toBe('some-server');
  });

  it('that is renamed takes the routes along that lead to it, and no others', () => {
    const places = leadsTo(routes, 'far');
    expect(places).toEqual([[0, 0]]);
    // On the way to its new name it may have another one's.
    const now = renamed(renamed(routes, places, 'near'), places, 'nearer');
    expect(now.map((r) => r.targets.map((t) => t.provider))).toEqual([['nearer', 'local'], ['near']]);
  });

  it.each([
    ['https://api.openai.com/v1', true],
    ['http://192.168.1.4:8000/v1', true],
    ['http://localhost.example/v1', true],
    ['http://127.0.0.1:1234/v1', false],
    ['http://LOCALHOST:1234/v1', false],
    ['http://[::1]:1234/v1', false],
    ['', false],
  ])('at %s is elsewhere: %s', (address, want) => expect(leaves(address)).toBe(want));

  it('counts as one that something leaves to only while a route leads there', () => {
    expect(elsewhere([far, near], routes)).toEqual(['far']);
    expect(elsewhere([far, near], [])).toEqual([]);
  });
});

describe('a route', () => {
  it.each([
    [{ model: 'a', targets: [{ provider: 'local', model: 'small' }] }, 'goes to this machine as small'],
    [{ model: 'a', targets: [{ provider: 'far' }, { provider: 'local' }] }, 'goes to far, then this machine'],
    [{ model: 'a', spread: 'weight', targets: [{ provider: 'far', weight: 3 }, { provider: 'near' }] }, 'is shared by weight: far (3), near (1)'],
    [{ model: 'a', spread: 'load', targets: [{ provider: 'far' }, { provider: 'near' }] }, 'goes to the least busy of far (1), near (1)'],
    [{ model: 'a', targets: [] }, 'goes to nowhere'],
  ] satisfies [Route, string][])('says where it leads: %o', (route, want) => expect(summary(route)).toBe(want));

  it('begins with the first provider, and goes on with those that it does not have', () => {
    const route = newRoute([far, near]);
    expect(route).toEqual({ model: '', targets: [{ provider: 'far' }] });
    expect(nextTarget(route, [far, near])).toEqual({ provider: 'near' });
    expect(nextTarget(route, [far])).toEqual({ provider: 'local' });
    expect(newRoute([]).targets).toEqual([{ provider: 'local' }]);
  });

  it.each([
    ['gpt-*', 'gpt-4o', true],
    ['gpt-*', 'gpt-', true],
    ['*', '', true],
    ['*-mini', 'gpt-4o-mini', true],
    ['a*b*c', 'a-b-b-c', true],
    ['gpt.4', 'gpt-4', false],
    ['gpt-*', 'GPT-4', false],
    ['gpt-4', 'gpt-4o', false],
  ])('%s matches %s: %s', (pattern, name, want) => expect(matches(pattern, name)).toBe(want));

  it.each([
    [['*', 'gpt-4'], '*'],
    [['gpt-*', 'gpt-4*'], 'gpt-*'],
    [['gpt-4*', 'gpt-*'], ''],
    [['gpt-4', 'gpt-4'], 'gpt-4'],
    [['', ''], ''],
  ])('of %o the last is never reached because of “%s”', (models, want) => {
    expect(shadow(models.map((model) => ({ model, targets: [] })), models.length - 1)).toBe(want);
  });
});

it('leaves out what says nothing', () => {
  expect(changed(far, { api_key_env: 'KEY' }, ['api_key_env'])).toEqual({ ...far, api_key_env: 'KEY' });
  expect(changed({ ...far, api_key_env: 'KEY' }, { api_key_env: '' }, ['api_key_env'])).toEqual(far);
  expect(replaced(['a', 'b'], 1, 'c')).toEqual(['a', 'c']);
  expect(without(['a', 'b'], 0)).toEqual(['b']);
});

describe('providers that change elsewhere', () => {
  const kept = { ...far, api_key_keychain: 'far' };

  it('take on what has changed, and keep what is unsaved', () => {
    const mine = [{ ...far, base_url: 'https://new.example/v1' }, near];
    expect(carried(mine, [far, near], [kept, near])).toEqual([{ ...kept, base_url: 'https://new.example/v1' }, near]);
    expect(carried([kept], [kept], [far])).toEqual([far]); // a member that went
  });

  it('stay as they are when they are new, renamed or gone', () => {
    const fresh = { ...near, name: 'fresh' };
    expect(carried([fresh], [far], [kept])).toEqual([fresh]);
    expect(carried([far], [far], [])).toEqual([far]);
  });

  it('are saved when they stand there just as they are', () => {
    expect(sameIn([far, near], { ...far })).toBe(true);
    expect(sameIn([far, near], kept)).toBe(false);
    expect(sameIn([far, near], { ...far, name: 'other' })).toBe(false);
  });
});

it('counts targets as people do', () => expect(counted('is the same as targets[0]')).toBe('is the same as target 1'));
