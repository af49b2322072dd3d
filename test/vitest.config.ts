import path from 'node:path'
import { defineConfig } from 'vitest/config'

/**
 * Tests that change or measure the whole process: its environment, its folder, its memory, its code of exit; or take a
 * browser, which wants memory of its own.
 */
const apart = [
  'src/cli/egress.test.ts',
  'src/connectors/sandbox/hostile.test.ts',
  'src/connectors/sandbox/pool.test.ts',
  'src/files/store.test.ts',
  'test/connectors/guide.test.ts',
  'test/console/**/*.test.ts',
  'test/live-survival.test.ts',
]

export default defineConfig({
  root: path.resolve(import.meta.dirname, '..'),
  // graphql 16 ships two builds; Node itself takes "main", and two copies in one process refuse each other's schemas.
  resolve: {
    alias: [{ find: /^graphql$/, replacement: path.resolve(import.meta.dirname, '../node_modules/graphql/index.js') }],
  },
  test: {
    globalSetup: ['test/ground/setup.ts'],
    // Two processes at a time: the parts under test (Postgres, Deno, sockets) need the other core.
    pool: 'forks',
    maxWorkers: Number(process.env.TEST_WORKERS ?? 2),
    // What a process compiles of the packages, the next one reads: 0.5 s of a core for a file that has its own.
    env: { NODE_COMPILE_CACHE: path.resolve(import.meta.dirname, '../node_modules/.cache/sluice') },
    // Deadlines for what never comes: nothing may depend on being fast, and on a busy machine all takes ten times as long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
    // A file in a process of its own spends 2 s of a core on loading the gateway and running it cold, as much as on its
    // tests. So processes take one file after the other, but for those that need one to themselves.
    projects: [
      { extends: true, test: { name: 'apart', include: apart, isolate: true, sequence: { groupOrder: 1 } } },
      {
        extends: true,
        test: {
          name: 'shared',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: ['**/node_modules/**', ...apart],
          isolate: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
})
