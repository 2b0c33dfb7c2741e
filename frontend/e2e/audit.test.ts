// The audit as a person uses it: looking, filtering, sorting, opening, deleting, and seeing what comes in.
import { createServer, connect, type AddressInfo, type Server as Listener, type Socket } from 'node:net';
import type { Locator } from 'playwright-core';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { AuditRecord } from '../src/lib/api/types';
import { starter, unreachable } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();

const table = () => stage.page.getByRole('region', { name: 'Table of the audit' });
const heads = () => table().getByRole('columnheader');
const rows = () => table().locator('tbody tr[data-request]');
const ids = () => rows().evaluateAll((all) => all.map((r) => (r as HTMLElement).dataset.request));
const count = async () => Number(await table().locator('[data-rows]').getAttribute('data-rows'));
const stat = (name: string) => stage.page.locator(`[data-stat="${name}"]`).innerText();
const choose = (label: string, value: string) => stage.page.getByLabel(label, { exact: true }).selectOption(value);
const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const focus = () => stage.page.evaluate(() => document.activeElement?.getAttribute('aria-label'));
const hash = () => new URL(stage.page.url()).hash;
const row = (id: string): Locator => table().locator(`tr[data-request="${id}"]`);

async function embed(model: string, client = 'an-editor/1.0'): Promise<string> {
  const response = await fetch(`${stage.server.url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'User-Agent': client },
    body: JSON.stringify({ model, input: 'Hello' }),
  });
  await response.text();
  return String(response.headers.get('x-request-id'));
}

async function listed(query = ''): Promise<AuditRecord[]> {
  return ((await (await stage.server.api(`/api/audit?${query}`)).json()) as { records: AuditRecord[] }).records;
}

async function show(query = ''): Promise<void> {
  const { page, server } = stage;
  await page.goto(`${server.url}/#settings/audit${query && `?${query}`}`);
  await page.reload(); // another # alone loads nothing anew
  // Until the settings are there, the page has yet to move, and the keyboard to go where the address leads.
  await page.getByRole('slider', { name: 'Chat' }).waitFor();
}

async function model(name: string): Promise<void> {
  const { page } = stage;
  await page.getByRole('combobox', { name: 'Model', exact: true }).fill(name.slice(0, 5));
  await page.getByRole('option', { name, exact: true }).click();
}

describe('nothing yet', () => {
  it('says so, with a command to try that works', async () => {
    const { page, server } = stage;
    await show();
    await page.getByText('No requests yet.').waitFor();
    const command = await page.locator('code').filter({ hasText: 'curl' }).innerText();
    expect(command).toContain(`${server.url}/v1/chat/completions`);
    const body = /-d '(.*)'$/.exec(command)?.[1] ?? '';
    const response = await fetch(`${server.url}/v1/chat/completions`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body });
    expect(response.status).toBe(200);
    await row(String(response.headers.get('x-request-id'))).waitFor(); // and its request comes in
    await eventually(() => stat('Total')).toBe('1');
  });
});

describe('some requests', () => {
  beforeAll(async () => {
    for (let n = 0; n < 3; n++) await embed(starter);
    await embed(unreachable, 'a-script/2.0');
  });
  beforeEach(() => show());

  it('are summed up and listed', async () => {
    await eventually(() => stat('Total')).toBe('5');
    expect([await stat('Successful'), await stat('Errors'), await stat('Unique Models')]).toEqual(['4', '1', '2']);
    expect(await heads().allInnerTexts()).toEqual(['Timestamp', 'Model', 'Backend', 'Endpoint', 'Duration', 'Status', 'Tokens']);
    await eventually(ids).toEqual((await listed()).map((r) => r.request_id));
  });

  it('are narrowed by filters that stand in the address, and cleared with one click', async () => {
    const { page } = stage;
    await eventually(count).toBe(5);
    await choose('Backend', 'OPENAI');
    await eventually(count).toBe(1);
    await eventually(() => stat('Total')).toBe('1');
    await choose('Status', 'success');
    await page.getByText('No request matches these filters.').waitFor();
    await button('Clear filters').press('Enter');
    await eventually(count).toBe(5);
    expect(hash()).not.toContain('?');
    expect(await focus()).toBe('Records'); // the button is gone

    await model(starter);
    await eventually(count).toBe(4);
    await choose('Endpoint', '/v1/embeddings');
    await eventually(count).toBe(3);
    await choose('Time', 'hour');
    await page.reload();
    await eventually(count).toBe(3);
    expect(await page.getByRole('combobox', { name: 'Model', exact: true }).inputValue()).toBe(starter);
    const [download] = await Promise.all([page.waitForEvent('download'), button('Export JSONL').click()]);
    const asked = new URL(download.url()).searchParams;
    expect([asked.get('model'), asked.get('endpoint')]).toEqual([starter, '/v1/embeddings']);
    expect(asked.get('from')).not.toBeNull();
    await button('Clear filters').click();
    await eventually(count).toBe(5);
  });

  it('are narrowed to a span of time, whose end must be after its beginning', async () => {
    const { page } = stage;
    await choose('Time', 'custom');
    await page.getByLabel('To', { exact: true }).fill('2020-01-02T00:00');
    await page.getByText('No request matches these filters.').waitFor();
    await page.getByLabel('From', { exact: true }).fill('2020-01-03T00:00');
    await page.getByText('The end is before the beginning.').waitFor();
    expect(hash()).not.toContain('from=');
    await page.getByLabel('To', { exact: true }).fill('2020-01-04T00:00'); // what stands in both counts now
    await eventually(hash).toMatch(/from=2020-01-0.*to=2020-01-0/);
    await page.getByLabel('To', { exact: true }).fill('');
    await eventually(count).toBe(5);
    await page.reload();
    await eventually(() => page.getByLabel('From', { exact: true }).inputValue()).toBe('2020-01-03T00:00');
  });

  it.each([
    ['Duration', 'duration_ms', 'desc'],
    ['Tokens', 'total_tokens', 'desc'],
    ['Model', 'model', 'asc'],
    ['Backend', 'backend', 'asc'],
    ['Endpoint', 'endpoint', 'asc'],
  ])('are sorted by %s, and the other way round', async (head, sort, order) => {
    const { page } = stage;
    const other = order === 'asc' ? 'desc' : 'asc';
    const words = { asc: 'ascending', desc: 'descending' } as Record<string, string>;
    const there = heads().filter({ hasText: head });
    for (const o of [order, other]) {
      await there.getByRole('button').click();
      await eventually(() => there.getAttribute('aria-sort')).toBe(words[o]);
      const want = (await listed(`sort=${sort}&order=${o}`)).map((r) => r.request_id);
      await eventually(ids).toEqual(want);
    }
    expect(await table().locator('th[aria-sort$="scending"]').count()).toBe(1);
    const before = await ids();
    await page.reload();
    await eventually(ids).toEqual(before);
  });

  it('show the columns that somebody chose, each in its place, until Reset', async () => {
    const { page } = stage;
    const place = async (name: string) => (await heads().filter({ hasText: name }).boundingBox())?.x;
    const timestamp = await place('Timestamp');
    await button('Columns').click();
    await page.getByRole('checkbox', { name: 'Client' }).check();
    await page.getByRole('checkbox', { name: 'Endpoint' }).uncheck();
    await page.keyboard.press('Escape');
    const want = ['Timestamp', 'Model', 'Backend', 'Duration', 'Status', 'Tokens', 'Client'];
    expect(await heads().allInnerTexts()).toEqual(want);
    expect(await place('Timestamp')).toBe(timestamp);
    await rows().filter({ hasText: 'a-script/2.0' }).waitFor();
    await page.reload();
    await eventually(() => heads().allInnerTexts()).toEqual(want);
    await button('Columns').click();
    await button('Reset').click();
    await eventually(() => heads().count()).toBe(7);
    expect(await heads().allInnerTexts()).toContain('Endpoint');
  });

  it('are opened by keyboard, each with all that is kept of it and its id to copy', async () => {
    const { page } = stage;
    const [first, second] = await listed();
    await row(String(second?.request_id)).waitFor();
    await table().getByRole('grid').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    expect(await row(String(second?.request_id)).getAttribute('aria-selected')).toBe('true');
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    const dialog = page.getByRole('dialog', { name: 'Request' });
    await dialog.waitFor();
    const field = (name: string) => dialog.locator(`[data-field="${name}"]`).innerText();
    expect(await field('Request id')).toBe(first?.request_id);
    expect([await field('Client'), await field('Status'), await field('Error type')]).toEqual(['a-script/2.0', 'error', first?.error_type]);
    await dialog.getByText('The provider could not be reached.').waitFor();
    // The word passes, so it is looked out for beforehand.
    await Promise.all([dialog.getByText('Copied').last().waitFor(), dialog.getByRole('button', { name: 'Copy request id' }).click()]);
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(first?.request_id);

    await page.reload(); // the record stands in the address
    await eventually(() => field('Request id')).toBe(first?.request_id);
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await eventually(focus).toBe('Records'); // nothing on the page had opened it
    await page.keyboard.press('Tab');
    await page.keyboard.press('Home');
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await page.keyboard.press('Escape');
    await dialog.waitFor({ state: 'detached' });
    await eventually(focus).toBe('Requests'); // the table had
    await row(String(first?.request_id)).click();
    await dialog.waitFor();
    await dialog.getByRole('button', { name: 'Close' }).click();
    await dialog.waitFor({ state: 'detached' });
    expect(hash()).not.toContain('record');
  });

  it.each([
    'backend=MOON&status=fine&range=age&endpoint=nowhere&sort=client&order=up',
    'range=custom&from=soon&to=never',
    '%',
  ])('are all there when the address holds what means nothing: %s', async (query) => {
    const { page } = stage;
    await show(query);
    await eventually(count).toBe(5);
    expect(await page.getByRole('alert').count()).toBe(0);
  });

  it('are not there when the address names one that never was', async () => {
    const { page } = stage;
    await show('record=req_never');
    await page.getByRole('dialog').getByRole('alert').waitFor();
    await page.keyboard.press('Escape');
    await eventually(count).toBe(5);
  });

  it('are those that were chosen once they can be read again', async () => {
    const { page } = stage;
    await eventually(count).toBe(5);
    await page.route('**/api/audit?**', (route) => route.abort());
    await choose('Status', 'error');
    await page.getByText('The records could not be read').waitFor();
    await page.unroute('**/api/audit?**');
    await button('Try again').click();
    await eventually(count).toBe(1);
    expect(await page.getByText('The records could not be read').count()).toBe(0);
  });
});

describe('live', () => {
  it('has a request in the list while it runs, and how it ended', async () => {
    await show();
    const response = await fetch(`${stage.server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: starter, stream: true, max_tokens: 48, messages: [{ role: 'user', content: 'Write a long story about a river.' }] }),
    });
    const cells = row(String(response.headers.get('x-request-id'))).locator('td');
    const reading = response.text();
    await eventually(() => cells.nth(4).innerText()).toMatch(/^[\d.]+ (ms|s)/);
    await reading;
    await eventually(() => cells.nth(5).innerText()).toBe('success');
    expect(await cells.nth(4).innerText()).not.toContain('…');
    expect(await cells.nth(6).innerText()).toMatch(/^\d+$/);
  });

  it('holds what is new back while it is paused', async () => {
    await show();
    await eventually(count).toBeGreaterThan(0);
    const before = await count();
    await eventually(() => stat('Total')).toBe(String(before)); // what comes later than the rows has come
    await button('Pause').click();
    const total = await stat('Total');
    const id = await embed(starter);
    await button('1 new').waitFor();
    expect([await count(), await row(id).count(), await stat('Total')]).toEqual([before, 0, total]);
    await button('Resume').click();
    await row(id).waitFor();
    expect(await button('1 new').count()).toBe(0);
    await row(await embed(starter)).waitFor();
    await eventually(() => stat('Total')).toBe(String(before + 2));
  });

  it('leaves the rows in their place for one who has scrolled, and leads to what is new', async () => {
    const { page } = stage;
    for (let n = 0; n < 30; n++) await embed(starter);
    await show();
    await eventually(count).toBeGreaterThan(35);
    await table().getByRole('grid').focus();
    await page.keyboard.press('End');
    const oldest = (await listed('order=asc&limit=1'))[0]?.request_id ?? '';
    await eventually(() => row(oldest).getAttribute('aria-selected')).toBe('true');
    const place = await row(oldest).boundingBox();
    const id = await embed(starter);
    await button('1 new').waitFor();
    expect(await row(oldest).boundingBox()).toEqual(place);
    await button('1 new').click();
    await row(id).waitFor();
    expect((await ids())[0]).toBe(id);
  });

  it('leads from another order to what is new', async () => {
    await show('sort=model');
    await rows().first().waitFor();
    const id = await embed(starter);
    await button('1 new').click();
    await row(id).waitFor();
    expect(hash()).not.toContain('sort=');
  });

  it('comes back by itself after the connection was lost, and misses nothing', async () => {
    const { page, server } = stage;
    const between = await Cable.to(Number(new URL(server.url).port));
    try {
      await page.goto(`${between.url}/#settings/audit`); // logged in: a cookie knows no ports
      const known = (await listed('limit=1'))[0]?.request_id ?? '';
      await row(known).waitFor();
      await between.cut();
      await page.getByText('Stopped').first().waitFor(); // nothing answers, as far as the page can see
      const missed = [await embed(starter), await embed(unreachable)];
      await between.mend();
      for (const id of missed) await row(id).waitFor();
      const fresh = await embed(starter); // and it hears again
      await row(fresh).waitFor();
      expect(await ids()).toEqual((await listed()).map((r) => r.request_id).slice(0, (await ids()).length));
      await eventually(() => stat('Total')).toBe(new Intl.NumberFormat('en').format(await total()));
    } finally {
      await between.end();
    }
  });
});

const total = async () => ((await (await stage.server.api('/api/audit/stats')).json()) as { total: number }).total;

describe('Delete all', () => {
  it('takes all out of sight, and brings it back for one who undoes it', async () => {
    const { page } = stage;
    await show();
    await eventually(count).toBeGreaterThan(0);
    const before = await ids();
    await page.clock.setFixedTime(new Date()); // so that no message's time is over
    await button('Delete all').click();
    await page.getByText('No requests yet.').waitFor();
    expect(await listed()).toEqual([]);
    await button('Undo').click();
    await eventually(ids).toEqual(before);
    await eventually(() => stat('Total')).toBe(new Intl.NumberFormat('en').format(await total()));
    await page.getByText(/\d+ records restored/).waitFor();
  });

  it('empties the overview of the same window too, and a request that comes after it is kept', async () => {
    const { page } = stage;
    await show();
    await eventually(count).toBeGreaterThan(0);
    await button('Delete all').click();
    await page.getByText('No requests yet.').waitFor();
    await eventually(() => stat('Total')).toBe('0');
    const id = await embed(starter);
    await row(id).waitFor();
    await page.getByRole('link', { name: 'Overview' }).click();
    await stage.row(id).waitFor();
    expect(await page.getByRole('region', { name: 'Table of the last requests' }).locator('tbody tr').count()).toBe(1);
  });
});

/** A connection between browser and server that can be cut. */
class Cable {
  readonly #sockets = new Set<Socket>();
  #listener: Listener | null = null;
  #port = 0;

  private constructor(readonly target: number) {}

  static async to(target: number): Promise<Cable> {
    const cable = new Cable(target);
    await cable.mend();
    return cable;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async mend(): Promise<void> {
    const listener = createServer((near) => {
      const far = connect(this.target, '127.0.0.1');
      for (const [one, other] of [[near, far], [far, near]] as const) {
        this.#sockets.add(one);
        one.pipe(other);
        one.on('error', () => other.destroy());
        one.on('close', () => {
          this.#sockets.delete(one);
          other.destroy();
        });
      }
    });
    this.#listener = listener;
    await new Promise<void>((resolve, reject) => {
      listener.once('error', reject);
      listener.listen(this.#port, '127.0.0.1', resolve);
    });
    this.#port = (listener.address() as AddressInfo).port;
  }

  async cut(): Promise<void> {
    const listener = this.#listener;
    if (!listener) return;
    this.#listener = null;
    const closed = new Promise((resolve) => listener.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  end = (): Promise<void> => this.cut();
}
