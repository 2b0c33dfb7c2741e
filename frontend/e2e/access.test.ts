// What people need who do not use a mouse, do not see the screen, or have little room.
import { beforeAll, describe, expect, it } from 'vitest';
import { violations } from './support/axe';
import { walk } from './support/keyboard';
import { cut } from './support/layout';
import { starter, unreachable } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage({ login: false });

async function show(hash: string): Promise<void> {
  const { page } = stage;
  await page.evaluate((to) => (location.hash = to), hash);
  await page.getByRole('heading', { level: 2, name: hash.startsWith('settings') ? 'Settings' : 'Overview' }).waitFor();
  if (hash.startsWith('settings')) {
    await page.getByRole('slider', { name: 'Chat' }).waitFor();
    await page.getByRole('columnheader', { name: /^Tokens/ }).waitFor();
  } else await page.getByRole('region', { name: 'Table of the last requests' }).waitFor();
}

describe('axe-core finds nothing wrong, in light and in dark', () => {
  it('before there is anything', async () => {
    const { page } = stage;
    await page.getByLabel('Admin token').fill('wrong');
    await page.keyboard.press('Enter');
    await page.getByText('This is not the admin token').waitFor();
    const found = await violations(page, 'login');
    await stage.login();
    await page.getByText('No requests yet').waitFor();
    found.push(...(await violations(page, 'empty')));
    await page.getByRole('link', { name: 'Settings', exact: true }).click();
    await page.getByRole('slider', { name: 'Chat' }).waitFor();
    await page.getByText('No requests yet').waitFor();
    found.push(...(await violations(page, 'settings empty')));
    expect(found).toEqual([]);
  });

  it('on the overview', async () => {
    const { page } = stage;
    await stage.login();
    await stage.ask('Hello?', unreachable);
    await stage.answer().getByRole('alert').waitFor();
    await stage.ask('Write a long story about a river.', starter);
    await stage.streamed(20);
    await page.keyboard.press('Escape');
    await eventually(async () => (await stage.newest()).status).toBe('cancelled');
    await stage.ask('Hello?', starter);
    await stage.streamed(1);
    expect(await violations(page, 'overview')).toEqual([]);
  });

  it('on the settings, with what is wrong on them, and with what opens there', async () => {
    const { page, server } = stage;
    await server.briefly();
    await stage.login();
    await show('settings');
    await page.getByRole('button', { name: /^Advanced/ }).click();
    await page.getByRole('spinbutton', { name: 'Threads' }).fill('9999');
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Threads must be from 0 to 512.').waitFor();
    const found = await violations(page, 'settings');
    await page.getByRole('button', { name: 'Revert' }).click();

    await page.getByRole('combobox', { name: 'Model', exact: true }).click();
    await page.getByRole('option', { name: starter }).waitFor();
    found.push(...(await violations(page, 'audit combobox')));
    await page.keyboard.press('Escape');

    await page.getByRole('region', { name: 'Table of the audit' }).locator('tr[data-request]').first().click();
    await page.getByRole('dialog').waitFor();
    found.push(...(await violations(page, 'audit record')));
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'detached' });

    await page.keyboard.press('Control+k');
    await page.getByRole('option', { name: 'Overview' }).waitFor();
    found.push(...(await violations(page, 'palette')));
    expect(found).toEqual([]);
  });
});

describe('the keyboard alone', () => {
  it('logs in, asks and stops, and reaches all of the overview', async () => {
    const { page } = stage;
    await eventually(() => page.evaluate(() => document.activeElement?.id)).toBe('token'); // by itself
    await page.keyboard.type(await stage.server.token());
    await page.keyboard.press('Enter');
    await page.getByRole('columnheader', { name: 'Tokens' }).first().waitFor();

    await eventually(() => page.evaluate(() => document.activeElement?.tagName)).toBe('TEXTAREA');
    await page.keyboard.type('Write a long story about a river.');
    await page.keyboard.press('Enter');
    await stage.streamed(20);
    await page.keyboard.press('Escape');
    await page.getByText('· stopped').waitFor();

    expect(await walk(page, 60)).toEqual(
      expect.arrayContaining([
        'Ask', 'Answer', 'Export CSV', 'Export JSONL', 'Table of the last requests',
        'Overview', 'Benchmarks', 'Settings', 'Command palette', 'Log out', 'Copy address', 'Stop', 'Model', 'Question',
      ]),
    );
  });

  it('reaches all of the settings', async () => {
    const { page, server } = stage;
    await server.briefly();
    await stage.login();
    await show('settings');
    await page.getByRole('button', { name: /^Advanced/ }).focus();
    await page.keyboard.press('Enter');
    expect(await walk(page, 100)).toEqual(
      expect.arrayContaining([
        'Search settings', 'Address', 'Allowed web origins', 'Largest request', 'Chat', 'Chat, minutes', 'Embeddings, minutes', 'Connect', 'Connect, unit',
        'First token', 'Idle', 'Context size', 'Parallel requests', 'Threads', 'Nothing leaves this machine', 'gone', 'Test gone', 'Remove gone', 'Add Ollama', unreachable, `Move ${unreachable}`, 'Add a route', 'Where would a model go?',
        'Require an API key', 'Make a key', 'Keep records for', 'Largest database', 'Batched',
        'Model', 'Backend', 'Status', 'Export CSV', 'Export JSONL', 'General', 'Audit Logs', 'Command palette',
      ]),
    );
  });

  it('stays on the button that asks and stops', async () => {
    const { page } = stage;
    await stage.login();
    await page.getByLabel('Question').fill('Write a long story about a river.');
    await page.keyboard.press('Tab');
    await page.keyboard.press('Enter');
    await page.getByText('first token after').waitFor();
    await page.keyboard.press('Enter');
    await page.getByText('· stopped').waitFor();
    expect(await page.evaluate(() => document.activeElement?.textContent?.trim().endsWith('Ask'))).toBe(true);
  });
});

describe('little room', () => {
  beforeAll(async () => void (await stage.server.briefly()));

  it.each([
    [1600, 1000],
    [900, 600], // the window's smallest size
    [540, 360], // 1080 by 720 at 200 %
    [450, 300], // 900 by 600 at 200 %
    [420, 800],
  ])('fits all pages into %i by %i, and cuts no text', async (width, height) => {
    const { page } = stage;
    await page.setViewportSize({ width, height });
    await stage.login();
    for (const hash of ['overview', 'settings']) {
      await show(hash);
      if (hash === 'settings') await page.getByRole('button', { name: /^Advanced/ }).click();
      expect(await cut(page), hash).toEqual([]);
      const over = await page.evaluate(() =>
        [...document.querySelectorAll('body, main, section, header, nav')]
          .filter((e) => e.scrollWidth > e.clientWidth + 1)
          .map((e) => `${e.tagName} ${e.scrollWidth} in ${e.clientWidth}`),
      );
      expect(over, hash).toEqual([]);
    }
  });
});
