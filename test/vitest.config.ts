import path from 'node:path'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  root: path.resolve(import.meta.dirname, '..'),
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts'],
    globalSetup: ['test/ground/setup.ts'],
    // One file a process, two at a time: the parts under test (Postgres, Deno, sockets) need the other core.
    pool: 'forks',
    maxWorkers: Number(process.env.TEST_WORKERS ?? 2),
    testTimeout: 20_000,
    hookTimeout: 60_000,
  },
})
