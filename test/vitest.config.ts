import path from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: path.resolve(import.meta.dirname, '..'),
  // graphql 16 ships two builds; Node itself takes "main", and two copies in one process refuse each other's schemas.
  resolve: {
    alias: [{ find: /^graphql$/, replacement: path.resolve(import.meta.dirname, '../node_modules/graphql/index.js') }],
  },
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/ground/setup.ts'],
    // One file a process, two at a time: the parts under test (Postgres, Deno, sockets) need the other core.
    pool: 'forks',
    maxWorkers: Number(process.env.TEST_WORKERS ?? 2),
    // Deadlines for what never comes: nothing may depend on being fast, and on a busy machine all takes ten times as long.
    testTimeout: 60_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 30_000, interval: 20 } },
  },
})
