// The browser that is installed. Playwright's own download is not used.
import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  '/Applications/Chromium.app/Contents/MacOS/Chromium',
];

export function launch(): Promise<Browser> {
  const executablePath = process.env.CHROME || places.find(existsSync);
  if (!executablePath) throw new Error('no Chromium or Chrome is installed: run make setup, or name one in CHROME');
  // Without its sandbox, which neither root nor most containers can have; it only visits our own pages.
  // And with time to start beside all that a busy machine does.
  return chromium.launch({ executablePath, chromiumSandbox: false, timeout: 150_000 });
}
