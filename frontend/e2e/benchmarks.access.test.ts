// The benchmarks page for those who do not use a mouse, do not see the screen, or have little room.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { violations } from './support/axe';
import { walk } from './support/keyboard';
import { cut } from './support/layout';
import { Server } from './support/server';
import { eventually, useStage } from './support/stage';
import { leadTo, measure, quick, startUpstream, type Upstream } from './support/upstream';

let upstream: Upstream;
const stage = useStage({
  login: false,
  prepare: async (server: Server) => {
    upstream = await startUpstream();
    await leadTo(upstream, server);
  },
});
afterAll(() => upstream?.stop());

/** Opens the page with two runs held against each other, so that all of it is there. */
async function compared(): Promise<void> {
  const { page } = stage;
  await page.evaluate(() => (location.hash = 'benchmarks'));
  await page.getByRole('button', { name: 'Compare with the run before' }).first().click();
  await page.getByRole('slider', { name: 'Values of Before against after' }).waitFor();
  await page.getByRole('slider', { name: 'Values of Time between tokens' }).waitFor();
}

it('has nothing that axe-core finds wrong while it is empty', async () => {
  const { page } = stage;
  await stage.login();
  await page.evaluate(() => (location.hash = 'benchmarks'));
  await page.getByText('No results yet').waitFor();
  expect(await violations(page, 'benchmarks empty')).toEqual([]);
});

describe('with results', () => {
  beforeAll(async () => {
    await measure(stage.server, 'first');
    await measure(stage.server, '');
  });

  it('has nothing that axe-core finds wrong, with tables and messages too, in light and in dark', async () => {
    const { page } = stage;
    await stage.login();
    await compared();
    const found = await violations(page, 'benchmarks');
    for (const title of ['Time to first token', 'Model against model']) await page.getByRole('region', { name: title, exact: true }).getByRole('button', { name: 'Table' }).click();
    await page.getByRole('button', { name: 'More' }).click();
    await page.getByRole('textbox', { name: 'Requests at a time' }).fill('none');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.getByRole('alert').first().waitFor();
    await page.getByRole('slider', { name: 'Values of Throughput' }).focus();
    found.push(...(await violations(page, 'benchmarks tables')));
    expect(found).toEqual([]);
  });

  it('is all reached by the keyboard', async () => {
    const { page } = stage;
    await stage.login();
    await compared();
    expect(await walk(page, 120)).toEqual(
      expect.arrayContaining([
        'Model', 'Prompt', 'Runs', 'Tokens', 'Requests at a time', 'Start', 'Import…', 'Table of the runs', 'Compare with first', 'Export first', 'Delete first',
        'Stop comparing', 'Values of Time to first token', 'Values of Throughput', 'Values of Model against model', 'Values of Before against after',
        'Values of Generation over runs', 'Export Time between tokens as PNG', 'Export Throughput as CSV',
      ]),
    );
  });

  it('goes by with the palette and the keys of the side', async () => {
    const { page } = stage;
    await stage.login();
    await page.keyboard.press('Control+4');
    await page.getByRole('heading', { level: 2, name: 'Benchmarks' }).waitFor();
    await page.keyboard.press('Control+1');
    await page.getByRole('heading', { level: 2, name: 'Overview' }).waitFor();
    await page.keyboard.press('Control+k');
    await page.keyboard.type('bench');
    await eventually(() => page.locator('[role=option][aria-selected=true]').innerText()).toBe('Benchmarks');
    await page.keyboard.press('Enter');
    await page.getByText(quick).first().waitFor();
  });

  it.each([
    [1600, 1000],
    [900, 600], // the window's smallest size
    [540, 360], // 1080 by 720 at 200 %
    [450, 300], // 900 by 600 at 200 %
    [420, 800],
  ])('fits into %i by %i, and cuts no text', async (width, height) => {
    const { page } = stage;
    await page.setViewportSize({ width, height });
    await stage.login();
    await compared();
    await page.getByRole('button', { name: 'More' }).click();
    expect(await cut(page)).toEqual([]);
    const over = await page.evaluate(() =>
      [...document.querySelectorAll('body, main, section, header, nav')]
        .filter((e) => e.scrollWidth > e.clientWidth + 1)
        .map((e) => `${e.tagName} ${e.querySelector('h3')?.textContent ?? ''} ${e.scrollWidth} in ${e.clientWidth}`),
    );
    expect(over).toEqual([]);
    // What is drawn stays in its panel, too.
    const out = await page.evaluate(() =>
      [...document.querySelectorAll<SVGElement>('[data-chart] > svg *')]
        .filter((e) => {
          const [box, panel] = [e.getBoundingClientRect(), e.closest('section')?.getBoundingClientRect()];
          return panel && (box.left < panel.left || box.right > panel.right + 1 || box.bottom > panel.bottom + 1);
        })
        .map((e) => `${e.closest('[data-chart]')?.getAttribute('data-chart')} ${e.textContent || e.outerHTML.slice(0, 80)}`),
    );
    expect(out).toEqual([]);
  });
});
