import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Type tests: tsc says whether each expectation holds; an unneeded @ts-expect-error fails too.
    typecheck: { enabled: true, include: ['test/types/*.test-d.ts'], tsconfig: 'test/types/tsconfig.json' },
    environment: 'node',
    // Forked processes: the addon's thread pool, environment variables and crashes stay apart per file.
    pool: 'forks',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
