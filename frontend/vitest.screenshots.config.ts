import { defineConfig } from 'vitest/config';

// Not a test: it takes the pictures of README and docs (`make screenshots`).
export default defineConfig({
  test: { include: ['e2e/screenshots/*.shots.ts'], testTimeout: 600_000, hookTimeout: 600_000, fileParallelism: false },
});
