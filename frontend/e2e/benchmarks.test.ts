// The page of the benchmarks, with results that are really measured: by the engine here, and on a scripted
// provider whose speed is known.
import { copyFile, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Locator } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { binary, Server, starter } from './support/server';
import { eventually, useStage } from './support/stage';
import { leadTo, measure, quick, slow, startUpstream, type Upstream } from './support/upstream';

interface Spread {
  p50: { value: number; low: number; high: number };
  p90: { value: number };
  p99: { value: number };
}
interface Case {
  model: string;
  prompt: { name: string };
  concurrency: number;
  answered: number;
  status: string;
  first_token_ms: Spread;
  inter_token_ms: Spread;
  throughput: { tokens_per_second: number };
  samples?: { first_token_ms: number; gaps_ms: number[] }[];
}
interface Run {
  id: number;
  label: string;
  complete: boolean;
  cases: Case[];
}

let upstream: Upstream;
const stage = useStage({
  prepare: async (server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server);
  },
});
afterAll(() => upstream?.stop());

const runs = async (): Promise<Run[]> => ((await (await stage.server.api('/api/benchmarks')).json()) as { runs: Run[] }).runs;
const labelled = async (label: string): Promise<Run> => {
  const found = (await runs()).find((r) => r.label === label);
  if (!found) throw new Error(`no run is called ${label}`);
  return found;
};
const caseOf = (run: Run, model: string, prompt = 'short', at = 1): Case => {
  const found = run.cases.find((c) => c.model === model && c.prompt.name === prompt && c.concurrency === at);
  if (!found) throw new Error(`${model}, ${prompt}, ${at} was not measured`);
  return found;
};
/** Four digits that count, as the tables write them. */
const digits = (n: number) => n.toFixed(Math.max(0, 4 - Math.max(1, Math.floor(Math.log10(n)) + 1)));

const panel = (title: string): Locator => stage.page.getByRole('region', { name: title, exact: true });
const cells = (title: string): Promise<string[][]> =>
  panel(title).locator('tbody tr').evaluateAll((rows) => rows.map((r) => [...r.querySelectorAll('td')].map((c) => c.textContent ?? '')));
const row = (id: number): Locator => stage.page.locator(`tr[data-run="${id}"]`);

async function open(query = ''): Promise<void> {
  await stage.page.evaluate((to) => (location.hash = to), `benchmarks${query}`);
  await stage.page.getByRole('heading', { level: 2, name: 'Benchmarks' }).waitFor();
}

it('says how to begin when there is nothing yet', async () => {
  await open();
  await stage.page.getByText('No results yet').waitFor();
  await stage.page.getByText('mlx-benchmark suite --save').waitFor();
  await stage.page.getByRole('button', { name: 'Start' }).waitFor();
});

describe('a benchmark from the page', () => {
  it('is measured by the real engine, watched, and shown when it is done', async () => {
    const { page } = stage;
    await open();
    await eventually(() => page.getByRole('combobox', { name: 'Model' }).inputValue()).toBe(starter); // what runs here is proposed
    await page.getByRole('spinbutton', { name: 'Runs' }).fill('2');
    await page.getByRole('spinbutton', { name: 'Tokens' }).fill('3');
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('1');
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('textbox', { name: 'Label', exact: true }).fill('from the page');
    // Both pass, so they are looked out for beforehand.
    await Promise.all([
      page.getByRole('progressbar', { name: 'Progress' }).waitFor(),
      page.getByText(/^\d+ of \d+ requests · /).waitFor(),
      page.getByRole('button', { name: 'Start' }).click(),
    ]);
    await page.getByRole('progressbar').waitFor({ state: 'detached' });

    const run = await labelled('from the page');
    expect(run).toMatchObject({ complete: true, cases: [{ model: starter, concurrency: 1, answered: 2 }] });
    await row(run.id).getByText('complete').waitFor();
    expect(await row(run.id).getByRole('radio').isChecked()).toBe(true);
    const { first_token_ms: first } = caseOf(run, starter);
    await eventually(() => cells('Time to first token')).toEqual([expect.arrayContaining([starter, '2', digits(first.p50.value), digits(first.p90.value)])]);
  });

  it('gets in where API keys are required, leaves no key behind, and takes only the routes that it is told to', async () => {
    const { page } = stage;
    await stage.server.set({ server: { require_api_key: true } });
    const keyless = await fetch(`${stage.server.url}/v1/models`);
    expect(keyless.status).toBe(401);
    await open();
    await eventually(() => page.getByRole('combobox', { name: 'Model' }).inputValue()).toBe(starter);
    await page.getByRole('combobox', { name: 'Model' }).click();
    await page.getByRole('option', { name: 'All models' }).click();
    await page.getByRole('spinbutton', { name: 'Runs' }).fill('2');
    await page.getByRole('spinbutton', { name: 'Tokens' }).fill('3');
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('1');
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('textbox', { name: 'Label', exact: true }).fill('with keys');
    const ways = page.getByRole('group', { name: 'Routes' });
    for (const away of ['OpenAI and compatible', 'Anthropic', 'Several targets', 'MLX', 'llama.cpp']) await ways.getByLabel(away).uncheck();
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').filter({ hasText: 'Routes must be one at least.' }).waitFor();
    await ways.getByLabel('llama.cpp').check();
    await page.getByText('those on this machine').waitFor();
    await Promise.all([page.getByRole('progressbar', { name: 'Progress' }).waitFor(), page.getByRole('button', { name: 'Start' }).click()]);
    await page.getByRole('progressbar').waitFor({ state: 'detached' });

    const run = await labelled('with keys');
    expect(run).toMatchObject({ complete: true, cases: [{ model: starter, concurrency: 1, answered: 2 }] });
    expect(((await (await stage.server.api('/api/keys')).json()) as { keys: unknown[] }).keys).toEqual([]);
    await stage.server.set({ server: { require_api_key: false } });
  });

  it('can be stopped, and keeps what it has measured', async () => {
    const { page } = stage;
    await open();
    await page.getByRole('combobox', { name: 'Model' }).click();
    await page.getByRole('option', { name: slow }).click();
    await page.getByText('goes to a provider, at its price').waitFor();
    await page.getByRole('spinbutton', { name: 'Runs' }).fill('1000');
    await page.getByRole('spinbutton', { name: 'Tokens' }).fill('12');
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('1');
    await page.getByRole('button', { name: 'Start' }).click();
    await eventually(async () => Number(await page.getByRole('progressbar').getAttribute('aria-valuenow'))).toBeGreaterThan(3);
    await page.getByRole('group', { name: 'The benchmark that runs' }).getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('progressbar').waitFor({ state: 'detached' });
    const [newest] = await runs();
    expect(newest?.complete).toBe(false);
    expect(newest?.cases[0]?.answered).toBeGreaterThan(1);
    await row(newest?.id ?? 0).getByText('broken off').waitFor();
  });

  it('says at its field what is wrong', async () => {
    const { page } = stage;
    await open();
    const before = (await runs()).length;
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('one');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByText('Requests at a time must be numbers, such as 1, 2, 4.').waitFor();
    expect(await page.getByRole('textbox', { name: 'Requests at a time' }).getAttribute('aria-invalid')).toBe('true');
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('99');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByText('Requests at a time must be 1 to 64 requests at a time.').waitFor();
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('1');
    await page.getByRole('spinbutton', { name: 'Runs' }).fill('0');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').filter({ hasText: /^Runs / }).waitFor();
    expect((await runs()).length).toBe(before);
  });

  it('cannot be started where mlx-benchmark is missing, and the page says so', async () => {
    const { page } = stage;
    const folder = await mkdtemp(join(tmpdir(), 'mlxbar alone '));
    const alone = join(folder, 'mlxbar');
    await copyFile(binary, alone);
    const server = await Server.make(alone);
    try {
      await server.start();
      await page.goto(server.url);
      await page.getByLabel('Admin token').fill(await server.token());
      await page.keyboard.press('Enter');
      await page.getByRole('link', { name: 'Benchmarks' }).click();
      await eventually(() => page.getByRole('combobox', { name: 'Model' }).inputValue()).toBe(starter);
      await page.getByRole('button', { name: 'Start' }).click();
      await page.getByRole('alert').filter({ hasText: 'mlx-benchmark is not there' }).waitFor();
    } finally {
      await server.remove();
      await rm(folder, { recursive: true });
    }
  });
});

describe('kept benchmarks', () => {
  beforeAll(async () => {
    await measure(stage.server, 'first');
    await measure(stage.server, 'second', ['--max-tokens', '8']);
  });

  it('are charts whose tables have the server’s own figures', async () => {
    const run = await labelled('second');
    await open(`?run=${run.id}`);
    const of = (model: string) => caseOf(run, model);
    await eventually(() => cells('Time to first token')).toHaveLength(2);
    for (const [title, figure] of [['Time to first token', 'first_token_ms'], ['Time between tokens', 'inter_token_ms']] as const) {
      const found = await cells(title);
      for (const [i, model] of [quick, slow].entries()) {
        const { p50, p90, p99 } = of(model)[figure];
        expect(found[i]).toEqual(expect.arrayContaining([model, ...[p50.value, p90.value, p99.value].map(digits)]));
      }
    }
    expect((await cells('Throughput')).map((r) => r.slice(0, 3))).toEqual(
      [quick, slow].flatMap((model) => [1, 2].map((at) => [model, String(at), digits(caseOf(run, model, 'short', at).throughput.tokens_per_second)])),
    );
    const models = await cells('Model against model');
    expect(models.map((r) => r.slice(0, 4))).toEqual([quick, slow].map((m) => [m, ...Object.values(of(m).first_token_ms.p50).map(digits)]));
    const over = await cells('First token over runs');
    expect(over.filter((r) => r[1] === 'second').map((r) => [r[2], r[3]])).toEqual([quick, slow].map((m) => [m, digits(of(m).first_token_ms.p50.value)]));
    expect(over.some((r) => r[1] === 'first')).toBe(true);

    // Another prompt, more at a time: the figures of those.
    await stage.page.getByRole('combobox', { name: 'Prompt', exact: true }).last().selectOption('medium');
    await stage.page.getByRole('combobox', { name: 'At a time', exact: true }).selectOption('2');
    const { p50 } = caseOf(run, slow, 'medium', 2).first_token_ms;
    await eventually(async () => (await cells('Time to first token'))[1]).toEqual(expect.arrayContaining([slow, digits(p50.value)]));
    expect(stage.page.url()).toContain('prompt=medium&at=2');
  });

  it('tell their values to the pointer and to the arrow keys', async () => {
    const { page } = stage;
    const run = await labelled('second');
    await open(`?run=${run.id}`);
    const values = page.getByRole('slider', { name: 'Values of Time to first token' });
    await values.scrollIntoViewIfNeeded();
    const box = (await values.boundingBox()) ?? { x: 0, y: 0, width: 0, height: 0 };
    await page.mouse.move(box.x + box.width / 2, box.y + 24 + (box.height - 60) / 2); // half-way up
    const tip = page.locator('[data-tip="first-token"]');
    await tip.getByText('Half of them within').waitFor();
    expect(await tip.innerText()).toMatch(new RegExp(`${quick}\\s+[\\d.]+ ms`));
    await page.keyboard.press('Escape'); // wherever the focus is
    await tip.waitFor({ state: 'detached' });
    await page.mouse.move(box.x + box.width / 2, box.y + 28); // another place
    await tip.waitFor();
    await page.mouse.move(0, 0);
    await tip.waitFor({ state: 'detached' });

    await values.focus();
    await page.keyboard.press('End');
    await tip.getByText('The slowest').waitFor();
    const slowest = Math.max(...(caseOf(await whole(run.id), slow).samples ?? []).map((s) => s.first_token_ms));
    const said = await values.getAttribute('aria-valuetext');
    const written = slowest >= 99.5 ? Math.round(slowest) : Number(slowest.toPrecision(slowest < 10 ? 2 : 3));
    expect(said).toContain(`${slow} ${slowest >= 999.5 ? `${(slowest / 1000).toPrecision(3)} s` : `${written} ms`}`);
    await page.keyboard.press('ArrowDown');
    await tip.getByText('99 % within').waitFor();
    await page.keyboard.press('Escape');
    await tip.waitFor({ state: 'detached' });
    await page.keyboard.press('ArrowUp');
    await tip.getByText('The slowest').waitFor();
    await page.keyboard.press('Tab');
    await tip.waitFor({ state: 'detached' });

    const through = page.getByRole('slider', { name: 'Values of Throughput' });
    await through.focus();
    await page.keyboard.press('ArrowRight');
    expect(await through.getAttribute('aria-valuetext')).toMatch(new RegExp(`^2 at a time: ${quick} [\\d.]+ tokens/s; ${slow} [\\d.]+ tokens/s$`));
  });

  it('are saved as PNG, SVG and CSV', async () => {
    const { page } = stage;
    await open(`?run=${(await labelled('second')).id}`);
    await eventually(() => cells('Throughput')).toHaveLength(4);
    const save = async (title: string, format: string): Promise<{ name: string; content: Buffer }> => {
      const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: `Export ${title} as ${format}` }).click()]);
      return { name: file.suggestedFilename(), content: await readFile(await file.path()) };
    };
    const png = await save('Throughput', 'PNG');
    expect(png.name).toMatch(/^mlxbar-throughput-\d{4}-\d\d-\d\d\.png$/);
    expect(png.content.subarray(0, 8)).toEqual(Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]));
    const [width, height] = [png.content.readUInt32BE(16), png.content.readUInt32BE(20)];
    expect([width, height > 600 && height < 1200]).toEqual([1520, true]);
    expect(await inks(png.content)).toBeGreaterThan(20); // it is drawn, not blank

    for (const title of ['Throughput', 'Model against model', 'Time between tokens']) {
      const svg = await save(title, 'SVG');
      const parsed = await page.evaluate((text) => {
        const drawn = new DOMParser().parseFromString(text, 'image/svg+xml');
        return { fault: drawn.querySelector('parsererror')?.textContent, root: drawn.documentElement.tagName, words: [...drawn.querySelectorAll('text')].map((t) => t.textContent) };
      }, svg.content.toString());
      expect(parsed).toMatchObject({ root: 'svg' });
      expect(parsed.fault).toBeUndefined();
      expect(parsed.words).toEqual(expect.arrayContaining([title, quick, slow]));
    }

    for (const title of ['Throughput', 'Time to first token', 'Model against model', 'First token over runs']) {
      const { name, content } = await save(title, 'CSV');
      expect(name).toMatch(/\.csv$/);
      const lines = content.toString().trimEnd().split('\r\n').map((line) => line.split(','));
      const head = await panel(title).locator('thead th').allTextContents();
      const written = (all: string[][]) => all.map((r) => r.map((c) => c.replaceAll('"', '')).join(','));
      expect(written(lines)).toEqual(written([head, ...(await cells(title))]));
    }
  });

  it('show their tables instead of the drawing, and nothing moves', async () => {
    const { page } = stage;
    await open(`?run=${(await labelled('second')).id}`);
    await eventually(() => cells('Throughput')).toHaveLength(4);
    const place = () => panel('Throughput').evaluate((e: HTMLElement) => [e.offsetLeft, e.offsetTop, e.clientWidth, e.clientHeight]);
    const before = await place();
    await panel('Throughput').getByRole('button', { name: 'Table' }).click();
    await page.getByRole('cell', { name: slow }).first().waitFor();
    expect(await panel('Throughput').getByRole('columnheader', { name: 'Tokens/s' }).isVisible()).toBe(true);
    expect(await place()).toEqual(before);
    await panel('Throughput').getByRole('button', { name: 'Table' }).click();
    await page.getByRole('slider', { name: 'Values of Throughput' }).waitFor();
  });

  it('are compared, in words too', async () => {
    const { page } = stage;
    const [before, after] = [await labelled('first'), await labelled('second')];
    await open(`?run=${after.id}`);
    await row(before.id).getByRole('checkbox').check();
    const part = panel('Before against after');
    await part.getByText(/(Faster|Slower|Overlapping|Without)/).first().waitFor();
    const [was, now] = [caseOf(before, slow).first_token_ms.p50, caseOf(after, slow).first_token_ms.p50];
    const found = (await cells('Before against after')).find((r) => r[0] === slow && r[1] === 'First token');
    const percent = (100 * (now.value - was.value)) / was.value;
    expect(found?.slice(3, 9)).toEqual([was.value, was.low, was.high, now.value, now.low, now.high].map(digits));
    expect(found?.[9]).toBe(`${percent > 0 ? '+' : ''}${percent.toFixed(1)}`);
    expect(found?.[11]).toBe(was.low <= now.high && now.low <= was.high ? 'overlap' : 'apart');
    // A shorter answer is there sooner, and nothing else makes so much of a difference.
    const total = (await cells('Before against after')).find((r) => r[0] === slow && r[1] === 'Whole answer');
    expect(total?.[10]).toMatch(/faster|slower|same/);
    await page.getByText('since first: tokens 12 → 8').waitFor();
    await eventually(async () => (await cells('Time to first token')).map((r) => r.slice(0, 2))).toEqual([['after', quick], ['after', slow], ['before', quick], ['before', slow]]);
    await page.getByRole('button', { name: 'Stop comparing' }).click();
    await page.getByRole('button', { name: 'Compare with the run before' }).first().waitFor();
  });

  it('are given another name, deleted, and had back', async () => {
    const { page } = stage;
    const run = await labelled('first');
    await open();
    const field = row(run.id).getByRole('textbox');
    await field.fill('the very first');
    await page.keyboard.press('Enter');
    await eventually(async () => (await runs()).find((r) => r.id === run.id)?.label).toBe('the very first');
    await row(run.id).getByRole('button', { name: 'Delete the very first' }).waitFor(); // the page has heard of it, too
    await field.fill('x'.repeat(81));
    await page.keyboard.press('Enter');
    await page.getByText('Not renamed: the label is longer than 80 characters.').waitFor();
    expect([await field.inputValue(), await field.getAttribute('aria-invalid')]).toEqual(['x'.repeat(81), 'true']); // to be put right
    await field.focus();
    const again = page.waitForRequest((request) => request.method() === 'PATCH');
    await page.keyboard.press('Enter'); // for what was wrong may be over
    await again;
    await field.focus();
    await page.keyboard.press('Escape');
    expect([await field.inputValue(), await field.getAttribute('aria-invalid')]).toEqual(['the very first', 'false']);

    // What is typed while an answer is awaited stays.
    let answer = () => {};
    const held = new Promise<void>((resolve) => (answer = resolve));
    await page.route(`**/api/benchmarks/${run.id}`, async (route) => {
      if (route.request().method() === 'PATCH') await held;
      await route.continue();
    });
    await field.fill('one');
    await page.keyboard.press('Enter');
    await field.fill('two');
    answer();
    await eventually(async () => (await runs()).find((r) => r.id === run.id)?.label).toBe('one');
    await row(run.id).getByRole('button', { name: 'Delete one' }).waitFor();
    expect(await field.inputValue()).toBe('two');
    await page.unroute(`**/api/benchmarks/${run.id}`);
    await field.fill('first');
    await page.keyboard.press('Enter');
    await eventually(async () => (await runs()).find((r) => r.id === run.id)?.label).toBe('first');

    await row(run.id).getByRole('button', { name: 'Delete first' }).click();
    await row(run.id).waitFor({ state: 'detached' });
    expect((await runs()).some((r) => r.id === run.id)).toBe(false);
    await page.getByRole('button', { name: 'Undo' }).click();
    await row(run.id).waitFor();
    expect((await runs()).some((r) => r.id === run.id)).toBe(true);
  });

  it('leave as results.json, and come in as such; a broken file is refused with what is wrong', async () => {
    const { page } = stage;
    const run = await labelled('first');
    await open();
    const [file] = await Promise.all([page.waitForEvent('download'), row(run.id).getByRole('button', { name: 'Export first' }).click()]);
    expect(file.suggestedFilename()).toMatch(/^mlx-benchmark-.*\.json$/);
    const text = await readFile(await file.path(), 'utf8');
    expect(text).toBe(await (await stage.server.api(`/api/benchmarks/${run.id}`)).text());

    const take = (name: string, content: string) => page.locator('input[type=file]').setInputFiles({ name, mimeType: 'application/json', buffer: Buffer.from(content) });
    await take('again.json', text);
    await page.getByText('again.json is here already.').waitFor();
    await take('other.json', text.replace(/"started_at":\s*"[^"]*"/, '"started_at": "2026-01-01T11:30:00Z"'));
    await page.getByText('Imported other.json.').waitFor();
    await page.getByText(/^1 Jan /).first().waitFor(); // by its day in this place
    const count = (await runs()).length;
    await take('half.json', text.slice(0, 500));
    await page.getByText(/^half\.json was not imported: \S+/).waitFor();
    await take('strange.json', '{"format":"something else"}');
    await page.getByText(/^strange\.json was not imported: .*no results file of mlx-benchmark/).waitFor();
    await take('next.json', text.replace(/"version":\s*1\b/, '"version": 99'));
    await page.getByText(/^next\.json was not imported: .*99/).waitFor();
    expect((await runs()).length).toBe(count);
  });

  it('stay in sight when the server stops, and nothing can be started', async () => {
    const { page, server } = stage;
    await open(`?run=${(await labelled('second')).id}`);
    await eventually(() => cells('Throughput')).toHaveLength(4);
    await server.stop();
    await page.getByText('The server is stopped').waitFor();
    expect(await cells('Throughput')).toHaveLength(4);
    for (const name of ['Start', 'Import…']) expect(await page.getByRole('button', { name }).getAttribute('aria-disabled')).toBe('true');
    await server.start();
  });
});

const whole = async (id: number): Promise<Run> => (await (await stage.server.api(`/api/benchmarks/${id}`)).json()) as Run;

/** How many colours a picture has. */
async function inks(png: Buffer): Promise<number> {
  return stage.page.evaluate(async (base64) => {
    const image = new Image();
    image.src = `data:image/png;base64,${base64}`;
    await image.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext('2d');
    if (!context) return 0;
    context.drawImage(image, 0, 0);
    const { data } = context.getImageData(0, 0, image.width, image.height);
    const found = new Set<number>();
    for (let i = 0; i < data.length; i += 4) found.add(((data[i] ?? 0) << 16) | ((data[i + 1] ?? 0) << 8) | (data[i + 2] ?? 0));
    return found.size;
  }, png.toString('base64'));
}
