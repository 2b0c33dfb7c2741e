// Providers, routes, Local only and API keys, changed on the page and tried with real requests.
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { violations } from './support/axe';
import { starter } from './support/server';
import { eventually, useStage } from './support/stage';
import { startUpstream, type Upstream } from './support/upstream';

let upstream: Upstream;
const stage = useStage({ prepare: async () => void (upstream = await startUpstream()) });
afterAll(() => upstream?.stop());

const send = (method: string, body: unknown): RequestInit => ({ method, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });

interface Stored {
  local_only: boolean;
  server: { require_api_key: boolean };
  providers: { name: string; kind: string; base_url: string; api_key_env?: string }[];
  routes: { model: string; spread?: string; targets: { provider: string; model?: string; weight?: number }[] }[];
}
const stored = async () => (await (await stage.server.api('/api/settings')).json()) as Stored;

const scripted = () => ({ name: 'scripted', kind: 'openai', base_url: upstream.url });
const to = (model: string, ...targets: object[]) => ({ model, targets });

beforeEach(async () => {
  await stage.server.api(
    '/api/settings',
    send('PATCH', {
      local_only: false,
      server: { require_api_key: false },
      providers: [scripted()],
      routes: [to('first', { provider: 'scripted', model: 'ok-4' }), to('second', { provider: 'local', model: starter }), to('third', { provider: 'scripted' })],
    }),
  );
  await stage.page.getByRole('link', { name: 'Settings', exact: true }).click();
  await routes().getByRole('button', { name: 'first', exact: true }).waitFor();
});

const region = (name: string) => stage.page.getByRole('region', { name, exact: true });
const providers = () => region('Providers');
const routes = () => region('Routes');
const keys = () => region('API Keys');
const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
/** What opens a provider or route of that name. */
const entry = (name: string) => stage.page.locator('button[aria-expanded]').filter({ has: stage.page.getByText(name, { exact: true }) });
const text = (name: string) => providers().getByRole('textbox', { name, exact: true });
const combo = (name: string) => stage.page.getByRole('combobox', { name, exact: true });
const focused = () => stage.page.evaluate(() => document.activeElement?.getAttribute('aria-label') ?? document.activeElement?.textContent?.trim());
const saved = async () => {
  await button('Save').click();
  await stage.page.getByText('Saved', { exact: true }).waitFor();
};
const order = async () => (await stored()).routes.map((r) => r.model);
/** The routes in the order in which the page has them. */
const listed = async () => {
  const names = await routes().getByRole('list', { name: 'Routes', exact: true }).locator('> li button[aria-expanded]').allInnerTexts();
  return names.map((name) => name.trim());
};

const chat = (model: string, headers: Record<string, string> = {}) =>
  fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4 }),
  });

it('offers what runs on this machine, and adds it only when told to', async () => {
  const { page } = stage;
  const body = JSON.stringify({ servers: [{ name: 'Ollama', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1', models: 2 }] });
  await page.route('**/api/providers/nearby', (route) => route.fulfill({ contentType: 'application/json', body }));
  await page.reload();
  await providers().getByText('Ollama is running here, with 2 models.').waitFor();
  expect(await violations(page, 'nearby')).toEqual([]);
  expect((await stored()).providers).toEqual([scripted()]);
  await button('Add Ollama, which is running here').click();
  await providers().getByText('Ollama is running here').waitFor({ state: 'detached' });
  await eventually(focused).toContain('ollama');
  await saved();
  expect((await stored()).providers).toEqual([scripted(), { name: 'ollama', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1' }]);
  await page.unroute('**/api/providers/nearby');
});

it('leads requests to a provider and by a route that were added here', async () => {
  const { page } = stage;
  await button('Add Other compatible server').click();
  await eventually(() => page.evaluate(() => (document.activeElement as HTMLInputElement | null)?.placeholder)).toBe('http://127.0.0.1:8000/v1'); // what is to be filled in
  await page.keyboard.type(upstream.url);
  await text('Name').fill('mine');
  await button('Add a route').click();
  await page.keyboard.type('gpt-*');
  await combo('Provider of target 1').selectOption('mine');
  await page.getByLabel('Model of target 1').fill('ok-4');
  await routes().getByText('goes to mine as ok-4').waitFor();
  await saved();
  expect((await stored()).providers).toEqual([scripted(), { name: 'mine', kind: 'openai', base_url: upstream.url }]);
  expect((await stored()).routes.at(-1)).toEqual(to('gpt-*', { provider: 'mine', model: 'ok-4' }));

  await page.getByLabel('Where would a model go?').fill('gpt-4o');
  await button('Explain').click();
  await page.getByText('the route gpt-* decides').waitFor();
  const answer = await chat('gpt-4o');
  expect(answer.status).toBe(200);
  expect(answer.headers.get('x-mlxbar-provider')).toBe('mine');
  expect(answer.headers.get('x-mlxbar-model')).toBe('ok-4');
});

it('explains once, and again only when something was saved', async () => {
  const { page } = stage;
  let asked = 0;
  page.on('request', (r) => void (r.url().includes('/api/routes/explain') && asked++));
  const answers = () => page.waitForResponse(/\/api\/routes\/explain/);
  await page.getByLabel('Where would a model go?').fill('fourth');
  await Promise.all([answers(), button('Explain').click()]);
  await page.getByText('no route matches').waitFor();
  await entry('third').click();
  await routes().getByRole('combobox', { name: 'Model', exact: true }).fill('fourth');
  await Promise.all([answers(), saved()]);
  await page.getByText('the route fourth decides').waitFor();
  await chat('first'); // time in which a page that asks by itself would
  expect(asked).toBe(2);
});

it('fills in where known servers listen', async () => {
  const { page } = stage;
  for (const name of ['OpenAI', 'Anthropic', 'Ollama', 'LM Studio', 'vLLM']) await button(`Add ${name}`).click();
  await saved();
  expect((await stored()).providers.slice(1)).toEqual([
    { name: 'openai', kind: 'openai', base_url: 'https://api.openai.com/v1' },
    { name: 'anthropic', kind: 'anthropic', base_url: 'https://api.anthropic.com/v1' },
    { name: 'ollama', kind: 'openai', base_url: 'http://127.0.0.1:11434/v1' },
    { name: 'lm-studio', kind: 'openai', base_url: 'http://127.0.0.1:1234/v1' },
    { name: 'vllm', kind: 'openai', base_url: 'http://127.0.0.1:8000/v1' },
  ]);
  await page.reload();
  await entry('ollama').waitFor();
});

describe('a provider', () => {
  it('that is renamed keeps its routes', async () => {
    await entry('scripted').click();
    await text('Name').fill('s');
    await text('Name').fill('renamed');
    await routes().getByText('goes to renamed as ok-4').waitFor();
    await saved();
    expect((await stored()).routes.map((r) => r.targets[0]?.provider)).toEqual(['renamed', 'local', 'renamed']);
    expect((await chat('first')).headers.get('x-mlxbar-provider')).toBe('renamed');
  });

  it('that routes still name cannot go, and each of them says so at its field; undo brings it back', async () => {
    const { page } = stage;
    const before = await stored();
    await page.clock.setFixedTime(new Date()); // so that the time to undo is not over meanwhile
    await button('Remove scripted').click();
    await page.getByText('Removed scripted. 2 routes still lead to it.').waitFor();
    await button('Save').click();
    const wrong = routes().getByRole('alert').filter({ hasText: 'The provider must be local or name a provider; there are none.' });
    await eventually(() => wrong.count()).toBe(2);
    const described = await wrong.first().getAttribute('id');
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('aria-describedby'))).toBe(described);
    expect(await stored()).toEqual(before);
    await button('Undo').click();
    await eventually(() => wrong.count()).toBe(0);
    expect(await button('Save').count()).toBe(0); // nothing is changed any more
  });

  it.each([
    ['Name', 'Not a name', 'Name must consist of a-z, 0-9 and -'],
    ['Address', 'ftp://somewhere', 'Address must be an http or https address'],
    ['Key from a variable', 'sk-not-a-name', 'Key from a variable must be the name of an environment variable such as OPENAI_API_KEY, not the key itself'],
  ])('says what is wrong with its %s at the field', async (field, typed, sentence) => {
    const before = await stored();
    await entry('scripted').click();
    await text(field).fill(typed);
    await button('Save').click();
    await providers().getByRole('alert').filter({ hasText: sentence }).waitFor();
    expect(await stored()).toEqual(before);
    await text(field).fill('x');
    await eventually(() => providers().getByRole('alert').count()).toBe(0);
    await button('Revert').click();
  });
});

describe('the order of routes', () => {
  it('is changed by the arrow keys of a handle, said, and kept', async () => {
    const { page } = stage;
    await button('Move first').focus();
    await page.keyboard.press('ArrowDown');
    await eventually(listed).toEqual(['second', 'first', 'third']);
    expect(await focused()).toBe('Move first');
    await routes().getByRole('status').filter({ hasText: 'first: now 2 of 3' }).waitFor();
    await page.keyboard.press('End');
    await eventually(listed).toEqual(['second', 'third', 'first']);
    await page.keyboard.press('ArrowDown'); // no further
    await page.keyboard.press('Home');
    await eventually(listed).toEqual(['first', 'second', 'third']);
    await page.keyboard.press('ArrowDown');
    await eventually(listed).toEqual(['second', 'first', 'third']);
    await page.keyboard.press('Control+s');
    await page.getByText('Saved', { exact: true }).waitFor();
    expect(await order()).toEqual(['second', 'first', 'third']);
    expect(await focused()).toBe('Move first');
    await page.reload();
    await eventually(listed).toEqual(['second', 'first', 'third']);
  });

  it('is changed by dragging a handle, and kept', async () => {
    await drag('Move third', 'first', 'above');
    await eventually(listed).toEqual(['third', 'first', 'second']);
    await drag('Move third', 'first', 'below');
    await eventually(listed).toEqual(['first', 'third', 'second']);
    await saved();
    expect(await order()).toEqual(['first', 'third', 'second']);
  });

  it('stays as it was when a drag is given up with Escape', async () => {
    const { page } = stage;
    await drag('Move third', 'first', 'above', async () => page.keyboard.press('Escape'));
    expect(await listed()).toEqual(['first', 'second', 'third']);
    expect(await button('Save').count()).toBe(0);
  });

  it('is changed by buttons, which need no drag', async () => {
    await entry('third').click();
    await button('Move up: third').click();
    await eventually(listed).toEqual(['first', 'third', 'second']);
    expect(await entry('third').getAttribute('aria-expanded')).toBe('true'); // what was open goes along
    expect(await entry('second').getAttribute('aria-expanded')).toBe('false');
    await saved();
    expect(await order()).toEqual(['first', 'third', 'second']);
  });

  /** Drags a handle over a row, to a little above or below its middle. */
  async function drag(handle: string, row: string, where: 'above' | 'below', before: () => Promise<void> = async () => undefined): Promise<void> {
    const { page } = stage;
    await routes().evaluate((e) => e.scrollIntoView());
    const from = await button(handle).boundingBox();
    const box = await entry(row).boundingBox();
    if (!from || !box) throw new Error('there is no such row');
    await page.mouse.move(from.x + 10, from.y + 10);
    await page.mouse.down();
    await page.mouse.move(from.x + 10, from.y - 5);
    await page.mouse.move(from.x + 10, box.y + box.height / 2 + (where === 'above' ? -8 : 8), { steps: 4 });
    await page.locator('[data-insertion]').waitFor();
    await before();
    await page.mouse.up();
  }
});

it('changes the targets of a route, and how they are chosen', async () => {
  const { page } = stage;
  await entry('first').click();
  await button('Add a target to first').click();
  expect(await focused()).toBe('Provider of target 2');
  expect(await combo('Provider of target 2').inputValue()).toBe('local');
  await page.getByLabel('Model of target 2').fill(starter);
  await button('Move target 2, this machine').focus();
  await page.keyboard.press('ArrowUp');
  await routes().getByText(`goes to this machine as ${starter}, then scripted as ok-4`).waitFor();
  await page.getByRole('radio', { name: /^By weight/ }).check();
  await page.getByRole('spinbutton', { name: 'Weight of target 2' }).fill('0');
  await button('Save').click();
  await routes().getByRole('alert').filter({ hasText: 'The weight must be from 1 to 1000.' }).waitFor();
  await page.getByRole('spinbutton', { name: 'Weight of target 2' }).fill('3');
  await saved();
  expect((await stored()).routes[0]).toEqual({
    model: 'first', spread: 'weight', targets: [{ provider: 'local', model: starter }, { provider: 'scripted', model: 'ok-4', weight: 3 }],
  });
  await button('Remove target 1').click();
  await page.getByRole('radio', { name: /^In order/ }).check();
  await saved();
  expect((await stored()).routes[0]).toEqual({ model: 'first', targets: [{ provider: 'scripted', model: 'ok-4', weight: 3 }] });
});

it('brings a removed route back, and says of one that it is never reached', async () => {
  const { page } = stage;
  await button('Remove second').click();
  await eventually(listed).toEqual(['first', 'third']);
  await button('Undo').click();
  await eventually(listed).toEqual(['first', 'second', 'third']);
  await entry('first').click();
  await page.getByRole('combobox', { name: 'Model', exact: true }).first().fill('*');
  await eventually(() => routes().getByText('Never reached: * above it takes all of its requests.').count()).toBe(2);
});

describe('Local only', () => {
  it('keeps what is here and refuses what would leave', async () => {
    const { page, server } = stage;
    await server.api('/api/settings', send('PATCH', { providers: [scripted(), { name: 'far', kind: 'openai', base_url: 'https://far.example/v1' }], routes: [to('gpt-*', { provider: 'far' })] }));
    await page.getByText('what routes lead to far leaves this machine').waitFor();
    await page.getByRole('switch', { name: 'Nothing leaves this machine' }).click();
    await saved();
    expect((await stored()).local_only).toBe(true);
    const refused = await chat('gpt-4o');
    expect(refused.status).toBe(403);
    await page.getByLabel('Where would a model go?').fill('gpt-4o');
    await page.keyboard.press('Enter');
    await page.getByText('A request would be refused now: every target is passed over.').waitFor();
    await page.getByText('passed over: nothing may leave this machine').waitFor();
  });
});

describe('an API key', () => {
  const dialog = () => stage.page.getByRole('dialog');
  const make = async (name: string) => {
    await button('Make a key').click();
    await dialog().getByLabel('Name').fill(name);
    await button('Make the key').click();
    const secret = await dialog().locator('[data-secret]').innerText();
    return secret.trim();
  };

  it('is shown once, opens the door, and closes it when it is revoked', async () => {
    const { page } = stage;
    const secret = await make('editor');
    expect(secret).toMatch(/^sk-mlxbar-/);
    await button('Copy the key').click();
    await eventually(() => page.evaluate(() => navigator.clipboard.readText())).toBe(secret);
    await button('Done').click();
    await dialog().waitFor({ state: 'detached' });
    await eventually(focused).toBe('Make a key');
    expect(await page.content()).not.toContain(secret);
    await keys().getByText('never used').waitFor();

    await page.getByRole('switch', { name: 'Require an API key' }).click();
    await saved();
    expect((await chat('first')).status).toBe(401);
    expect((await chat('first', { Authorization: 'Bearer sk-mlxbar-wrong' })).status).toBe(401);
    expect((await chat('first', { Authorization: `Bearer ${secret}` })).status).toBe(200);
    expect((await chat('first', { 'X-Api-Key': secret })).status).toBe(200);

    await button('Revoke editor').click();
    await eventually(() => keys().getByRole('listitem').count()).toBe(0);
    expect((await chat('first', { Authorization: `Bearer ${secret}` })).status).toBe(401);
    await button('Undo').click();
    await keys().getByText('editor').waitFor();
    expect((await chat('first', { Authorization: `Bearer ${secret}` })).status).toBe(200);
  });

  it('has limits that hold, and that can be changed', async () => {
    const { page } = stage;
    const secret = await make('limited');
    await button('Done').click();
    await button('Edit limited').click();
    await dialog().getByLabel('Models', { exact: true }).fill('second');
    await page.keyboard.press('Enter');
    await dialog().getByLabel('Requests a minute').fill('-1');
    await button('Save the key').click();
    await dialog().getByRole('alert').filter({ hasText: 'Requests a minute must be from 0 to' }).waitFor();
    await dialog().getByLabel('Requests a minute').fill('100');
    await dialog().getByLabel('Tokens a day').fill('200000');
    await button('Save the key').click();
    await keys().getByText('second · 100 requests a minute · 200k tokens a day').waitFor();
    expect((await chat('first', { Authorization: `Bearer ${secret}` })).status).toBe(403);
    expect((await chat('second', { Authorization: `Bearer ${secret}` })).status).toBe(200);
  });

  it('needs a name', async () => {
    await button('Make a key').click();
    await button('Make the key').click();
    await dialog().getByRole('alert').filter({ hasText: 'Name must not be empty' }).waitFor();
    await stage.page.keyboard.press('Escape');
    await dialog().waitFor({ state: 'detached' });
  });
});

it('has nothing that axe-core finds wrong, open and with faults, in light and in dark', async () => {
  const { page } = stage;
  await entry('scripted').click();
  await entry('first').click();
  await button('Add a target to first').click();
  await page.getByRole('radio', { name: /^By load/ }).check();
  await combo('Provider of target 2').selectOption('scripted');
  await page.getByLabel('Model of target 2').fill('ok-4');
  await page.getByLabel('Where would a model go?').fill('first');
  await page.keyboard.press('Enter');
  await page.getByText('the route first decides').waitFor();
  await button('Save').click();
  await routes().getByRole('alert').filter({ hasText: 'The target is the same as target 1.' }).waitFor();
  await routes().evaluate((e) => e.scrollIntoView());
  const found = await violations(page, 'routes');
  await providers().evaluate((e) => e.scrollIntoView());
  found.push(...(await violations(page, 'providers')));
  await button('Revert').click();
  await button('Make a key').click();
  await stage.page.getByRole('dialog').getByLabel('Name').fill('a');
  found.push(...(await violations(page, 'key form')));
  await button('Make the key').click();
  await page.locator('[data-secret]').waitFor();
  found.push(...(await violations(page, 'key secret')));
  expect(found).toEqual([]);
});

it('moves nothing when an entry is opened but what is below it', async () => {
  const { page } = stage;
  const tops = async () => Promise.all([entry('first'), button('Move first'), button('Remove first')].map(async (e) => (await e.boundingBox())?.y));
  await routes().evaluate((e) => e.scrollIntoView());
  const before = await tops();
  await entry('first').click();
  await page.getByLabel('Model of target 1').waitFor();
  expect(await tops()).toEqual(before);
});
