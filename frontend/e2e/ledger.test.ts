// The ledger: what left this machine, by day and provider, and what it cost.
import { readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { violations } from './support/axe';
import { walk } from './support/keyboard';
import { cut } from './support/layout';
import { starter, type Server } from './support/server';
import { eventually, useStage } from './support/stage';
import { startUpstream, type Upstream } from './support/upstream';

let upstream: Upstream;

const table = (input: number) =>
  JSON.stringify({
    version: 1,
    currency: 'USD',
    prices: [{ models: ['usage-*'], kind: 'openai', host: '0.0.0.0', from: '2020-01-01', input, output: 10 * input, source: 'https://example.com/prices', seen: '2026-01-01' }],
  });

/** Nobody reads one that is half written. */
async function prices(server: Server, text: string): Promise<void> {
  const file = join(server.dir, 'prices.json');
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

const stage = useStage({
  prepare: async (server) => {
    upstream = await startUpstream();
    // By this name a server of this machine is not known as one: the nearest to one elsewhere.
    const base_url = upstream.url.replace('127.0.0.1', '0.0.0.0');
    const to = (provider: string, model: string) => ({ provider, model });
    await writeFile(
      join(server.dir, 'settings.json'),
      JSON.stringify({
        providers: [
          { name: 'openai', kind: 'openai', base_url },
          { name: 'other', kind: 'openai', base_url },
        ],
        routes: [
          { model: 'paid', targets: [to('openai', 'usage-40')] },
          { model: 'unpriced', targets: [to('other', 'ok-3')] },
          { model: 'falls-back', targets: [to('other', 'status-500'), to('local', starter)] },
        ],
      }),
    );
    await prices(server, table(100));
  },
});

afterAll(async () => upstream?.stop());

async function ask(model: string): Promise<string> {
  const response = await fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 4 }),
  });
  expect(response.status, await response.text()).toBe(200);
  return String(response.headers.get('x-request-id'));
}

let paid = '';
let fell = '';

async function show(query = ''): Promise<void> {
  await stage.page.evaluate((to) => (location.hash = to), `ledger${query}`);
  await stage.page.getByRole('heading', { level: 2, name: 'Ledger' }).waitFor();
  await stage.page.locator('[data-headline]').waitFor();
}

const headline = () => stage.page.locator('[data-headline]').innerText();
const figure = (name: string) => stage.page.locator(`[data-stat="${name}"]`).innerText();

it('says that nothing left before anything has', async () => {
  await show();
  expect(await headline()).toBe('Nothing left this machine.');
  await stage.page.getByText('No requests on these days.').waitFor();
  await stage.page.getByText('Nothing left this machine on these days.').waitFor();
  expect(await violations(stage.page, 'ledger empty')).toEqual([]);
});

it('takes up what ends meanwhile', async () => {
  await show();
  paid = await ask('paid'); // 11 and 40 tokens
  await eventually(headline).toBe('$0.04 to openai, 1 request, 51 tokens. Nothing else left this machine.');
});

it('tells what left by day and provider, and what the rest would have cost', async () => {
  const { page } = stage;
  await ask('unpriced');
  fell = await ask('falls-back');
  await show();
  await eventually(headline).toBe('$0.04 to openai, 1 request, 51 tokens; an unknown cost to other, 2 requests, 14 tokens. Nothing else left this machine.');
  expect(await page.locator('[data-comparison]').innerText()).toMatch(/^1 request on this machine, \d+ tokens\. At gpt-5-mini they would have cost (under )?\$0\.000/);
  expect([await figure('Requests that left'), await figure('Requests here')]).toEqual(['3', '1']);
  expect(await page.locator('tbody tr[data-line$="other"] td').allInnerTexts()).toEqual(expect.arrayContaining(['2', '1', '14', '–']));
  expect(await page.locator('tbody tr[data-line$="openai"]').innerText()).toContain('$0.04');
  expect(await page.locator('tbody tr[data-line$="llamacpp"]').innerText()).toContain('here');
  await page.getByRole('slider', { name: 'Values of Cost by day' }).focus();
  await page.keyboard.press('End');
  await eventually(() => page.getByRole('slider').getAttribute('aria-valuetext')).toMatch(/openai \$0\.04/);
});

it('counts on the overview what left by the same rule', async () => {
  await stage.page.evaluate(() => (location.hash = 'overview'));
  await eventually(() => stage.page.locator('div:has(> dt:text-is("Left this machine"))').innerText()).toMatch(/100 %\s*3 of 3/);
});

it('shows the days that are chosen', async () => {
  const { page } = stage;
  await show();
  await page.getByLabel('Days', { exact: true }).selectOption('custom');
  await page.getByLabel('First day').fill('2020-01-01');
  await page.getByLabel('Last day').fill('2019-01-01');
  await page.getByRole('alert').getByText('The last day is before the first.').waitFor();
  await page.getByLabel('Last day').fill('2020-01-31');
  await eventually(headline).toBe('Nothing left this machine.');
  expect(page.url()).toContain('from=2020-01-01&to=2020-01-31');
  await page.getByLabel('Days', { exact: true }).selectOption('today');
  await eventually(headline).toContain('$0.04 to openai');
});

it.each(['CSV', 'JSONL'])('exports them as %s', async (format) => {
  const { page } = stage;
  await show();
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `Export ${format}` }).click()]);
  expect(file.suggestedFilename()).toBe(`mlxbar-ledger.${format.toLowerCase()}`);
  const text = await readFile(await file.path(), 'utf8');
  expect(text).toMatch(format === 'CSV' ? /,openai,true,1,0,11,40,4,\d+,\d+,0\.0411,0,\r\n/ : /"provider":"openai","left":true,"requests":1,/);
  await page.getByText('Sent to the browser: 3 lines').waitFor();
});

it('tells of one request whom it left to and what it cost', async () => {
  const { page } = stage;
  const field = (name: string) => page.locator(`[data-field="${name}"]`).innerText();
  await page.evaluate((id) => (location.hash = `settings/audit?record=${id}`), paid);
  await eventually(() => field('Cost')).toBe('$0.04');
  expect(await field('Sent to openai')).toMatch(/^\d+ B out, \d+ k?B in, answered 200$/);
  await page.keyboard.press('Escape');
  await page.evaluate((id) => (location.hash = `settings/audit?record=${id}`), fell);
  await eventually(() => field('Sent to other')).toMatch(/answered 500$/);
  expect([await field('Backend'), await field('Cost')]).toEqual(['LOCAL', '–']);
});

it('shows the prices, and what is wrong with a file of them', async () => {
  const { page } = stage;
  await show();
  await page.getByRole('button', { name: /^Prices in force/ }).click();
  const first = page.getByRole('region', { name: 'Table of prices' }).locator('tbody tr').first();
  await eventually(() => first.innerText()).toMatch(/usage-\*.*prices\.json[^]*\$100/);
  await prices(stage.server, '{"version": 1, "currency": "USD", "prices": [{"model": "m"}]}');
  await page.getByText('A problem with prices.json').waitFor();
  await page.getByText(/prices\[0\]: is not JSON of this layout: unknown field "model"/).waitFor();
  await prices(stage.server, table(200));
  await page.getByText('A problem with prices.json').waitFor({ state: 'detached' });
  await eventually(() => first.innerText()).toContain('$200');
  await prices(stage.server, table(100));
});

it('says why it cannot be read, and tries again', async () => {
  const { page } = stage;
  await page.route('**/api/ledger?**', (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"type":"/problems/internal","title":"Internal","status":500,"detail":"Something went wrong inside mlxbar."}' }));
  await page.evaluate(() => (location.hash = 'ledger'));
  await page.getByText('The ledger could not be read').waitFor();
  expect(await violations(page, 'ledger unread')).toEqual([]);
  await page.unroute('**/api/ledger?**');
  await page.getByRole('button', { name: 'Try again' }).click();
  await eventually(headline).toContain('openai');
});

it('can be used without a mouse and without seeing it', async () => {
  const { page } = stage;
  await show();
  await page.getByRole('button', { name: /^Prices in force/ }).click();
  await page.getByRole('region', { name: 'Table of prices' }).waitFor();
  expect(await violations(page, 'ledger')).toEqual([]);
  const stops = await walk(page, 60);
  for (const name of ['Export CSV', 'Export JSONL', 'Days', 'Values of Cost by day', 'Table of days and providers', 'Table of prices']) {
    expect(stops.join('\n')).toContain(name);
  }
});

it.each([
  [1600, 1000],
  [900, 600],
  [450, 300],
])('has room at %i by %i', async (width, height) => {
  const { page } = stage;
  await page.setViewportSize({ width, height });
  await show();
  expect(await cut(page)).toEqual([]);
});

