import { describe, expect, it } from 'vitest';
import { starter } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();

const field = () => stage.page.getByRole('combobox', { name: 'Command' });
const listed = () => stage.page.getByRole('listbox', { name: 'Commands' }).getByRole('option');
const selected = () => stage.page.locator('[role=option][aria-selected=true]').innerText();

async function open(typed = ''): Promise<void> {
  await stage.page.keyboard.press('Control+k');
  await field().waitFor();
  await eventually(() => field().evaluate((e) => e === document.activeElement)).toBe(true);
  if (typed) await stage.page.keyboard.type(typed);
}

async function run(typed: string, label: string): Promise<void> {
  await open(typed);
  await eventually(selected).toMatch(new RegExp(`^${label}`));
  await stage.page.keyboard.press('Enter');
  await field().waitFor({ state: 'detached' });
}

it('goes to pages, sections and single settings', async () => {
  const { page } = stage;
  await run('settings', 'Settings');
  await page.getByRole('heading', { level: 2, name: 'Settings' }).waitFor();
  await run('priv', 'Privacy and Retention');
  await eventually(() => page.getByRole('heading', { name: 'Privacy and Retention' }).evaluate((h) => h.getBoundingClientRect().top)).toBeLessThan(300);
  await run('over', 'Overview');
  await page.getByRole('heading', { level: 2, name: 'Overview' }).waitFor();
  await run('first token', 'First token'); // though it is under Advanced
  await eventually(() => page.getByRole('spinbutton', { name: 'First token' }).evaluate((e) => e === document.activeElement)).toBe(true);
});

it('keeps what is typed when the server changes meanwhile', async () => {
  const { page, server } = stage;
  await open('copy');
  await server.stop();
  await page.getByText('Stopped', { exact: true }).waitFor();
  expect(await field().inputValue()).toBe('copy');
  await server.start();
  await page.getByLabel('Admin token').waitFor();
});

it('is opened from the side too, walked with the arrows, and left with Escape, which gives the keyboard back', async () => {
  const { page } = stage;
  const opener = page.getByRole('button', { name: 'Command palette' });
  await opener.focus();
  await page.keyboard.press('Enter');
  await eventually(() => field().evaluate((e) => e === document.activeElement)).toBe(true);
  const first = await selected();
  await page.keyboard.press('ArrowDown');
  expect(await selected()).not.toBe(first);
  await page.keyboard.press('ArrowUp');
  expect(await selected()).toBe(first);
  await page.keyboard.press('ArrowUp'); // round, to the last
  await eventually(() => field().getAttribute('aria-activedescendant')).toBe(await listed().last().getAttribute('id'));
  await page.keyboard.type('no such thing');
  await page.getByText('Nothing is called “no such thing”.').waitFor();
  await page.keyboard.press('Enter');
  expect(await field().isVisible()).toBe(true);
  await page.keyboard.press('Escape');
  await field().waitFor({ state: 'detached' });
  await eventually(() => opener.evaluate((e) => e === document.activeElement)).toBe(true);
});

describe('actions', () => {
  it('copies the address', async () => {
    const { page, server } = stage;
    const copied = page.getByRole('status', { name: 'Messages' }).getByText('Copied');
    await Promise.all([copied.waitFor(), run('copy', 'Copy address')]); // the message passes
    expect(await page.evaluate(() => navigator.clipboard.readText())).toBe(`${server.url}/v1`);
  });

  it('exports with the filters that are set, and clears them', async () => {
    const { page, server } = stage;
    await page.goto(`${server.url}/#settings?backend=LOCAL`);
    await page.getByRole('slider', { name: 'Chat' }).waitFor();
    const [file] = await Promise.all([page.waitForEvent('download'), run('jsonl', 'Export JSONL')]);
    expect(new URL(file.url()).searchParams.get('backend')).toBe('LOCAL');
    await run('clear', 'Clear filters');
    await eventually(() => new URL(page.url()).hash).toBe('#settings');
    await open('clear');
    await page.getByText('Nothing is called “clear”.').waitFor();
  });

  it('offers to clear filters where there are some, and not what another page has in its address', async () => {
    const { page, server } = stage;
    await page.goto(`${server.url}/#connect/codex?for=${starter}`);
    await page.getByRole('heading', { level: 2, name: 'Connect' }).waitFor();
    await open('clear');
    await page.getByText('Nothing is called “clear”.').waitFor();
  });

  it('loads and unloads a model', async () => {
    const { server } = stage;
    const state = async () =>
      ((await (await server.api('/api/models')).json()) as { models: { name: string; state: string }[] }).models.find((m) => m.name === starter)?.state;
    await run(`load ${starter}`, `Load ${starter}`);
    await eventually(state).toBe('ready');
    await run(`unload ${starter}`, `Unload ${starter}`);
    await eventually(state).not.toBe('ready');
  });

  it('logs out', async () => {
    await run('log out', 'Log out');
    await stage.page.getByLabel('Admin token').waitFor();
    await stage.page.keyboard.press('Control+k');
    expect(await field().count()).toBe(0);
  });
});
