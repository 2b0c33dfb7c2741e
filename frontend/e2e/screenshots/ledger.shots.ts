// Pictures of the ledger, of a month's audit that is made up: nothing here is sent to anybody.
import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { it } from 'vitest';
import { root } from '../support/server';
import { useStage } from '../support/stage';

const img = join(root, 'docs/img');

const stage = useStage({
  prepare: async ({ dir }) => {
    await promisify(execFile)(join(root, 'build/bin/gateway-bench'), ['fill', '--data-dir', dir, '--records', '9000']);
  },
});

it('takes the pictures of the ledger', async () => {
  const { page } = stage;
  await mkdir(img, { recursive: true });
  await page.setViewportSize({ width: 1080, height: 980 });
  await page.evaluate(() => (location.hash = 'ledger'));
  await page.locator('[data-headline]').waitFor();
  await page.locator('[data-chart] svg').waitFor();
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
    await page.screenshot({ path: join(img, `ledger-${colorScheme}.png`), caret: 'hide' });
  }
});
