// What a browser has to fetch before the pages stand there.
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { root } from './support/server';

const dist = join(root, 'frontend/dist');
const later = /^(plot|Benchmarks|Playground)-/; // they come when they are needed: charts, and what reads Markdown

async function assets(): Promise<{ name: string; text: string }[]> {
  const names = await readdir(join(dist, 'assets')).catch(() => {
    throw new Error('the pages are not built: run make setup');
  });
  return Promise.all(names.filter((n) => /\.(js|css)$/.test(n)).map(async (name) => ({ name, text: await readFile(join(dist, 'assets', name), 'utf8') })));
}

it('is at most 200 kB of scripts and styles, gzipped, without what comes later', async () => {
  const all = await assets();
  expect(all.filter(({ name }) => later.test(name)).length).toBeGreaterThan(0);
  const rest = all.filter(({ name }) => !later.test(name));
  expect(rest.some(({ name }) => name.endsWith('.js')) && rest.some(({ name }) => name.endsWith('.css'))).toBe(true);
  expect(rest.reduce((sum, { text }) => sum + gzipSync(text).length, 0)).toBeLessThanOrEqual(200_000);
});

it('does not wait for what comes later', async () => {
  expect(await readFile(join(dist, 'index.html'), 'utf8')).not.toMatch(/(plot|Benchmarks|Playground)-/);
  for (const { name, text } of await assets()) expect(text, name).not.toMatch(/(from|import)\s*"\.\/(plot|Benchmarks|Playground)-/);
});

it('has no parts of the gallery', async () => {
  for (const { name, text } of await assets()) expect(text, name).not.toContain('data-part');
});
