import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Type tests: tsc says whether each expectation holds; an unneeded @ts-expect-error fails too.
    typecheck: { enabled: true, include: ['test/types/*.test-d.ts'], tsconfig: 'test/types/tsconfig.json' },
    environment: 'node',
    // Forked processes: the addon's thread pool, environment variables and crashes stay apart per file.
    pool: 'forks',
    // By default one CPU stays idle, of two that is half: most files use one thread most of the time.
    maxWorkers: '100%',
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
