// The audit with a million records: whatever row one goes to is the right one.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Download } from 'playwright-core';
import { expect, it } from 'vitest';
import type { AuditRecord, AuditStats } from '../src/lib/api/types';
import { root } from './support/server';
import { eventually, useStage } from './support/stage';

const records = 1_000_000;
const filler = join(root, 'build/bin/gateway-bench');

const stage = useStage({
  prepare: async ({ dir }) => {
    if (!existsSync(filler)) throw new Error(`${filler} is not there: run make setup`);
    await promisify(execFile)(filler, ['fill', '--data-dir', dir, '--records', String(records)]);
    // None is to grow too old or too many while one looks at them.
    const file = join(dir, 'settings.json');
    const settings = JSON.parse(await readFile(file, 'utf8')) as object;
    await writeFile(file, JSON.stringify({ ...settings, audit: { retention_days: 3650, max_size_mb: 10_000 } }));
  },
});

const table = () => stage.page.getByRole('region', { name: 'Table of the audit' });
const box = () => table().locator('[data-rows]');
const grid = () => table().getByRole('grid');
const count = async () => Number(await box().getAttribute('data-rows'));
const stats = async (query = '') => (await (await stage.server.api(`/api/audit/stats?${query}`)).json()) as AuditStats;

async function page(query: string): Promise<AuditRecord[]> {
  return ((await (await stage.server.api(`/api/audit?${query}`)).json()) as { records: AuditRecord[] }).records;
}

async function show(query = ''): Promise<void> {
  await stage.page.goto(`${stage.server.url}/#settings/audit${query && `?${query}`}`);
  await stage.page.reload();
  await stage.page.getByRole('slider', { name: 'Chat' }).waitFor(); // then nothing takes the keyboard any more
  await table().locator('tbody tr[data-request]').first().waitFor();
}

/** The rows that are drawn: their numbers and, once all are read, their requests. */
const drawn = () =>
  table()
    .locator('tbody tr')
    .evaluateAll((all) => all.map((r) => ({ row: Number((r as HTMLElement).dataset.row), id: (r as HTMLElement).dataset.request })));

/** Waits until all rows in sight are read, and compares them with what the server has there. */
async function right(query = ''): Promise<number> {
  await eventually(async () => (await drawn()).every((r) => r.id)).toBe(true);
  const rows = await drawn();
  const first = rows[0]?.row ?? 0;
  const want = await page(`${query}&offset=${first}&limit=${rows.length}`);
  expect(rows.map((r) => r.id)).toEqual(want.map((r) => r.request_id));
  return first;
}

it('draws only the rows in sight, and has the right ones wherever one goes', async () => {
  const { page: view } = stage;
  await show();
  await eventually(count).toBe(records);
  expect(await grid().getAttribute('aria-rowcount')).toBe(String(records + 1));
  expect((await drawn()).length).toBeLessThan(60);
  await right();

  await grid().focus();
  await view.keyboard.press('End');
  await eventually(async () => (await drawn()).at(-1)?.row).toBe(records - 1);
  await right();
  await view.keyboard.press('PageUp');
  await view.keyboard.press('ArrowUp');
  await right();
  const at = () => table().locator('tr[aria-selected="true"]').getAttribute('data-request');
  await eventually(at).not.toBeNull(); // it may be read a moment after it is drawn
  const selected = await at();
  await view.keyboard.press('Enter');
  await eventually(() => view.getByRole('dialog').locator('[data-field="Request id"]').innerText()).toBe(selected);
  await view.keyboard.press('Escape');

  // As a drag of the scroll bar does it.
  await box().evaluate((e) => (e.scrollTop = (e.scrollHeight - e.clientHeight) / 2));
  await eventually(async () => Math.abs(((await drawn())[0]?.row ?? 0) - records / 2) < records / 100).toBe(true);
  const middle = await right();

  // And as a wheel does: row by row from there, none passed over.
  await box().hover();
  await view.mouse.wheel(0, 90);
  await eventually(async () => (await drawn())[0]?.row).toBe(middle + 3);
  await right();
  await grid().focus();
  await view.keyboard.press('Home');
  await eventually(async () => (await drawn())[0]?.row).toBe(0);
  await right();
});

it('goes by many places in haste, and shows what is where it stops', async () => {
  await show();
  await eventually(count).toBe(records);
  await box().evaluate(async (e) => {
    for (let n = 1; n <= 60; n++) {
      e.scrollTop = ((e.scrollHeight - e.clientHeight) * n) / 80;
      await new Promise(requestAnimationFrame);
    }
  });
  await eventually(async () => Math.abs(((await drawn())[0]?.row ?? 0) - records * 0.75) < records / 100).toBe(true);
  await right();
});

it.each(['status=error', 'backend=ANTHROPIC', 'range=week', 'status=success&endpoint=/v1/embeddings'])('narrows them down to %s', async (query) => {
  await show(query);
  const asked = query.replace('range=week', `from=${new Date(Date.now() - 7 * 86_400_000).toISOString()}`);
  const { total } = await stats(asked);
  expect(total).toBeGreaterThan(0);
  if (!query.includes('range')) {
    await eventually(count).toBe(total);
    await right(asked);
    await grid().focus();
    await stage.page.keyboard.press('End');
    await eventually(async () => (await drawn()).at(-1)?.row).toBe(total - 1);
  }
  await right(asked);
  await eventually(async () => (await stage.page.locator('[data-stat="Total"]').innerText()).replaceAll(',', '')).toMatch(/^\d+$/);
});

it.each(['duration_ms', 'total_tokens', 'model', 'backend', 'endpoint', 'started_at'])('sorts them by %s, and goes to the end', async (sort) => {
  const query = `sort=${sort}&order=${sort === 'started_at' ? 'asc' : 'desc'}`;
  await show(query);
  await right(query);
  await grid().focus();
  await stage.page.keyboard.press('End');
  await eventually(async () => (await drawn()).at(-1)?.row).toBe(records - 1);
  await right(query);
});

/** Begins a download of all records, which takes its time. */
async function download(): Promise<Download> {
  const [file] = await Promise.all([stage.page.waitForEvent('download'), stage.page.getByRole('button', { name: 'Export JSONL' }).click()]);
  return file;
}

it('says so when the browser does not take a download to its end', async () => {
  await show();
  const file = await download();
  await file.cancel(); // as when its disk is full: the browser hangs up
  await stage.page.getByText('Not exported: the browser broke the download off after').waitFor();
  expect(await file.failure()).not.toBeNull();
});

it('says so when the server stops in the middle of a download', async () => {
  const { page, server } = stage;
  await show();
  const file = await download();
  await server.kill();
  await page.getByText('Not exported: the server stopped before the download was complete.').waitFor();
  expect(await file.failure()).not.toBeNull();
  await server.start();
});
