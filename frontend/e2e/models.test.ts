// The page of the models: what lies on this machine, what is being downloaded, and what the Hub has.
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { violations } from './support/axe';
import { FakeHub } from './support/hub';
import { walk } from './support/keyboard';
import { cut } from './support/layout';
import { root, starter } from './support/server';
import { eventually, useStage } from './support/stage';

const weights = join(root, 'build/cache/data/models', `${starter}.gguf`);
const repo = 'maker/Small-GGUF';
const real = 'small-q4_k_m'; // as the library calls it
const slowly = 5_000_000; // between two KiB, so that 3.6 MB take longer than it takes to press a button on a busy machine

let hub: FakeHub;
let scratch = '';

const stage = useStage({
  prepare: async (server) => {
    hub = await FakeHub.start();
    scratch = await mkdtemp(join(tmpdir(), 'mlxbar hub '));
    const other = join(scratch, 'other');
    await writeFile(other, 'no model '.repeat(400_000)); // 3.6 MB
    await hub.add(repo, 'small-Q4_K_M.gguf', weights);
    for (const file of ['wrong-Q8_0.gguf', 'cancelled-Q5_K_M.gguf', 'limited-Q6_K.gguf', 'kept-Q4_K_S.gguf', 'huge-F16.gguf']) await hub.add(repo, file, other);
    await hub.claim(repo, 'huge-F16.gguf', 1e15);
    await hub.add('maker/Gated-GGUF', 'gated-Q4_0.gguf', other);
    await hub.gate('maker/Gated-GGUF', 'hf_the-token');
    const broken = join(server.dir, 'models', 'cut-off.gguf');
    await writeFile(broken, 'GGUF');
    const long = new Date(Date.now() - 3_600_000); // nobody has written to it for an hour
    await utimes(broken, long, long);
  },
});

afterAll(async () => {
  await hub?.stop();
  if (scratch) await rm(scratch, { recursive: true });
});

async function show(tab: 'installed' | 'downloading' | 'discover'): Promise<void> {
  await stage.page.evaluate((to) => (location.hash = to), `models/${tab}`);
  await stage.page.getByRole('heading', { level: 2, name: 'Models' }).waitFor();
  await stage.page.getByRole('tab', { name: new RegExp(tab, 'i'), selected: true }).waitFor();
}

const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const model = (name: string) => stage.page.locator(`[data-model="${name}"]`);
const state = (name: string) => model(name).getAttribute('data-state');
const download = (name: string) => stage.page.locator(`[data-download="${name}"]`);
const status = (name: string) => download(name).getAttribute('data-status');
const offer = (file: string) => stage.page.locator(`[data-offer="${file}"]`);

/** Opens a repository of what a search found. */
async function open(name: string): Promise<void> {
  await show('discover');
  await stage.page.getByRole('searchbox', { name: 'Search the Hub' }).fill(name);
  await stage.page.keyboard.press('Enter');
  await stage.page.locator(`[data-repo*="${name}" i]`).getByRole('button').first().click();
}

describe('Discover', () => {
  it('asks the Hub when it is told to, and not before', async () => {
    const { page } = stage;
    const before = await hub.asked();
    await show('discover');
    await page.getByRole('searchbox', { name: 'Search the Hub' }).pressSequentially('small');
    await page.getByText('these words, and which model you then open or fetch, leave this machine').waitFor();
    expect(await hub.asked()).toBe(before);
    await page.keyboard.press('Enter');
    const found = page.locator(`[data-repo="${repo}"]`);
    await found.waitFor();
    expect(await hub.asked()).toBe(before + 1);
    expect(await found.innerText()).toMatch(/7 downloads\s+3 likes\s+apache-2\.0/);
    await found.getByRole('button', { name: repo }).click();
    await offer('small-Q4_K_M.gguf').waitFor();
    expect(await offer('small-Q4_K_M.gguf').innerText()).toMatch(/Q4_K_M\s+\d+ MB\s+Fits\s+Download/);
    expect(await offer('huge-F16.gguf').innerText()).toContain('Too large for this machine');
    expect(await violations(page, 'models discover')).toEqual([]);
  });

  it('forgets what was looked for when somebody logs out', async () => {
    const { page } = stage;
    await open('Small');
    await offer('small-Q4_K_M.gguf').waitFor();
    await button('Log out').click();
    await page.getByLabel('Admin token').fill(await stage.server.token());
    await page.keyboard.press('Enter');
    await show('discover');
    expect(await page.getByRole('searchbox', { name: 'Search the Hub' }).inputValue()).toBe('');
    expect(await page.locator('[data-repo]').count()).toBe(0);
  });

  it('says that nothing was found', async () => {
    await show('discover');
    await stage.page.getByRole('searchbox', { name: 'Search the Hub' }).fill('no such model');
    await button('Search').click();
    await stage.page.getByText('Nothing is called “no such model”').waitFor();
  });

  it('says of a gated model how a token is put', async () => {
    const { page } = stage;
    await open('Gated');
    const gated = page.locator('[data-repo="maker/Gated-GGUF"]');
    await gated.getByText('needs a token').waitFor();
    await gated.getByText('let in who has accepted their terms').waitFor();
    await gated.getByText('mlxbar models login', { exact: true }).waitFor();
    expect(await violations(page, 'models gated')).toEqual([]);
  });

  it('says beside the button that the disk has no room', async () => {
    await open('Small');
    await button('Download huge-F16.gguf').click();
    await offer('huge-F16.gguf').getByRole('alert').getByText(/The disk has .* GB free and 1000000\.5 GB are needed/).waitFor();
    expect(await button('Download huge-F16.gguf').isVisible()).toBe(true);
  });

  it('says that the Hub cannot be reached, and tries again', async () => {
    const { page } = stage;
    await page.route('**/api/hub/search?**', (route) =>
      route.fulfill({ status: 502, contentType: 'application/problem+json', body: '{"type":"/problems/hub-failed","title":"Hub failed","status":502,"detail":"The Hub cannot be reached."}' }),
    );
    await show('discover');
    await button('Search').click();
    await page.getByText('The Hub could not be searched').waitFor();
    await page.unroute('**/api/hub/search?**');
    await button('Try again').click();
    await page.locator(`[data-repo="${repo}"]`).waitFor();
  });

  it('asks nobody while nothing may leave the machine', async () => {
    const { page, server } = stage;
    await server.set({ local_only: true });
    await show('discover');
    await page.getByText('Nothing may leave this machine').waitFor();
    const before = await hub.asked();
    await page.getByRole('searchbox', { name: 'Search the Hub' }).fill('small');
    await page.keyboard.press('Enter');
    expect(await button('Search').getAttribute('aria-disabled')).toBe('true');
    await server.set({ local_only: false });
    await page.getByText('Nothing may leave this machine').waitFor({ state: 'detached' });
    expect(await hub.asked()).toBe(before);
  });
});

describe('Downloading', () => {
  it('has nothing at first', async () => {
    await show('downloading');
    await stage.page.getByText('Nothing is being downloaded').waitFor();
    expect(await violations(stage.page, 'models downloading empty')).toEqual([]);
  });

  it('brings a model: with progress, paused and resumed, until it answers', async () => {
    const { page } = stage;
    await hub.fail('small-Q4_K_M.gguf', { pause: slowly });
    await open('Small');
    await button('Download small-Q4_K_M.gguf').click();
    await offer('small-Q4_K_M.gguf').getByText('Downloading…').waitFor();
    expect(await violations(page, 'models discover under way')).toEqual([]);
    await offer('small-Q4_K_M.gguf').getByText('Downloading…').click(); // leads there
    const bar = download(real).getByRole('progressbar');
    const there = async () => Number(await bar.getAttribute('aria-valuenow'));
    await eventually(there).toBeGreaterThan(0);
    const before = await there();
    await eventually(there).toBeGreaterThan(before);
    await eventually(() => download(real).locator('[data-far]').innerText()).toMatch(/^[\d.]+ [kM]B of \d+ MB · [\d.]+ [kM]B\/s · .* left$/);
    await eventually(() => page.locator('[data-downloads]').innerText()).toContain('1');
    expect(await violations(page, 'models downloading')).toEqual([]);

    await button(`Pause ${real}`).click();
    await eventually(() => status(real)).toBe('paused');
    await page.locator('[data-downloads]').waitFor({ state: 'detached' });
    const paused = await there();
    expect(paused).toBeGreaterThan(0);
    await page.reload();
    await eventually(there).toBeGreaterThanOrEqual(paused); // nothing is lost
    expect(await status(real)).toBe('paused');
    await button(`Resume ${real}`).click();
    await eventually(() => status(real)).toBe('done');

    await button(`Show ${real}`).click();
    await model(real).waitFor(); // by itself
    expect(await state(real)).toBe('idle');
    await button(`Load ${real}`).click();
    await eventually(() => state(real)).toBe('ready');
    await page.locator(`[data-share="${real}"]`).waitFor();
    const answer = await fetch(`${stage.server.url}/v1/chat/completions`, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ model: real, messages: [{ role: 'user', content: 'Hello' }], max_tokens: 2 }),
    });
    expect(answer.status).toBe(200);
    await button(`Unload ${real}`).click();
    await eventually(() => state(real)).toBe('idle');
    await page.locator(`[data-share="${real}"]`).waitFor({ state: 'detached' });
  });

  it('keeps the keyboard on a button whose word changes', async () => {
    const { page } = stage;
    const name = 'kept-q4_k_s';
    const pressed = async (from: string, to: string) => {
      await page.keyboard.press('Enter');
      await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe(to);
      await button(from).waitFor({ state: 'detached' });
    };
    await hub.fail('kept-Q4_K_S.gguf', { pause: slowly }, { pause: slowly }); // before and after it is paused
    await open('Small');
    await button('Download kept-Q4_K_S.gguf').focus();
    await pressed('Download kept-Q4_K_S.gguf', 'Downloading… Show kept-Q4_K_S.gguf among the downloads');
    await show('downloading');
    await button(`Pause ${name}`).focus();
    await pressed(`Pause ${name}`, `Resume ${name}`);
    await pressed(`Resume ${name}`, `Pause ${name}`);
    await button(`Cancel ${name}`).focus();
    await page.keyboard.press('Enter');
    await download(name).waitFor({ state: 'detached' });
    expect(await page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Downloads of models');
  });

  it('cancels one, and leaves nothing of it', async () => {
    const { page } = stage;
    const name = 'cancelled-q5_k_m';
    await hub.fail('cancelled-Q5_K_M.gguf', { pause: slowly });
    await open('Small');
    await button('Download cancelled-Q5_K_M.gguf').click();
    await show('downloading');
    await button(`Cancel ${name}`).click();
    await download(name).waitFor({ state: 'detached' });
    await page.getByText(`Cancelled ${name}`).waitFor();
    await button('Download again').click();
    await eventually(() => status(name)).toBe('done');
    await button(`Clear ${name}`).click();
    await download(name).waitFor({ state: 'detached' });
  });

  it('says of bytes that are not what they should be, and tries again', async () => {
    const name = 'wrong-q8_0';
    await hub.fail('wrong-Q8_0.gguf', { wrong: true }, { wrong: true });
    await open('Small');
    await button('Download wrong-Q8_0.gguf').click();
    await stage.page.getByText(`The download of ${name} failed.`).waitFor(); // on whatever page
    await show('downloading');
    await download(name).getByRole('alert').getByText(/hash|SHA/i).waitFor();
    expect(await violations(stage.page, 'models download failed')).toEqual([]);
    await button(`Retry ${name}`).click();
    await eventually(() => status(name)).toBe('done');
  });

  it('says what one waits for, and need not wait', async () => {
    const name = 'limited-q6_k';
    await hub.fail('limited-Q6_K.gguf', { status: 429, retryAfter: '600' });
    await open('Small');
    await button('Download limited-Q6_K.gguf').click();
    await show('downloading');
    await eventually(() => status(name)).toBe('waiting');
    await download(name).getByText(/limits requests/).waitFor();
    expect(await violations(stage.page, 'models download waits')).toEqual([]);
    expect(await download(name).innerText()).toMatch(/tried again at \d\d:\d\d:\d\d/);
    await button(`Retry ${name}`).click();
    await eventually(() => status(name)).toBe('done');
  });
});

describe('Installed', () => {
  it('tells what is known of a model', async () => {
    await show('installed');
    await model(real).getByRole('button', { name: real }).first().click();
    const fact = (name: string) => model(real).locator(`[data-fact="${name}"]`).innerText();
    expect([await fact('Format'), await fact('Architecture'), await fact('Engine'), await fact('State')]).toEqual(['GGUF', 'llama', 'llama.cpp', 'Not loaded']);
    expect(await fact('Parameters')).toBe('135M');
    expect(await fact('Estimated memory')).toBe('1.0 GB with 32.8k tokens of context');
    expect(await fact('Fits')).toMatch(/^Yes, [\d.]+ % of this machine’s memory$/);
  });

  it('names files that cannot be used, with why, and removes them', async () => {
    const { page } = stage;
    await show('installed');
    const broken = page.locator('[data-broken="cut-off.gguf"]');
    await broken.getByText(/^It cannot be used: it is /).waitFor();
    await button('Remove cut-off.gguf').click();
    await broken.waitFor({ state: 'detached' });
    await button('Undo').click();
    await broken.waitFor();
  });

  it('removes a model, and brings it back', async () => {
    const { page } = stage;
    await show('installed');
    await model(real).getByRole('button', { name: real }).first().click();
    await button(`Remove ${real}`).click();
    await model(real).waitFor({ state: 'detached' });
    await eventually(() => page.evaluate(() => document.activeElement?.getAttribute('aria-label'))).toBe('Models on this machine');
    await Promise.all([page.getByText(`${real} is back.`).waitFor(), button('Undo').click()]); // the message passes
    await model(real).waitFor();
  });

  it('pins a model, and keeps what is set for it alone', async () => {
    const { page, server } = stage;
    await show('installed');
    await button(`Pin ${real}`).click();
    await eventually(() => button(`Pin ${real}`).getAttribute('aria-pressed')).toBe('true');
    await model(real).getByRole('button', { name: real }).first().click();
    const form = page.getByRole('form', { name: `Settings of ${real}` });
    await form.getByLabel('Context').fill('many');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByText(/Context takes a whole number/).waitFor();
    await form.getByLabel('Context').fill('1024');
    await form.getByLabel('Parallel').fill('2');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByText('Saved', { exact: true }).waitFor();
    const set = (await (await server.api('/api/settings')).json()) as { models: { each: object[] } };
    expect(set.models.each).toEqual([{ name: real, pin: true, context_size: 1024, parallel: 2 }]);
    await page.reload();
    await model(real).getByRole('button', { name: real }).first().click();
    await eventually(() => form.getByLabel('Context').inputValue()).toBe('1024');
    await eventually(() => model(real).locator('[data-fact="Estimated memory"]').innerText()).toContain('with 2.0k tokens');
    expect(await form.getByRole('switch', { name: 'Pin' }).getAttribute('aria-checked')).toBe('true');
    expect(await violations(page, 'models installed')).toEqual([]);
  });

  it('says of an engine that keeps dying that it is left alone, and how its log ends', async () => {
    const { page, server } = stage;
    await show('installed');
    for (let life = 0; life < 5; life++) {
      await server.briefly();
      await eventually(() => state(starter)).toBe('ready'); // or what the page tells may be of the life before
      const { engines } = (await (await server.api('/api/engines')).json()) as { engines: { model: string; pid: number }[] };
      process.kill(engines.find((e) => e.model === starter)?.pid ?? NaN, 'SIGKILL');
      await eventually(() => state(starter)).toBe(life < 4 ? 'idle' : 'failed');
    }
    await model(starter).getByText(/^The engine ended 5 times within 10 minutes/).waitFor();
    expect((await model(starter).locator('[data-log]').innerText()).split('\n')).toHaveLength(4);
    await page.getByText('No models loaded · 1 failed').waitFor();
    expect(await violations(page, 'models failed')).toEqual([]);
    expect(await cut(page)).toEqual([]);
    await page.evaluate(() => (location.hash = 'overview'));
    await page.getByText(/^The engine ended 5 times within 10 minutes/).waitFor();
    await show('installed');
    await button(`Load ${starter}`).click();
    await eventually(() => state(starter)).toBe('ready');
    expect(await model(starter).locator('[data-log]').count()).toBe(0);
    await button(`Unload ${starter}`).click();
    await eventually(() => state(starter)).toBe('idle');
  });

  it('shows at its field what the server does not take', async () => {
    await show('installed');
    await model(real).getByRole('button', { name: real }).first().click();
    const form = stage.page.getByRole('form', { name: `Settings of ${real}` });
    await form.getByLabel('Extra arguments').fill('--host 0.0.0.0');
    await form.getByRole('button', { name: 'Save' }).click();
    await form.getByRole('alert').getByText(/^Extra arguments /).waitFor();
    await form.getByRole('button', { name: 'Revert' }).click();
    expect(await form.getByLabel('Extra arguments').inputValue()).toBe('');
  });

  it('says that the models cannot be read, and tries again', async () => {
    const { page } = stage;
    await page.route('**/api/models', (route) => route.fulfill({ status: 500, contentType: 'application/problem+json', body: '{"type":"/problems/internal","title":"Internal","status":500,"detail":"Something went wrong inside mlxbar."}' }));
    await show('installed');
    await page.getByText('The models could not be read').waitFor();
    expect(await violations(page, 'models unread')).toEqual([]);
    await page.unroute('**/api/models');
    await button('Try again').click();
    await model(real).waitFor();
  });
});

describe('the page', () => {
  it('is reached from the side, the overview and the palette', async () => {
    const { page } = stage;
    await page.getByRole('region', { name: 'Models' }).getByRole('link', { name: 'All models' }).click();
    await page.getByRole('heading', { level: 2, name: 'Models' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('discover');
    await page.keyboard.press('Enter');
    await page.getByRole('searchbox', { name: 'Search the Hub' }).waitFor();
    await page.keyboard.press('Control+1');
    await page.getByRole('heading', { level: 2, name: 'Overview' }).waitFor();
    await page.keyboard.press('Control+2');
    await page.getByRole('heading', { level: 2, name: 'Models' }).waitFor();
  });

  it('can be used by the keyboard alone', async () => {
    const { page } = stage;
    await show('installed');
    await model(real).getByRole('button', { name: real }).first().click();
    const stops = (await walk(page, 80)).join('\n');
    for (const name of [`Load ${real}`, `Pin ${real}`, `Remove ${real}`, 'Context', 'Extra arguments', 'Add a folder in Settings', 'Installed']) expect(stops).toContain(name);
  });

  it.each([
    [1600, 1000],
    [900, 600],
    [450, 300],
  ])('has room at %i by %i', async (width, height) => {
    const { page } = stage;
    await page.setViewportSize({ width, height });
    for (const tab of ['installed', 'downloading', 'discover'] as const) {
      if (tab === 'discover') {
        await open('Small');
        await offer('small-Q4_K_M.gguf').getByText('Installed').waitFor();
      } else await show(tab);
      if (tab === 'installed') await model(real).getByRole('button', { name: real }).first().click();
      expect(await cut(page), tab).toEqual([]);
    }
  });
});
