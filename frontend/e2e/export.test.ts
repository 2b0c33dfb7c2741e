import { readFile } from 'node:fs/promises';
import { beforeAll, expect, it } from 'vitest';
import { starter } from './support/server';
import { useStage } from './support/stage';

const stage = useStage();
let id = '';

beforeAll(async () => {
  id = await stage.server.briefly();
});

async function download(button: string): Promise<{ name: string; text: string }> {
  const { page } = stage;
  const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: button }).click()]);
  return { name: file.suggestedFilename(), text: await readFile(await file.path(), 'utf8') };
}

it('exports the audit as CSV', async () => {
  const { name, text } = await download('Export CSV');
  expect(name).toMatch(/^mlxbar-audit.*\.csv$/);
  const [head, ...rows] = text.trim().split('\r\n').map((line) => line.split(','));
  const row = rows.find((cells) => cells[head?.indexOf('request_id') ?? -1] === id);
  const cell = (column: string) => row?.[head?.indexOf(column) ?? -1];
  expect([cell('model'), cell('status'), cell('http_status'), cell('completion_tokens')]).toEqual([starter, 'success', '200', '4']);
});

it('exports the audit as JSON lines', async () => {
  const { name, text } = await download('Export JSONL');
  expect(name).toMatch(/^mlxbar-audit.*\.jsonl$/);
  const records = text.trim().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.find((r) => r.request_id === id)).toMatchObject({ model: starter, status: 'success', http_status: 200, completion_tokens: 4 });
});

it('says how much the browser was sent', async () => {
  const { total } = (await (await stage.server.api('/api/audit/stats')).json()) as { total: number };
  await download('Export CSV');
  await stage.page.getByText(`Sent to the browser: ${total} record`).waitFor();
});

it('says why a server that does not answer gives nothing to download', async () => {
  const { page } = stage;
  let downloads = 0;
  page.on('download', () => downloads++);
  await page.route('**/api/audit/stats?**', (route) => route.abort());
  await page.getByRole('button', { name: 'Export CSV' }).click();
  await page.getByText('Not exported: The server does not answer.').waitFor();
  expect(downloads).toBe(0);
  await page.unroute('**/api/audit/stats?**');
  await download('Export CSV'); // and then it does
});

it('copies the address that tools are given', async () => {
  const { page } = stage;
  // The word passes, so it is looked out for beforehand.
  await Promise.all([page.getByText('Copied').last().waitFor(), page.getByRole('button', { name: 'Copy address' }).click()]);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  expect(copied).toBe(`${stage.server.url}/v1`);
  expect((await fetch(`${copied}/models`)).status).toBe(200);
});
