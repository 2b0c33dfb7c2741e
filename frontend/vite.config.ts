import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vitest/config';

// `npm run dev` shows the pages of a server that runs already, in a browser.
const server = process.env.MLXBAR_URL ?? 'http://127.0.0.1:10242';
const paths = ['/api', '/v1', '/healthz', '/readyz', '/problems'];

export default defineConfig({
  plugins: [svelte(), tailwindcss()],
  build: {
    target: 'safari16', // WebKitGTK 2.40 and the webview of macOS 13
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0, // the content security policy knows files only
  },
  server: {
    proxy: Object.fromEntries(paths.map((path) => [path, { target: server, changeOrigin: true, headers: { origin: server } }])),
  },
  // The time bounds a failing test; it is no measure of speed.
  test: { include: ['src/**/*.test.ts'], testTimeout: 60_000, hookTimeout: 60_000 },
});
