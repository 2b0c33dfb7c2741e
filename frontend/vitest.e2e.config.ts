import { defineConfig } from 'vitest/config';

// One browser and one server for all of it, so one file at a time.
export default defineConfig({
  test: { include: ['e2e/**/*.test.ts'], testTimeout: 600_000, hookTimeout: 180_000, fileParallelism: false },
});
