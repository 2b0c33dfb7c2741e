import { svelte } from '@sveltejs/vite-plugin-svelte';
import tailwindcss from '@tailwindcss/vite';
import { defineConfig } from 'vite';

// All parts on one page, for pictures and tests. It is built apart and never into the program.
export default defineConfig({
  plugins: [svelte(), tailwindcss()],
  build: {
    target: 'safari16',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    outDir: '../build/artifacts/gallery',
    emptyOutDir: true,
    rollupOptions: { input: 'gallery.html' },
  },
});
