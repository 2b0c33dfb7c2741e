// The playground, with the real engine and a scripted provider that says what a test wants it to.
import { readFile } from 'node:fs/promises';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violations } from './support/axe';
import { focused, walk } from './support/keyboard';
import { cut } from './support/layout';
import { starter, unreachable } from './support/server';
import { eventually, state, useStage } from './support/stage';
import { leadTo, startUpstream, type Upstream } from './support/upstream';

// Each model is a script of the provider's.
const scripts = { echo: 'echo', endless: 'endless=15ms', breaks: 'cut-4=60ms', faulty: 'error-event-3=60ms', thinker: 'thinking' };

let upstream: Upstream;
const stage = useStage({
  prepare: async (server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server, scripts, [
      { model: 'detour', targets: [{ provider: 'gone' }, { provider: 'scripted', model: 'echo' }] },
      { model: unreachable, targets: [{ provider: 'gone' }] },
    ]);
  },
});
beforeAll(async () => void (await stage.server.briefly())); // the model is loaded from now on
afterAll(() => upstream?.stop());

const field = () => stage.page.getByRole('textbox', { name: 'Message' });
const answers = (model: string) => stage.page.getByRole('article', { name: `Answer of ${model}` });
const answer = (model: string) => answers(model).last();
const button = (name: string) => stage.page.getByRole('button', { name, exact: true });
const figures = (of: Locator) => of.locator('[data-figures]').innerText();

async function choose(name: 'Model' | 'Second model', model: string): Promise<void> {
  const box = stage.page.getByRole('combobox', { name, exact: true });
  await box.click();
  await box.fill(model);
  await stage.page.getByRole('option', { name: model }).first().click();
  await eventually(() => box.inputValue()).toBe(model);
}

/** Opens the page, with a model or two. */
async function open(model: string, second = ''): Promise<void> {
  const { page } = stage;
  await page.evaluate(() => (location.hash = 'playground'));
  await page.getByRole('heading', { level: 2, name: 'Playground' }).waitFor();
  await eventually(() => page.getByRole('combobox', { name: 'Model', exact: true }).inputValue()).not.toBe('');
  await choose('Model', model);
  if (!second) return;
  await button('Add a second model').click();
  await choose('Second model', second);
}

async function say(text: string): Promise<void> {
  await field().fill(text);
  await field().press('Enter');
}

async function options(set: Record<string, string>): Promise<void> {
  await stage.page.getByRole('button', { name: /^Options/ }).click();
  for (const [name, value] of Object.entries(set)) await stage.page.getByRole('dialog').getByLabel(name, { exact: true }).fill(value);
  await stage.page.keyboard.press('Escape');
  await stage.page.getByRole('dialog').waitFor({ state: 'detached' });
}

describe('a conversation', () => {
  it('is had with the real engine in several turns, and each answer leads to its record', async () => {
    const { page } = stage;
    await page.getByRole('link', { name: 'Playground', exact: true }).click();
    await page.getByText('Ask a model something.').waitFor();
    await focused(field());
    expect(await page.getByRole('combobox', { name: 'Model', exact: true }).inputValue()).toBe(starter); // what stays here goes first
    await options({ 'Max tokens': '24', Temperature: '0', Seed: '7', 'System prompt': 'Answer in one sentence.' });
    await page.getByRole('button', { name: 'Options · 4 set' }).waitFor();
    await say('What is the capital of France?');
    await focused(field());
    await state(answer(starter)).toBe('done');
    await eventually(() => figures(answer(starter))).toMatch(/tokens\/s · first token after .+ · \d+ tokens in.* · \d+ out · finish reason (stop|length)$/);
    await say('And of Italy?');
    await eventually(() => answers(starter).count()).toBe(2);
    await state(answer(starter)).toBe('done');
    expect(await figures(answer(starter))).toMatch(/\d+ of them reused/); // what was said before is in the engine's cache

    await eventually(() => stage.newest()).toMatchObject({ model: starter, backend: 'LOCAL', status: 'success', stream: true });
    const record = await stage.newest();
    await answer(starter).getByRole('link', { name: 'Audit record' }).click();
    await page.getByRole('dialog', { name: 'Request' }).waitFor();
    await eventually(() => page.locator('[data-field="Request id"]').innerText()).toBe(String(record.request_id));
    expect(await page.locator('dd[data-field="Reused from the cache"]').innerText()).toMatch(/^\d+, \d+ % of the prompt$/);
    await page.keyboard.press('Escape');
    await page.getByRole('link', { name: 'Playground', exact: true }).click();
    await eventually(() => answers(starter).count()).toBe(2); // it is still there
  });

  it('stops with Escape in mid-stream, at the provider too, and keeps what came', async () => {
    await open('endless');
    await say('Go on for ever.');
    await eventually(async () => (await answer('endless').innerText()).length).toBeGreaterThan(100);
    await stage.page.keyboard.press('Escape');
    await state(answer('endless')).toBe('stopped');
    const text = await answer('endless').locator('.selectable').innerText();
    expect(text).toContain('marzipan');
    await eventually(async () => (await stage.newest()).status).toBe('cancelled');
    expect(await answer('endless').locator('.selectable').innerText()).toBe(text);
    expect(await figures(answer('endless'))).toMatch(/^stopped · first token after/);
    await focused(field());
    await say('And again.');
    await eventually(() => answers('endless').count()).toBe(2);
    await button('Stop').last().click();
    await state(answer('endless')).toBe('stopped');
  });

  it('is changed: a question in other words, an answer anew, all of it cleared, each with a way back', async () => {
    const { page } = stage;
    await open('echo');
    await say('first');
    await state(answer('echo')).toBe('done');
    await say('second');
    await eventually(() => answers('echo').count()).toBe(2);
    await state(answer('echo')).toBe('done');

    await page.clock.setFixedTime(new Date()); // so that no time to undo is over meanwhile
    await button('Edit question 1').click();
    await focused(page.getByRole('textbox', { name: 'Question 1' }));
    await page.keyboard.press('Escape');
    await focused(button('Edit question 1'));
    await page.keyboard.press('Enter');
    await page.getByRole('textbox', { name: 'Question 1' }).fill('other');
    await page.keyboard.press('Enter');
    await eventually(() => page.locator('[data-prompt]').allInnerTexts()).toEqual(['other']);
    await state(answer('echo')).toBe('done');
    await focused(field());
    await button('Undo').click();
    await eventually(() => page.locator('[data-prompt]').allInnerTexts()).toEqual(['first', 'second']);

    const before = (await stage.newest()).request_id;
    await button('Retry echo').click();
    await eventually(async () => (await stage.newest()).request_id).not.toBe(before);
    await state(answer('echo')).toBe('done');
    await button('Clear the conversation').click();
    await eventually(() => answers('echo').count()).toBe(0);
    await button('Undo').click();
    await eventually(() => answers('echo').count()).toBe(2);
  });

  it('is saved as Markdown or JSON when somebody says so, and nowhere else', async () => {
    const { page } = stage;
    await open('echo');
    await say('a word to find: xylophone');
    await state(answer('echo')).toBe('done');
    const kept = await page.evaluate(() => JSON.stringify([Object.entries(localStorage), Object.entries(sessionStorage), location.href, document.cookie]));
    expect(kept).not.toContain('xylophone');
    expect(await (await stage.server.api('/api/audit/export?format=jsonl')).text()).not.toContain('xylophone');

    const [md] = await Promise.all([page.waitForEvent('download'), button('Save Markdown').click()]);
    expect(md.suggestedFilename()).toMatch(/^mlxbar-chat-\d{4}-\d\d-\d\d-\d{4}\.md$/);
    expect(await readFile(await md.path(), 'utf8')).toContain('## User\n\na word to find: xylophone\n\n## echo\n\na word to find: xylophone\n');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: 'Command' }).fill('conversation as json');
    const [json] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('Enter')]);
    const saved = JSON.parse(await readFile(await json.path(), 'utf8')) as { turns: { prompt: string; answers: object[] }[] };
    expect(saved.turns).toMatchObject([{ prompt: 'a word to find: xylophone', answers: [{ model: 'echo', state: 'done', finish_reason: 'stop', backend: 'OPENAI', provider: 'scripted' }] }]);
  });

  it('is gone when somebody logs out', async () => {
    const { page } = stage;
    await open('echo');
    await say('mine alone');
    await state(answer('echo')).toBe('done');
    await button('Log out').click();
    await page.getByLabel('Admin token').fill(await stage.server.token());
    await page.keyboard.press('Enter');
    await page.getByText('Ask a model something.').waitFor();
    expect(await answers('echo').count()).toBe(0);
  });
});

describe('two models', () => {
  it('answer the same question side by side, and one stops without the other', async () => {
    const { page } = stage;
    await open('endless', starter);
    await options({ 'Max tokens': '48' });
    await say('Name a river.');
    await eventually(async () => (await answer('endless').innerText()).length).toBeGreaterThan(60);
    await state(answer(starter)).toBe('done');
    expect(await answer('endless').getAttribute('data-state')).toBe('answering');
    // In one moment: what is answered goes on to grow, and the page with it.
    const [left, right] = await page.locator('article').evaluateAll((all) => all.map((e) => e.getBoundingClientRect()).map(({ x, y, right }) => ({ x, y, right })));
    expect(left?.y).toBe(right?.y);
    expect(left?.right).toBeLessThanOrEqual(right?.x ?? 0);
    await button('Stop endless').click();
    await state(answer('endless')).toBe('stopped');
    expect(await figures(answer(starter))).toContain('finish reason');
    await page.setViewportSize({ width: 720, height: 600 });
    expect(await cut(page)).toEqual([]);
    expect((await answer('endless').boundingBox())?.y).toBe((await answer(starter).boundingBox())?.y);
  });

  it('that are one and the same have buttons of their own', async () => {
    const { page } = stage;
    await open('echo', 'echo');
    await say('Hello?');
    for (const which of ['first', 'second']) await state(answer(`echo, ${which}`)).toBe('done');
    const names = await page.getByRole('region', { name: 'Conversation' }).locator('article button, article a').evaluateAll((all) => all.map((e) => e.getAttribute('aria-label') ?? e.textContent));
    expect(names.length).toBeGreaterThanOrEqual(6);
    expect(new Set(names).size).toBe(names.length);
    await button('Retry echo, second').click();
    await state(answer('echo, second')).toBe('done');
    expect(await answer('echo, first').count()).toBe(1);
  });

  it('fail on their own, with title, detail and request id', async () => {
    await open(unreachable, 'echo');
    await say('Hello?');
    await state(answer('echo')).toBe('done');
    await state(answer(unreachable)).toBe('failed');
    const problem = await answer(unreachable).locator('[data-problem]').innerText();
    const records = ((await (await stage.server.api('/api/audit?limit=2')).json()) as { records: { request_id: string; model: string }[] }).records;
    expect(problem).toContain('gone');
    expect(problem).toContain(String(records.find((r) => r.model === unreachable)?.request_id));
    await stage.page.getByRole('status').filter({ hasText: `${unreachable} failed` }).waitFor({ state: 'attached' });
    await say('You alone?'); // the next question is not held up by it
    await eventually(() => answers('echo').count()).toBe(2);
    await state(answer('echo')).toBe('done');
  });
});

describe('what goes wrong', () => {
  it.each([
    ['breaks', /scripted broke off in mid-answer|connection broke in the middle of the answer/],
    ['faulty', /scripted reported an error|provider answered with an error of its own/],
  ])('in mid-stream is said, and what came stays: %s', async (model, says) => {
    await open(model);
    await say('Hello?');
    await state(answer(model)).toBe('failed');
    expect(await answer(model).locator('.selectable').innerText()).toContain('marzipan');
    const told = answer(model).locator('[data-problem]');
    await told.getByText(says).waitFor(); // the stream's own last word or, where the browser lost that, what the record says
    const problem = await told.innerText();
    expect(problem).toContain(String((await stage.newest()).request_id));
    expect(problem).not.toContain('Hello?'); // which that provider quotes
    await button(`Retry ${model}`).click();
    await state(answer(model)).toBe('failed');
  });

  it('with an option is told at its field, before anything is sent', async () => {
    const { page } = stage;
    await open('echo');
    await options({ Temperature: '7' });
    const before = (await stage.newest()).request_id;
    await say('Hello?');
    await page.getByRole('dialog').getByText('Temperature must be from 0 to 2.').waitFor();
    await page.getByRole('dialog').getByLabel('Temperature').fill('');
    await page.keyboard.press('Escape');
    expect([await field().inputValue(), (await stage.newest()).request_id]).toEqual(['Hello?', before]);
    await field().press('Control+Enter');
    await state(answer('echo')).toBe('done');
  });

  it('is that the server stops: what was said stays, and it can be asked again', async () => {
    const { page, server } = stage;
    await open('echo');
    await say('Before.');
    await state(answer('echo')).toBe('done');
    await server.kill();
    await page.getByText('The server is stopped').waitFor();
    await field().fill('Meanwhile.');
    await field().press('Enter');
    expect([await answers('echo').count(), await field().inputValue()]).toEqual([1, 'Meanwhile.']);
    await server.start();
    await page.getByLabel('Admin token').fill(await server.token());
    await page.keyboard.press('Enter');
    await eventually(() => answers('echo').count()).toBe(1);
    await eventually(() => button('Send').getAttribute('aria-disabled')).toBe('false');
    await field().press('Enter');
    await eventually(() => answers('echo').count()).toBe(2);
    await state(answer('echo')).toBe('done');
  });
});

describe('an answer', () => {
  const nasty = [
    '<script>window.hurt = 1</script>',
    '<img src="https://example.com/pixel.png" onerror="window.hurt = 2">',
    '![pixel](https://example.com/leak.png?q=secret)',
    '[click](javascript:window.hurt=3)',
    '<a href="javascript:window.hurt=4">x</a><iframe src="https://example.com/frame"></iframe>',
    '<svg onload="window.hurt = 5"></svg><style>body { display: none }</style>',
    '[good](https://example.com/page)',
    '```html\n<b onclick="hurt()">code</b>\n```',
  ].join('\n\n');

  it('is harmless, whatever stands in it, and fetches nothing', async () => {
    const { page } = stage;
    const fetched: string[] = [];
    page.on('request', (r) => fetched.push(r.url()));
    await open('echo');
    await say(nasty);
    await state(answer('echo')).toBe('done');
    await answer('echo').getByText('<script>window.hurt = 1</script>').waitFor(); // as text
    expect(await answer('echo').locator('script, img, iframe, style, svg:not(button svg), [onclick], [onerror], [onload]').count()).toBe(0);
    const links = answer('echo').locator('.selectable a');
    expect(await links.evaluateAll((all) => all.map((a) => [a.textContent, a.getAttribute('href'), a.getAttribute('rel')]))).toEqual([
      ['Image: pixel', 'https://example.com/leak.png?q=secret', 'noopener noreferrer'],
      ['good', 'https://example.com/page', 'noopener noreferrer'],
    ]);
    expect(await page.evaluate(() => (window as { hurt?: number }).hurt)).toBeUndefined();
    expect(fetched.filter((url) => !url.startsWith(stage.server.url))).toEqual([]);
  });

  it('has its code to copy, and is copied as it was written', async () => {
    const { page } = stage;
    const clipboard = () => page.evaluate(() => navigator.clipboard.readText());
    await open('echo');
    await say('Look:\n\n```js\nconst a = 1 < 2;\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |');
    await state(answer('echo')).toBe('done');
    await button('Copy code').click();
    await eventually(clipboard).toBe('const a = 1 < 2;');
    await button('Copy the answer of echo').click();
    await eventually(clipboard).toContain('```js\nconst a = 1 < 2;\n```');
    expect(await answer('echo').getByRole('columnheader').allInnerTexts()).toEqual(['a', 'b']);
  });

  it('folds what was thought', async () => {
    await open('thinker');
    await say('Think.');
    await state(answer('thinker')).toBe('done');
    const fold = answer('thinker').getByRole('button', { name: 'Reasoning' });
    expect(await answer('thinker').getByText('is what one thinks of').isVisible()).toBe(false);
    await fold.click();
    expect(await answer('thinker').getByText('is what one thinks of').isVisible()).toBe(true);
  });

  it('says who gave it, after whom', async () => {
    await open('detour');
    await say('Hello?');
    await state(answer('detour')).toBe('done');
    expect(await answer('detour').locator('[data-origin]').innerText()).toMatch(/^OPENAI\s+scripted · as echo · 2 attempts · after gone=upstream-unreachable$/);
  });

  it('stays in sight while it comes, but not for one who has scrolled away', async () => {
    const { page } = stage;
    const view = page.getByRole('region', { name: 'Conversation' });
    const below = () => view.evaluate((e) => e.scrollHeight - e.scrollTop - e.clientHeight);
    const height = () => view.evaluate((e) => e.scrollHeight);
    await open('endless');
    await say('Go on.');
    await eventually(async () => (await height()) - (await view.evaluate((e) => e.clientHeight))).toBeGreaterThan(120);
    await eventually(below).toBeLessThan(40); // between a line and the move that follows it may be a moment
    const steady = () => page.locator('h2, header button, textarea, form button').evaluateAll((all) => all.map((e) => `${Math.round(e.getBoundingClientRect().x)} ${Math.round(e.getBoundingClientRect().y)}`));
    const before = await steady();
    await view.evaluate((e) => (e.scrollTop = 0));
    const was = await height();
    await eventually(height).toBeGreaterThan(was);
    expect(await view.evaluate((e) => e.scrollTop)).toBe(0);
    expect(await steady()).toEqual(before);
    await page.keyboard.press('Escape');
    await state(answer('endless')).toBe('stopped');
    expect(await steady()).toEqual(before);
  });
});

it('can be asked any name, also one that no list has', async () => {
  const { page } = stage;
  await open('echo');
  const box = page.getByRole('combobox', { name: 'Model', exact: true });
  await box.click();
  await box.fill('no-such-model');
  await page.getByRole('option', { name: 'Use “no-such-model”' }).click();
  await say('Hello?');
  await state(answer('no-such-model')).toBe('failed');
  await page.evaluate((model) => (location.hash = `playground?model=${model}`), starter);
  await eventually(() => box.inputValue()).toBe(starter);
});

describe('everybody', () => {
  it('can use it: axe-core finds nothing, in light and in dark', async () => {
    const { page } = stage;
    await open(starter, 'echo');
    const found = await violations(page, 'playground empty');
    await options({ 'System prompt': 'Answer in one sentence.', 'Max tokens': '60' });
    await say('# Rivers\n\nThe **Rhine** flows:\n\n1. from the Alps\n2. to the sea\n\n```js\nconst length = 1230;\n```\n\n| river | km |\n|---|---|\n| Rhine | 1230 |\n\n> Panta rhei. [More](https://example.com)');
    await state(answer('echo')).toBe('done');
    await state(answer(starter)).toBe('done');
    found.push(...(await violations(page, 'playground two')));
    await page.setViewportSize({ width: 720, height: 700 });
    found.push(...(await violations(page, 'playground narrow')));
    await page.setViewportSize({ width: 1080, height: 720 });
    await choose('Model', 'breaks');
    await choose('Second model', 'thinker');
    await say('Hello?');
    await state(answer('breaks')).toBe('failed');
    await state(answer('thinker')).toBe('done');
    await answer('thinker').getByRole('button', { name: 'Reasoning' }).click();
    await button('Edit question 1').click();
    found.push(...(await violations(page, 'playground problem')));
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: /^Options/ }).click();
    await page.getByRole('dialog').getByLabel('Temperature').fill('7');
    found.push(...(await violations(page, 'playground options')));
    expect(found).toEqual([]);
  });

  it('reaches all of it by keyboard', async () => {
    const { page } = stage;
    await open('echo', 'thinker');
    await say('```\ncode\n```');
    await state(answer('echo')).toBe('done');
    await state(answer('thinker')).toBe('done');
    expect(await walk(page, 60)).toEqual(
      expect.arrayContaining([
        'Options', 'Model', 'Second model', 'Ask one model', 'Conversation', 'Edit question 1', 'Copy question 1', 'Copy code', 'Code', 'Retry echo',
        'Copy the answer of echo', 'Reasoning', 'Retry thinker', 'Audit record of echo', 'Audit record of thinker', 'Message', 'Save Markdown', 'Save JSON', 'Clear the conversation', 'Playground',
      ]),
    );
    await page.keyboard.press('Control+1');
    await page.getByRole('heading', { level: 2, name: 'Overview' }).waitFor();
    await page.keyboard.press('Control+6');
    await focused(field());
  });

  it.each([
    [1600, 1000],
    [900, 600],
    [720, 600],
    [540, 360],
    [450, 300],
    [420, 800],
  ])('has room in %i by %i, and no text is cut', async (width, height) => {
    const { page } = stage;
    await page.setViewportSize({ width, height });
    await open('echo', starter);
    await options({ 'Max tokens': '32' });
    await say('Name a river. `a-rather-long-name-that-has-no-place-to-break-it-anywhere-in-it-at-all`');
    await state(answer('echo')).toBe('done');
    await state(answer(starter)).toBe('done');
    expect(await cut(page)).toEqual([]);
  });
});
