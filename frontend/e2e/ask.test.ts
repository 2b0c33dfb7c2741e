import { expect, it } from 'vitest';
import { starter, unreachable } from './support/server';
import { eventually, useStage } from './support/stage';

const stage = useStage();
const story = 'Write a long story about a river.';

it('streams an answer and shows its request live, then with status, duration and tokens', async () => {
  const { page } = stage;
  await stage.ask('What is the capital of France? Answer in one word.');
  await page.locator('tr').filter({ hasText: 'running' }).waitFor();
  await page.getByText('first token after').waitFor();
  await page.getByRole('button', { name: 'Ask' }).waitFor(); // it is Stop while an answer comes
  expect((await stage.answer().innerText()).trim()).not.toBe('');

  const record = await stage.ended();
  expect(record).toMatchObject({ model: starter, backend: 'LOCAL', status: 'success', stream: true });
  const cells = stage.row(String(record.request_id)).locator('td');
  await eventually(() => cells.nth(5).innerText()).toBe('success');
  expect(await cells.nth(1).innerText()).toBe(starter);
  expect(await cells.nth(2).innerText()).toBe('LOCAL');
  expect(await cells.nth(3).innerText()).toBe('/v1/chat/completions');
  expect(await cells.nth(4).innerText()).toMatch(/^\d+(\.\d)? (ms|s)$/);
  expect(await cells.nth(6).innerText()).toBe(String(record.total_tokens));
  await page.getByText('Ready · ').waitFor(); // the loaded model
});

it('cancels an answer in its middle, and does not ask anew', async () => {
  const { page } = stage;
  await stage.ask(story);
  await stage.streamed(20);
  await page.getByRole('button', { name: 'Stop' }).last().click();
  await page.getByText('· stopped').waitFor();
  const text = await stage.answer().innerText();

  await eventually(async () => (await stage.newest()).status).toBe('cancelled');
  const record = await stage.newest();
  await eventually(() => stage.row(String(record.request_id)).locator('td').nth(5).innerText()).toBe('cancelled');
  expect(await stage.answer().innerText()).toBe(text);
  expect((await stage.newest()).request_id).toBe(record.request_id);
});

it('says why a question got no answer, and shows the request as an error', async () => {
  const { page } = stage;
  await stage.ask('Hello?', unreachable);
  await stage.answer().getByRole('alert').waitFor();
  expect(await stage.answer().innerText()).toContain('gone');
  const record = await stage.ended();
  expect(record).toMatchObject({ model: unreachable, backend: 'OPENAI', status: 'error' });
  await eventually(() => stage.row(String(record.request_id)).locator('td').nth(5).innerText()).toBe('error');

  await stage.ask('And you?', starter); // the next question is not held up by it
  await page.getByText('first token after').waitFor();
  expect(await page.getByRole('alert').count()).toBe(0);
});

it("shows another program's request without being asked to", async () => {
  const { page } = stage;
  await page.getByLabel('Model', { exact: true }).waitFor();
  const response = await fetch(`${stage.server.url}/v1/embeddings`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', 'User-Agent': 'an-editor/1.0' },
    body: JSON.stringify({ model: starter, input: 'Hello' }),
  });
  expect(response.status).toBe(200);
  const cells = stage.row(String(response.headers.get('x-request-id'))).locator('td');
  await eventually(() => cells.nth(5).innerText()).toBe('success');
  expect(await cells.nth(1).getAttribute('title')).toContain('an-editor');
});

it('keeps everything in its place while an answer comes', async () => {
  const { page } = stage;
  const places = () =>
    page.locator('h2, h3, textarea, th, header button, form button').evaluateAll((all) =>
      all.map((e) => {
        const { x, y } = e.getBoundingClientRect();
        return `${e.textContent?.trim()} ${Math.round(x)} ${Math.round(y)}`.replace(/^Stop (Ask|Stop) /, 'Ask or Stop ');
      }),
    );
  await page.getByRole('columnheader', { name: 'Tokens' }).waitFor();
  const before = await places();
  await stage.ask(story, starter);
  await stage.streamed(200);
  expect(await places()).toEqual(before);
  await page.keyboard.press('Escape');
  await page.getByText('· stopped').waitFor();
  await eventually(async () => (await stage.newest()).status).toBe('cancelled');
  expect(await places()).toEqual(before);
});

it('writes neither question nor answer into the audit', async () => {
  const { page } = stage;
  await stage.ask('Say xylophone.', starter);
  await page.getByText('first token after').waitFor();
  await page.keyboard.press('Escape');
  await eventually(async () => (await stage.newest()).status).not.toBe('running');
  const exported = await (await stage.server.api('/api/audit/export?format=jsonl')).text();
  expect(exported).toContain(starter);
  expect(exported.toLowerCase()).not.toContain('xylophone');
});
