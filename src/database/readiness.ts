/** Whether a process can work: its database answers, has all migrations that this version knows, and what else it needs. */
import type pg from 'pg'
import type { ReadinessReport } from '../metrics.ts'
import { migrationNames } from './migrate.ts'

export interface ReadinessOptions {
  readonly pool: pg.Pool
  /** What else must be so, by name. Each is asked at once and may not wait. */
  readonly checks?: Readonly<Record<string, () => boolean>>
  /** An answer is given to all who ask for so long: anybody may ask, and each look is a statement. @default 1000 */
  readonly keptMs?: number
  /** So long the database may take. @default 2000 */
  readonly patienceMs?: number
}

/**
 * @example
 * const ready = await createReadiness({ pool, checks: { change_feed: () => feed.progress.silentMs < 10_000 } })
 * (await ready()).ready
 */
export async function createReadiness({
  pool,
  checks = {},
  keptMs = 1000,
  patienceMs = 2000,
}: ReadinessOptions): Promise<() => Promise<ReadinessReport>> {
  const migrations = await migrationNames()
  let asked = Number.NEGATIVE_INFINITY
  let asking: Promise<boolean | undefined> | null = null
  let answer: Promise<boolean | undefined> = Promise.resolve(undefined)

  const look = () => {
    asked = performance.now()
    // A look that hangs is waited for by all who ask: they do not pile up behind it.
    asking ??= isMigrated(pool, migrations)
      .catch(() => undefined)
      .finally(() => {
        asking = null
      })
    answer = Promise.race([asking, afterMs(patienceMs)])
  }

  return async () => {
    if (performance.now() - asked > keptMs) look()
    const migrated = await answer
    const found: Record<string, boolean> = { database: migrated !== undefined, migrations: migrated === true }
    for (const [name, check] of Object.entries(checks)) found[name] = check()
    const entries = Object.entries(found).map(([name, isSo]) => [name, isSo ? 'ok' : 'failed'] as const)
    return { ready: Object.values(found).every(Boolean), checks: Object.fromEntries(entries) }
  }
}

/** Migrations of a newer version do not matter: while it is rolled out, both run. */
async function isMigrated(pool: pg.Pool, names: readonly string[]): Promise<boolean> {
  const { rows } = await pool.query<{ applied: number }>(
    `select count(distinct migration_name)::int as applied from _prisma_migrations
      where finished_at is not null and rolled_back_at is null and migration_name = any($1)`,
    [names],
  )
  return rows[0]?.applied === names.length
}

function afterMs(ms: number): Promise<undefined> {
  return new Promise((resolve) => setTimeout(() => resolve(undefined), ms).unref())
}
