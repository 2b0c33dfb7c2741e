import { defineConfig } from 'vitest/config';

// What only Linux has, a keychain that a test may have for itself among it, is tested there.
const exclude = process.platform === 'linux' ? [] : ['e2e/**/*.linux.test.ts'];

// One browser and one server for all of it, so one file at a time.
export default defineConfig({
  test: { include: ['e2e/**/*.test.ts'], exclude, testTimeout: 600_000, hookTimeout: 180_000, fileParallelism: false },
});
