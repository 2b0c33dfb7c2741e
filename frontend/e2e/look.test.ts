// The pages' look, told so that other fonts do not matter: where the large parts stand and how wide they are,
// and in which colours. UPDATE=1 writes look.json anew.
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Server } from './support/server';
import { useStage } from './support/stage';
import { leadTo, measure, startUpstream, type Upstream } from './support/upstream';

type Box = [name: string, left: number, width: number];
type Look = Record<string, { boxes: Box[]; colours: Record<'light' | 'dark', Record<string, string>> }>;

const file = fileURLToPath(new URL('./look.json', import.meta.url));
const known = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Look;
const tolerance = 12; // pixels: a letter is wider in one font than in another
let upstream: Upstream;
const stage = useStage({
  login: false,
  prepare: async (server: Server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server);
  },
});

beforeAll(async () => {
  await stage.server.briefly();
  await measure(stage.server, '', ['--runs', '2']);
});
afterAll(() => upstream?.stop());

const boxes = () =>
  stage.page.evaluate(() => {
    const found: [string, number, number][] = [];
    const add = (name: string, e: Element) => {
      const { left, width } = e.getBoundingClientRect();
      if (width > 0) found.push([name, Math.round(left), Math.round(width)]);
    };
    for (const e of document.querySelectorAll('main, main > div, #app > div > header')) add(e.tagName.toLowerCase(), e);
    for (const e of document.querySelectorAll('main section')) add(`section ${(e.querySelector('h3')?.textContent ?? '').replace(/\d\d:\d\d:\d\d/, 'run')}`, e);
    for (const e of document.querySelectorAll('main [data-spot] input:not([type=radio]), main textarea')) {
      const label = e.getAttribute('aria-label') ?? (e as HTMLInputElement).labels?.[0]?.textContent ?? '';
      if (!e.closest('[aria-labelledby] [role=region], dl')) add(`field ${label.trim()}`, e);
    }
    return found;
  });

const colours = () =>
  stage.page.evaluate(() => {
    const of = (selector: string, property: 'color' | 'backgroundColor') => {
      const e = document.querySelector(selector);
      return e ? getComputedStyle(e)[property] : 'nothing there';
    };
    return {
      page: of('body', 'backgroundColor'),
      side: of('#app > div > header', 'backgroundColor'),
      panel: of('main section', 'backgroundColor'),
      text: of('main h2', 'color'),
    };
  });

it.each([
  ['overview', 1080, 720],
  ['settings', 1080, 720],
  ['overview', 900, 600],
  ['settings', 900, 600],
  ['settings', 420, 800],
  ['benchmarks', 1080, 720],
  ['benchmarks', 900, 600],
  ['benchmarks', 420, 800],
] as const)('the %s at %i by %i looks as it did', async (hash, width, height) => {
  const { page } = stage;
  await page.setViewportSize({ width, height });
  await stage.login();
  await page.evaluate((to) => (location.hash = to), hash);
  if (hash === 'settings') await page.getByRole('slider', { name: 'Chat' }).waitFor();
  if (hash === 'benchmarks') await page.getByRole('slider', { name: 'Values of Time between tokens' }).waitFor();
  else await page.getByRole('columnheader', { name: /^Tokens/ }).first().waitFor();
  const now: Look[string] = { boxes: await boxes(), colours: { light: await colours(), dark: {} } };
  await page.emulateMedia({ colorScheme: 'dark' });
  now.colours.dark = await colours();

  const name = `${hash} ${width}x${height}`;
  if (process.env.UPDATE) {
    known[name] = now;
    await writeFile(file, `${JSON.stringify(known, null, 1).replace(/\[\s+("[^"]*"),\s+(-?\d+),\s+(-?\d+)\s+\]/g, '[$1, $2, $3]')}\n`);
    return;
  }
  const before = known[name];
  expect(before, 'look.json knows this page').toBeDefined();
  expect(now.colours).toEqual(before?.colours);
  expect(now.boxes.map(([n]) => n)).toEqual(before?.boxes.map(([n]) => n));
  const moved = now.boxes.filter(([, left, wide], i) => {
    const [, wasLeft = 0, wasWide = 0] = before?.boxes[i] ?? [];
    return Math.abs(left - wasLeft) > tolerance || Math.abs(wide - wasWide) > tolerance;
  });
  expect(moved).toEqual([]);
});
