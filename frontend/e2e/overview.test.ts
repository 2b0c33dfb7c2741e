// What the overview tells of the present: what runs, what it uses, what failed.
import { rename, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { starter, unreachable } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();

beforeAll(async () => {
  await stage.server.briefly(); // the model is loaded from now on
});

/** A request for an answer that does not end by itself, as an editor sends it, and what becomes of its answer. */
async function story(signal: AbortSignal | null = null): Promise<{ id: string; end: Promise<string> }> {
  const response = await fetch(`${stage.server.url}/v1/chat/completions`, {
    method: 'POST',
    signal,
    headers: { 'Content-Type': 'application/json', 'User-Agent': 'an-editor/1.0' },
    body: JSON.stringify({ model: starter, stream: true, max_tokens: 4000, ignore_eos: true, messages: [{ role: 'user', content: 'Write a long story about a river.' }] }),
  });
  return { id: String(response.headers.get('x-request-id')), end: whole(response) };
}

/** All of an answer that came, also when it was cut off. */
async function whole(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const piece = await reader?.read().catch(() => undefined);
    if (!piece || piece.done) return text;
    text += decoder.decode(piece.value, { stream: true });
  }
}

const running = (id: string) => stage.page.locator(`tr[data-running="${id}"]`);
const figure = (text: string) => Number(/[\d.]+/.exec(text)?.[0] ?? 0) * (/\dk/.test(text) ? 1000 : 1);
const stat = (name: string) => stage.page.locator(`[data-stat="${name}"]`).innerText();

it('shows a request that runs, with what came so far, and cancels it upstream too', async () => {
  const { page } = stage;
  const { id, end } = await story();
  const cells = running(id).locator('td');
  await running(id).waitFor();
  expect([await cells.nth(1).innerText(), await cells.nth(2).innerText()]).toEqual([starter, 'an-editor/1.0']);
  await eventually(async () => figure(await cells.nth(5).innerText())).toBeGreaterThan(0);
  const tokens = figure(await cells.nth(5).innerText());
  await eventually(async () => figure(await cells.nth(5).innerText())).toBeGreaterThan(tokens);
  expect(figure(await cells.nth(4).innerText())).toBeGreaterThan(0);

  await running(id).getByRole('button', { name: 'Cancel' }).click();
  const answer = await end;
  expect(answer).toContain('The request was cancelled in mlxbar.');
  expect(answer).not.toContain('[DONE]'); // never a clean end
  await running(id).waitFor({ state: 'detached' });
  await eventually(async () => (await stage.newest()).status).toBe('cancelled');
  const record = await stage.newest();
  expect(record.request_id).toBe(id);
  await eventually(() => stage.row(id).locator('td').nth(5).innerText()).toBe('cancelled');
  await page.getByText('Nothing at the moment.').waitFor();
  await eventually(async () => ((await (await stage.server.api('/api/engines')).json()) as { engines: { model: string; in_flight: number }[] }).engines.find((e) => e.model === starter)?.in_flight).toBe(0);
});

it('tells of those that wait for a slot of the engine', async () => {
  const { page } = stage;
  const slots = (parallel: number) => stage.server.set({ engines: { llamacpp: { parallel } } });
  await slots(1);
  const stop = new AbortController();
  // An engine of one slot does not begin the answers of the others.
  const asked = Promise.allSettled([story(stop.signal), story(stop.signal), story(stop.signal)]);
  try {
    await page.getByRole('region', { name: 'Running now' }).getByText('3 requests, 2 waiting for a slot').waitFor();
    await page.getByRole('region', { name: 'Models' }).getByText('1 running now, 2 waiting').waitFor();
  } finally {
    stop.abort();
    await asked;
  }
  await page.getByText('Nothing at the moment.').waitFor();
  await slots(4);
});

it('draws what goes on, and says it to those who do not see it', async () => {
  const { page } = stage;
  const { id, end } = await story();
  for (const title of ['Requests per minute', 'Tokens per second']) {
    const chart = page.getByRole('region', { name: title });
    await chart.locator('canvas').waitFor();
    expect(await chart.getByRole('listitem').count()).toBe(9);
    await eventually(async () => figure((await chart.getByRole('listitem').first().innerText()).split(': ')[1] ?? '')).toBeGreaterThan(0);
  }
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.locator('[data-chart] canvas').first().waitFor();
  await eventually(() => page.locator('[data-chart] canvas').count()).toBe(2);
  await running(id).getByRole('button', { name: 'Cancel' }).click();
  await end;
});

it('sums up the last hour as the audit does', async () => {
  const { page } = stage;
  const sums = async () => (await (await stage.server.api('/api/audit/stats')).json()) as { total: number };
  await stage.ended();
  const { total } = await sums();
  await eventually(() => stat('Requests, last hour')).toBe(String(total));
  expect(await stat('Left this machine')).toBe('0 %');
  expect(await stat('Median duration')).toMatch(/ (ms|s)$/);
  await stage.ask('Hello?', unreachable);
  await stage.answer().getByRole('alert').waitFor();
  await eventually(() => stat('Requests, last hour')).toBe(String(total + 1));
  expect((await sums()).total).toBe(total + 1);
  expect(await stat('Left this machine')).toBe('0 %'); // nobody took the connection
  await page.getByRole('region', { name: 'Machine' }).waitFor();
});

it('tells what machine and engines use', async () => {
  const { page } = stage;
  const machine = page.getByRole('region', { name: 'Machine' });
  const meter = async (name: string) => Number(await machine.getByRole('meter', { name }).getAttribute('aria-valuenow'));
  await eventually(() => meter('Memory')).toBeGreaterThan(1e8);
  expect(await meter('Processor')).toBeLessThanOrEqual(100);
  await eventually(() => machine.locator('[data-use="server"]').innerText()).toMatch(/^[\d.]+ [MG]B · [\d.]+ %$/);
  await eventually(() => machine.locator('[data-use="engines"]').innerText()).toMatch(/^[\d.]+ [MG]B · [\d.]+ %$/);
});

it('unloads a model and loads it', async () => {
  const { page } = stage;
  const models = page.getByRole('region', { name: 'Models' });
  await models.getByRole('button', { name: `Unload ${starter}` }).click();
  await models.getByText('Not loaded').waitFor();
  await models.getByRole('button', { name: `Load ${starter}` }).click();
  await models.getByText('Ready · ').waitFor();
});

it('names a model file that arrives, and says why when it cannot be used', async () => {
  const models = stage.page.getByRole('region', { name: 'Models' });
  const file = join(stage.server.dir, 'models', 'page.gguf');
  await writeFile(file, '<!doctype html>');
  await models.getByText('Arriving: it can be used once all of it is there.').waitFor();
  const long = new Date(Date.now() - 3_600_000); // nobody has written to it for an hour
  await utimes(file, long, long);
  await rename(file, join(stage.server.dir, 'models', 'web.gguf'));
  await models.getByText('Cannot be used: it is not a GGUF file.').waitFor();
  await rm(join(stage.server.dir, 'models', 'web.gguf'));
  await models.locator('[data-broken]').waitFor({ state: 'detached' });
});

it('explains what failed, and leads to it in the audit', async () => {
  const { page } = stage;
  await stage.ask('Hello?', unreachable);
  await stage.answer().getByRole('alert').waitFor();
  const errors = page.getByRole('region', { name: 'Last errors' });
  await errors.getByText('The provider could not be reached.').waitFor();
  await errors.getByText('Check the network').waitFor();
  await errors.getByRole('link', { name: unreachable }).click();
  const table = page.getByRole('region', { name: 'Table of the audit' });
  await table.locator('tbody tr').first().waitFor();
  expect(await page.getByLabel('Status', { exact: true }).inputValue()).toBe('error');
  const models = () => table.locator('tbody tr td:nth-child(2)').allInnerTexts();
  await eventually(async () => [...new Set(await models())]).toEqual([unreachable]);
});
