import { defineConfig } from 'vitest/config';

// What only Linux has, a keychain that a test may have for itself among it, is tested there.
const exclude = process.platform === 'linux' ? [] : ['e2e/**/*.linux.test.ts'];

// One browser and one server for all of it, so one file at a time. The times bound a failing test and are no measure of speed:
// the million records alone take minutes to be written beside other work.
export default defineConfig({
  test: { include: ['e2e/**/*.test.ts'], exclude, testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false },
});
