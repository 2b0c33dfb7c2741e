import { beforeEach, expect, it } from 'vitest';
import { starter, unreachable } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();

beforeEach(async () => {
  await stage.page.getByRole('link', { name: 'Settings' }).click();
  await stage.page.getByRole('heading', { name: 'Request Timeouts' }).waitFor();
});

const slider = (name: string) => stage.page.getByRole('slider', { name });
const field = (name: string) => stage.page.getByRole('spinbutton', { name: `${name}, minutes` });
const stored = async () => ((await (await stage.server.api('/api/settings')).json()) as { timeouts: Record<string, string> }).timeouts;
const embed = (model: string) =>
  fetch(`${stage.server.url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ model, input: 'Hello' }),
  });

it('has sliders for the time limits, which stand at 15, 10 and 2 minutes', async () => {
  for (const [name, minutes] of [['Chat', '15'], ['Completions', '10'], ['Embeddings', '2']] as const) {
    expect(await slider(name).inputValue()).toBe(minutes);
    expect(await field(name).inputValue()).toBe(minutes);
  }
});

it('lets slider and field follow each other, reverts, and keeps what was saved', async () => {
  const { page } = stage;
  await slider('Chat').focus();
  for (let i = 0; i < 3; i++) await page.keyboard.press('ArrowRight');
  expect(await field('Chat').inputValue()).toBe('18');
  await field('Embeddings').fill('7');
  expect(await slider('Embeddings').inputValue()).toBe('7');
  await page.getByText('2 changes').waitFor();
  await page.getByRole('button', { name: 'Revert' }).click();
  expect(await field('Chat').inputValue()).toBe('15');
  expect(await page.getByRole('button', { name: 'Save' }).count()).toBe(0);

  await field('Chat').fill('20');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved').waitFor();
  expect(await stored()).toMatchObject({ chat: '20m', embeddings: '2m' });
  await page.reload();
  await eventually(() => slider('Chat').inputValue()).toBe('20');
});

it.each(['0', '121', ''])('does not save "%s" minutes, and says what would be right', async (typed) => {
  const { page } = stage;
  const before = await stored();
  await field('Completions').fill(typed);
  await page.getByText('Completions takes a number of minutes from 1 to 120.').waitFor();
  await page.keyboard.press('Control+s');
  expect(await stored()).toEqual(before);
  await field('Completions').fill('12');
  await page.getByText('1 change').waitFor();
});

it('takes over what is changed elsewhere, unless something is unsaved here', async () => {
  const { page } = stage;
  const patch = (chat: string) => stage.server.api('/api/settings', { method: 'PATCH', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ timeouts: { chat } }) });
  await patch('33m');
  await eventually(() => slider('Chat').inputValue()).toBe('33');
  await field('Embeddings').fill('9');
  await patch('44m');
  await page.getByRole('button', { name: 'Take the others' }).click();
  expect(await slider('Chat').inputValue()).toBe('44');
  expect(await field('Embeddings').inputValue()).toBe('2');
});

it('sums the audit up, lists it live, filters it, and has a word when nothing is there', async () => {
  const { page } = stage;
  await page.getByRole('heading', { name: 'Audit Logs' }).waitFor();
  await page.getByText('No requests yet.').waitFor();
  expect((await embed(starter)).status).toBe(200);
  expect((await embed(unreachable)).status).toBe(502);

  const stat = (name: string) => page.locator(`[data-stat="${name}"]`).innerText();
  await eventually(() => stat('Total')).toBe('2');
  await eventually(() => stat('Successful')).toBe('1');
  expect(await stat('Errors')).toBe('1');
  expect(await stat('Unique Models')).toBe('2');
  const table = page.getByRole('region', { name: 'Table of the audit' });
  expect(await table.getByRole('columnheader').allInnerTexts()).toEqual(['Timestamp', 'Model', 'Backend', 'Endpoint', 'Duration', 'Status', 'Tokens']);

  const rows = () => table.locator('tbody tr').count();
  const choose = (label: string, value: string) => page.getByLabel(label, { exact: true }).selectOption(value);
  await eventually(rows).toBe(2);
  await choose('Backend', 'OPENAI');
  await eventually(rows).toBe(1);
  await eventually(() => stat('Total')).toBe('1');
  await choose('Status', 'success');
  await page.getByText('No request matches these filters.').waitFor();
  await page.getByRole('button', { name: 'Clear filters' }).click();
  await choose('Model', starter);
  await eventually(rows).toBe(1);
  await page.reload(); // the filter stands in the address
  await eventually(rows).toBe(1);

  const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Export JSONL' }).click()]);
  expect(new URL(download.url()).searchParams.get('model')).toBe(starter);
});
