/** Command `keys reseal`: another SLUICE_SECRET_KEY for an installation that has one. */
import { randomBytes } from 'node:crypto'
import type pg from 'pg'
import { auditKeyPurpose } from '../access/audit-keys.ts'
import { createSealer, type Sealer } from '../access/seal.ts'
import { tokenKeyPurpose } from '../access/signing-keys.ts'
import { secretKey } from '../config.ts'
import { settingsPurpose } from '../connectors/call.ts'
import { inboundSecretPurpose } from '../connectors/inbound-secrets.ts'
import { headersPurpose as inboundHeadersPurpose } from '../connectors/two-phase.ts'
import { type Database, inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { webhookHeadersPurpose } from '../webhooks/headers.ts'
import { webhookSecretPurpose } from '../webhooks/secrets.ts'
import { webhookKeyPurpose } from '../webhooks/signing-keys.ts'

/** What is sealed, where, and for which purpose. A test holds it to the columns of the database. */
export const sealedColumns = [
  { table: 'signing_keys', key: 'kid', column: 'sealed', where: `use = 'token'`, purpose: tokenKeyPurpose },
  { table: 'signing_keys', key: 'kid', column: 'sealed', where: `use = 'audit'`, purpose: auditKeyPurpose },
  { table: 'signing_keys', key: 'kid', column: 'sealed', where: `use = 'webhook'`, purpose: webhookKeyPurpose },
  { table: 'webhook_secrets', key: 'id', column: 'sealed', where: 'true', purpose: webhookSecretPurpose },
  { table: 'webhooks', key: 'id', column: 'sealed_headers', where: 'true', purpose: webhookHeadersPurpose },
  { table: 'connections', key: 'id', column: 'sealed_settings', where: 'true', purpose: settingsPurpose },
  { table: 'inbound_secrets', key: 'id', column: 'sealed', where: 'true', purpose: inboundSecretPurpose },
  { table: 'raw_sources', key: 'id', column: 'sealed_headers', where: 'true', purpose: inboundHeadersPurpose },
] as const

type SealedColumn = (typeof sealedColumns)[number]

/** Questions of gateways to workers, which nobody waits for any more; they are deleted. */
export const droppedTable = 'connector_tasks'

const batch = 500

export interface ResealOptions {
  readonly database: Database
  /** SLUICE_SECRET_KEY, base64. */
  readonly from: string
  /** Base64 of 32 bytes. */
  readonly to: string
  readonly print: (line: string) => void
}

export const newSecretKey = (): string => randomBytes(32).toString('base64')

/**
 * Opens everything sealed with the one key and seals it with the other: all of it, in one transaction, or nothing.
 *
 * @returns how many values.
 * @throws SluiceError CONFLICT while gateways or workers run, which know the old key only; CONFIGURATION when `from` is not
 * the installation's key, or `to` is no key.
 */
export async function reseal({ database, from, to, print }: ResealOptions): Promise<number> {
  const { error } = secretKey.safeParse(to)
  if (error) throw new SluiceError('CONFIGURATION', `SLUICE_NEW_SECRET_KEY ${error.issues[0]?.message}`)
  const [old, young] = [createSealer(from), createSealer(to)]
  return inTransaction(database.pool, async (client) => {
    await requireStillness(client)
    await client.query(`delete from ${droppedTable}`)
    let all = 0
    for (const each of sealedColumns) {
      const count = await resealColumn(client, each, old, young)
      all += count
      print(`  ${each.table}.${each.column} (${each.purpose}): ${count}`)
    }
    return all
  })
}

async function resealColumn(
  client: pg.ClientBase,
  { table, key, column, where, purpose }: SealedColumn,
  old: Sealer,
  young: Sealer,
): Promise<number> {
  let count = 0
  let after: string | null = null
  for (;;) {
    const { rows }: pg.QueryResult<{ key: string; sealed: Buffer }> = await client.query(
      `select ${key}::text as key, ${column} as sealed from ${table}
        where ${column} is not null and (${where}) and ($1::text is null or ${key}::text > $1)
        order by ${key}::text limit ${batch}`,
      [after],
    )
    const last = rows.at(-1)
    if (!last) return count
    await client.query(
      `update ${table} t set ${column} = n.sealed from unnest($1::text[], $2::bytea[]) as n(key, sealed)
        where t.${key}::text = n.key`,
      [rows.map((row) => row.key), rows.map((row) => young.seal(old.open(row.sealed, purpose), purpose))],
    )
    count += rows.length
    after = last.key
  }
}

/** Gateways and workers say who they are in `application_name` (`roles.ts`). */
async function requireStillness(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ name: string }>(
    `select distinct application_name as name from pg_stat_activity
      where datname = current_database() and application_name in ('sluice gateway', 'sluice worker') order by 1`,
  )
  if (rows.length === 0) return
  throw new SluiceError(
    'CONFLICT',
    `${rows.map(({ name }) => name).join(' and ')} still run on this database. Stop every gateway and worker first: they know the old key only.`,
  )
}
