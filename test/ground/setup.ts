/**
 * One Postgres for the whole run, in a temporary folder, with one migrated
 * template database that every test file clones (`testDatabase`).
 */
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Address of the run's Postgres, as its superuser. */
    readonly postgresUrl: string
  }
}

export const templateDatabase = 'sluice_template'

export async function setup(project: TestProject): Promise<() => Promise<void>> {
  const { generate } = await import('../../prisma/generate.mjs')
  generate()
  const { removeEmbeddedPostgres, startEmbeddedPostgres } = await import('../../src/database/embedded.ts')
  const { migrate } = await import('../../src/database/migrate.ts')
  const { silentLog } = await import('../../src/log.ts')

  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-'))
  await chmod(folder, 0o711)
  const postgres = await startEmbeddedPostgres({ folder, port: 0, log: silentLog, durable: false })
  const stop = async () => {
    await postgres.stop()
    await removeEmbeddedPostgres(folder)
    await rm(folder, { recursive: true, force: true })
  }
  try {
    const template = new URL(postgres.url)
    template.pathname = templateDatabase
    const admin = new pg.Client({ connectionString: postgres.url })
    await admin.connect()
    // Thousands of connections sign in during a run; what makes guessing a password dear would be a hundredth of its time.
    await admin.query('set scram_iterations = 1')
    await admin.query(`alter role current_user password '${template.password}'`)
    await admin.query(`create database ${templateDatabase}`)
    await migrate(template.href)
    // Nobody may connect any more, autovacuum included: a clone needs the template for itself.
    await admin.query(`alter database ${templateDatabase} with is_template true allow_connections false`)
    await admin.query('checkpoint')
    await admin.end()
  } catch (error) {
    await stop()
    throw error
  }
  project.provide('postgresUrl', postgres.url)
  return stop
}
