import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { eventually, useStage } from './support/stage';

const stage = useStage();

beforeEach(async () => {
  await stage.server.api('/api/settings', patchOf(initial));
  await stage.page.getByRole('link', { name: 'Settings', exact: true }).click();
  await stage.page.getByRole('slider', { name: 'Chat' }).waitFor();
});

const initial = {
  server: { addr: null, allowed_origins: [], max_body_mb: 64 },
  timeouts: null,
  engines: { llamacpp: null },
  audit: null,
  telemetry: null,
};
const patchOf = (patch: unknown): RequestInit => ({ method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(patch) });
const outside = (chat: string) => stage.server.api('/api/settings', patchOf({ timeouts: { chat } }));

const slider = (name: string) => stage.page.getByRole('slider', { name });
const minutes = (name: string) => stage.page.getByRole('spinbutton', { name: `${name}, minutes` });
const number = (name: string) => stage.page.getByRole('spinbutton', { name, exact: true });
const text = (name: string) => stage.page.getByRole('textbox', { name, exact: true });
const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const advanced = () => stage.page.getByRole('button', { name: /^Advanced/ });

interface Stored {
  server: Record<string, unknown>;
  timeouts: Record<string, string>;
  engines: { llamacpp: Record<string, number> };
  audit: Record<string, unknown>;
}
const stored = async () => (await (await stage.server.api('/api/settings')).json()) as Stored;

it('has its sections in order, and finds settings by a word', async () => {
  const { page } = stage;
  const headings = page.locator('main h3');
  const sections = ['General', 'Request Timeouts', 'Engines', 'Local Only', 'Providers', 'Routes', 'API Keys', 'Privacy and Retention', 'Costs', 'Audit Logs'];
  await eventually(() => headings.allInnerTexts()).toEqual(sections);
  const search = page.getByRole('searchbox', { name: 'Search settings' });
  await search.fill('first token');
  await eventually(() => headings.filter({ visible: true }).allInnerTexts()).toEqual(['Request Timeouts']);
  expect(await number('First token').isVisible()).toBe(true);
  expect(await slider('Chat').count()).toBe(0);
  await search.fill('no such thing');
  await page.getByText('No setting matches “no such thing”').waitFor();
  await button('Show all').click();
  await eventually(() => headings.filter({ visible: true }).allInnerTexts()).toEqual(sections);
});

it('says of each setting what it does, with its default', async () => {
  const { page } = stage;
  for (const sentence of [
    'Host and port. Beyond 127.0.0.1, [::1] and localhost, such as at 0.0.0.0, other machines can ask, and requests then need an API key in any case. Default: 127.0.0.1:10242.',
    'The largest request body, in MiB (1 to 1024). Default: 64 MiB.',
    'Requests answered at once (1 to 64). Default: 4 at once.',
    'Records older than this are deleted, in days (1 to 3650). Default: 30 days.',
    'What the server calls itself there. Counts from the server\'s next start; the variable OTEL_SERVICE_NAME wins over it. Default: mlxbar.',
    'default 15 min',
  ]) {
    await page.getByText(sentence).waitFor();
  }
});

describe('the time limits', () => {
  it('stand at 15, 10 and 2 minutes', async () => {
    for (const [name, value] of [['Chat', '15'], ['Completions', '10'], ['Embeddings', '2']] as const) {
      expect(await slider(name).inputValue()).toBe(value);
      expect(await minutes(name).inputValue()).toBe(value);
    }
  });

  it('let slider and field follow each other, revert, and keep what was saved', async () => {
    const { page } = stage;
    expect(await button('Save').count()).toBe(0);
    await slider('Chat').focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
    expect(await minutes('Chat').inputValue()).toBe('18');
    await minutes('Embeddings').fill('7');
    expect(await slider('Embeddings').inputValue()).toBe('7');
    await page.getByText('2 changes').waitFor();
    await button('Revert').click();
    expect(await minutes('Chat').inputValue()).toBe('15');
    expect(await button('Save').count()).toBe(0);
    expect(await button('Revert').count()).toBe(0);

    await minutes('Chat').fill('20');
    await button('Save').click();
    await page.getByText('Saved', { exact: true }).waitFor();
    expect((await stored()).timeouts).toMatchObject({ chat: '20m', embeddings: '2m' });
    await page.reload();
    await eventually(() => slider('Chat').inputValue()).toBe('20');
  });

  it('are not lost when the page is left without a word', async () => {
    const { page } = stage;
    const asked: string[] = [];
    let stay = true;
    page.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void (stay ? dialog.dismiss() : dialog.accept());
    });
    const leave = () => page.evaluate(() => void setTimeout(() => location.reload()));
    await minutes('Chat').fill('20');
    await page.getByText('1 change').waitFor();
    await leave();
    await eventually(() => asked).toEqual(['beforeunload']);
    expect(await minutes('Chat').inputValue()).toBe('20');
    stay = false;
    await Promise.all([page.waitForEvent('load'), leave()]);
    await eventually(() => minutes('Chat').inputValue()).toBe('15');
    expect(asked.length).toBe(2);
    await Promise.all([page.waitForEvent('load'), leave()]); // nothing would be lost
    expect(asked.length).toBe(2);
  });

  it.each(['0', '121', ''])('do not take "%s" minutes, and say what would be right', async (typed) => {
    const { page } = stage;
    const before = await stored();
    await minutes('Completions').fill(typed);
    await page.getByText('Completions takes a number of minutes from 1 to 120.').waitFor();
    await page.keyboard.press('Control+s');
    expect(await stored()).toEqual(before);
    await slider('Chat').focus(); // what is wrong stays in sight
    expect(await minutes('Completions').inputValue()).toBe(typed);
    await minutes('Completions').fill('12');
    await page.getByText('1 change').waitFor();
  });

  it('have further ones under Advanced, with units', async () => {
    const { page } = stage;
    expect(await number('Idle').isVisible()).toBe(false);
    await advanced().click();
    expect(await number('Idle').inputValue()).toBe('2');
    await page.getByRole('combobox', { name: 'Idle, unit' }).selectOption('s');
    await number('Idle').fill('90');
    await button('Save').click();
    await page.getByText('Saved', { exact: true }).waitFor();
    expect((await stored()).timeouts.idle).toBe('1m30s'); // as the server writes it
    await page.reload();
    await advanced().click();
    await eventually(() => number('Idle').inputValue()).toBe('90');
  });
});

describe('what is not possible', () => {
  const cases: [string, () => Promise<void>, string][] = [
    ['a name for an address', () => text('Address').fill('my-mac.local:80'), 'Address must be an IP address or localhost, and a port from 0 to 65535, such as 127.0.0.1:10242'],
    ['a collector without http', () => text('Telemetry collector').fill('localhost:4318'), 'Telemetry collector must be empty, or an http or https address without user, query or fragment, such as http://localhost:4318'],
    ['a number out of range', () => number('Largest request').fill('0'), 'Largest request must be from 1 to 1024.'],
    ['a number that is not whole', () => number('Threads').fill('1.5'), 'Threads must be a whole number, not a fraction'],
    ['a number out of range in the audit', () => number('Keep records for').fill('5000'), 'Keep records for must be from 1 to 3650.'],
    ['an entry of a list', () => text('Allowed web origins').fill('localhost'), 'Allowed web origins cannot have “localhost”: each must be an origin'],
    [
      'a duration out of range',
      async () => {
        await advanced().click();
        await number('Connect').fill('121');
      },
      'Connect must be from 1s to 2m.',
    ],
  ];
  it.each(cases)('is said at the field, in the server’s words: %s', async (_, change, sentence) => {
    const { page } = stage;
    const before = await stored();
    await change();
    await page.keyboard.press('Tab');
    await button('Save').click();
    const alert = page.getByRole('alert').filter({ hasText: sentence });
    await alert.waitFor();
    expect(await stored()).toEqual(before);
    const id = await alert.getAttribute('id');
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('aria-describedby'))).toBe(id); // the keyboard is there
    expect(await button('Save').getAttribute('aria-disabled')).toBe('true');
    await button('Revert').click();
    expect(await alert.count()).toBe(0);
    expect(await button('Save').count()).toBe(0);
  });

  it('is said at once where it is no number at all', async () => {
    await number('Threads').fill('');
    await stage.page.getByText('Threads takes a number.').waitFor();
    await number('Threads').fill('2');
    await stage.page.getByText('1 change').waitFor();
  });
});

it('saves lists, numbers and choices', async () => {
  const { page } = stage;
  await text('Allowed web origins').fill('http://localhost:3000');
  await page.keyboard.press('Enter');
  await number('Parallel requests').fill('2');
  await page.getByRole('radio', { name: 'Strict' }).check();
  await page.getByText('3 changes').waitFor();
  await page.keyboard.press('Control+s');
  await page.getByText('Saved', { exact: true }).waitFor();
  const now = await stored();
  expect(now.server.allowed_origins).toEqual(['http://localhost:3000']);
  expect(now.engines.llamacpp.parallel).toBe(2);
  expect(now.audit.durability).toBe('strict');
});

it('gives the keyboard back when its buttons go', async () => {
  const { page } = stage;
  for (const name of ['Revert', 'Save']) {
    await minutes('Chat').fill('22');
    await button(name).focus();
    await page.keyboard.press('Enter');
    await eventually(() => minutes('Chat').evaluate((e) => e === document.activeElement)).toBe(true);
    expect(await button(name).count()).toBe(0);
  }
});

it('keeps what is changed while a save is under way', async () => {
  const { page } = stage;
  let release = () => {};
  const held = new Promise<void>((resolve) => (release = resolve));
  await page.route('**/api/settings', async (route) => {
    if (route.request().method() === 'PATCH') await held;
    await route.continue();
  });
  await minutes('Chat').fill('21');
  await button('Save').click();
  await minutes('Embeddings').fill('6');
  release();
  await page.getByText('1 change').waitFor();
  expect(await minutes('Embeddings').inputValue()).toBe('6');
  expect((await stored()).timeouts).toMatchObject({ chat: '21m', embeddings: '2m' });
  await button('Save').click();
  await page.getByText('Saved', { exact: true }).waitFor();
  expect((await stored()).timeouts).toMatchObject({ chat: '21m', embeddings: '6m' });
});

describe('changed outside', () => {
  it('are shown as they are, when nothing is unsaved here', async () => {
    await outside('33m');
    await eventually(() => slider('Chat').inputValue()).toBe('33');
  });

  it('are shown in a field that has the keyboard, too', async () => {
    await minutes('Chat').focus();
    await outside('34m');
    await eventually(() => minutes('Chat').inputValue()).toBe('34');
    expect(await slider('Chat').inputValue()).toBe('34');
  });

  it('are what Revert goes back to', async () => {
    await minutes('Embeddings').fill('9');
    await outside('43m');
    await button('Keep mine').waitFor();
    await button('Revert').click();
    expect(await slider('Chat').inputValue()).toBe('43');
    expect(await minutes('Embeddings').inputValue()).toBe('2');
    expect(await button('Keep mine').count()).toBe(0);
  });

  it('can be taken, which forgets what is unsaved here', async () => {
    await minutes('Embeddings').fill('9');
    await outside('44m');
    await button('Take the others').click();
    expect(await slider('Chat').inputValue()).toBe('44');
    expect(await minutes('Embeddings').inputValue()).toBe('2');
  });

  it('can be kept beside what is unsaved here', async () => {
    const { page } = stage;
    await minutes('Embeddings').fill('9');
    await outside('55m');
    await button('Keep mine').click();
    expect(await slider('Chat').inputValue()).toBe('55');
    expect(await minutes('Embeddings').inputValue()).toBe('9');
    await page.getByText('1 change').waitFor();
  });

  it('and broken: the field is named, nothing is lost, and what was in force stays', async () => {
    const { page, server } = stage;
    const file = join(server.dir, 'settings.json');
    const good = await readFile(file, 'utf8');
    await minutes('Chat').fill('19');
    const broken = JSON.stringify({ ...(JSON.parse(good) as object), audit: { retention_days: 0 } });
    await writeFile(file, broken);
    await page.getByText('A problem with settings.json').waitFor();
    await page.getByText('audit.retention_days must be from 1 to 3650').first().waitFor();
    expect(await minutes('Chat').inputValue()).toBe('19');
    expect((await stored()).audit.retention_days).toBe(30);
    expect(await readFile(file, 'utf8')).toBe(broken);
    await writeFile(file, good);
    await eventually(() => page.getByText('A problem with settings.json').count()).toBe(0);
    expect(await minutes('Chat').inputValue()).toBe('19');
  });
});

it('keeps what is unsaved while the server is stopped', async () => {
  const { page, server } = stage;
  await minutes('Chat').fill('23');
  await server.stop();
  await button('Save').click();
  await page.getByText('The server does not answer.').waitFor();
  expect(await minutes('Chat').inputValue()).toBe('23');
  await server.start();
  await page.getByLabel('Admin token').fill(await server.token());
  await page.keyboard.press('Enter');
  await eventually(() => minutes('Chat').inputValue()).toBe('23');
  await button('Save').click();
  await page.getByText('Saved', { exact: true }).waitFor();
  expect((await stored()).timeouts.chat).toBe('23m');
});
