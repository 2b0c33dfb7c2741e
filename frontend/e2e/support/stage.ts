// A server, a browser and a fresh page for every test of a file.
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser, BrowserContext, Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import { launch } from './browser';
import { root, Server } from './server';

/** Bounds a failing test; it is no measure of speed. */
export const patience = 180_000;

export const artifacts = join(root, 'build/artifacts/pages');

export class Stage {
  server!: Server;
  browser!: Browser;
  context!: BrowserContext;
  page!: Page;
  /** What no page may do: throw, or break the content security policy. */
  readonly wrongs: string[] = [];

  async open(): Promise<void> {
    this.context = await this.browser.newContext({ viewport: { width: 1080, height: 720 }, colorScheme: 'light', timezoneId: atNoon() });
    this.context.setDefaultTimeout(patience);
    await this.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: this.server.url });
    this.page = await this.context.newPage();
    this.page.on('pageerror', (error) => this.wrongs.push(String(error)));
    this.page.on('console', (message) => {
      if (/Content Security Policy/.test(message.text())) this.wrongs.push(message.text());
    });
    await this.page.goto(this.server.url);
  }

  async login(): Promise<void> {
    await this.page.getByLabel('Admin token').fill(await this.server.token());
    await this.page.keyboard.press('Enter');
    await this.page.locator('main header').getByRole('button', { name: 'Stop' }).waitFor();
  }

  /** Puts a question to a model through the page. */
  async ask(question: string, model?: string): Promise<void> {
    if (model) await this.page.getByLabel('Model', { exact: true }).selectOption(model);
    await this.page.getByLabel('Question').fill(question);
    await this.page.keyboard.press('Enter');
  }

  /** Waits until an answer has begun to come and has so many characters. */
  async streamed(characters: number): Promise<void> {
    await this.page.getByText('first token after').waitFor();
    await eventually(async () => (await this.answer().innerText()).length).toBeGreaterThan(characters);
  }

  answer(): Locator {
    return this.page.getByRole('region', { name: 'Answer' });
  }

  /** The row of a request in the table. */
  row(requestId: string): Locator {
    return this.page.locator(`tr[data-request="${requestId}"]`);
  }

  /** The newest record of the audit, as the server tells it. */
  async newest(): Promise<Record<string, string | number | null>> {
    const page = (await (await this.server.api('/api/audit?limit=1')).json()) as { records: Record<string, string | number | null>[] };
    return page.records[0] ?? {};
  }

  /** The newest record once its request has ended, which is a moment after its answer has come. */
  async ended(): Promise<Record<string, string | number | null>> {
    await eventually(async () => (await this.newest()).status).not.toBe('running');
    return this.newest();
  }
}

/** Sets the stage for a file's tests. With login, every test begins on the overview. */
export function useStage({ login = true, prepare = async (_: Server): Promise<void> => undefined } = {}): Stage {
  const stage = new Stage();
  beforeAll(async () => {
    await mkdir(artifacts, { recursive: true });
    stage.server = await Server.make();
    await prepare(stage.server); // what the server shall find in its data folder
    await stage.server.start();
    stage.browser = await launch();
  });
  beforeEach(async () => {
    stage.wrongs.length = 0;
    await stage.open();
    if (login) await stage.login();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state === 'fail') {
      await stage.page.screenshot({ path: join(artifacts, `failed ${task.name.replace(/[^\w ]+/g, '')}.png`) });
    }
    await stage.context.close();
    expect(stage.wrongs).toEqual([]);
  });
  afterAll(async () => {
    await stage.browser?.close();
    await stage.server?.remove();
  });
  return stage;
}

/** A time zone in which no midnight is near: what a test does stands on one day. */
function atNoon(): string {
  const east = 12 - new Date().getUTCHours();
  return `Etc/GMT${east > 0 ? '-' : '+'}${Math.abs(east)}`; // so they are called, the wrong way round
}

/** Waits until look gives a value that the matcher takes. */
export const eventually = <T>(look: () => T | Promise<T>) => expect.poll(look, { timeout: patience, interval: 50 });

/** What something says of itself, to be waited for. */
export const state = (of: Locator) => eventually(() => of.getAttribute('data-state'));
