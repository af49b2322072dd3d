/**
 * Seals audit entries into blocks, a few seconds after they were written. Writing an entry takes no lock and waits for
 * nobody: a block takes the entries of transactions that have all ended (below `position_horizon()`), so none can come
 * between them later. Of all workers one seals at a time.
 */
import { sign } from 'node:crypto'
import type pg from 'pg'
import { inTransaction } from '../database/database.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import {
  type BlockContent,
  blockHash,
  type EntryTexts,
  entryTexts,
  type Head,
  leafOf,
  origin,
  showHead,
} from './audit-chain.ts'
import { auditSigningKey } from './audit-keys.ts'
import type { Sealer } from './seal.ts'

export interface SealOptions {
  readonly pool: pg.Pool
  readonly sealer: Sealer
  /** Entries of one block; what is left makes the next. @default 5000 */
  readonly mostEntries?: number
}

/** Seals one block. @returns null when there was nothing to seal, or another process is sealing. */
export async function sealAuditBlock({ pool, sealer, mostEntries = 5_000 }: SealOptions): Promise<SealedBlock | null> {
  return inTransaction(pool, async (client) => {
    const { rows: locks } = await client.query<{ mine: boolean }>(
      `select pg_try_advisory_xact_lock(hashtext('sluice audit sealing')) as mine`,
    )
    if (!locks[0]?.mine) return null
    const last = await lastBlock(client)
    const entries = await unsealedEntries(client, last?.last_position ?? '', mostEntries)
    const [first] = entries
    const newest = entries.at(-1)
    if (!first || !newest) return null
    const content: BlockContent = {
      number: (last?.number ?? 0) + 1,
      first_position: first.position as string,
      last_position: newest.position as string,
      entries: entries.length,
      leaves: Buffer.concat(entries.map(leafOf)),
    }
    const { kid, privateKey } = await auditSigningKey(client, sealer)
    const hash = blockHash(last?.hash ?? origin, content)
    await insertBlock(client, content, { hash, kid, signature: sign(null, hash, privateKey) })
    return { number: content.number, hash, entries: entries.length, full: entries.length === mostEntries }
  })
}

export interface SealedBlock extends Head {
  readonly entries: number
  /** There may be more. */
  readonly full: boolean
}

export interface AuditSealer {
  /** Waits for the block that is being sealed. */
  close(): Promise<void>
}

/** The head is logged this often at most: who keeps logs elsewhere has what `--expect-head` wants. */
const tellHeadMs = 10 * 60_000

/** @param everyMs @default 5000 */
export function startAuditSealer({
  log,
  everyMs = 5_000,
  ...options
}: SealOptions & { readonly log: Log; readonly everyMs?: number }): AuditSealer {
  let running: Promise<void> | undefined
  let told = 0
  const sealAll = async () => {
    try {
      for (;;) {
        const block = await sealAuditBlock(options)
        if (!block) return
        const head = showHead(block)
        if (Date.now() - told > tellHeadMs) {
          told = Date.now()
          log.info({ head }, 'the audit log is sealed up to here')
        } else log.debug({ head, entries: block.entries }, 'sealed audit entries')
        if (!block.full) return
      }
    } catch (error) {
      log.error({ error: messageOf(error) }, 'audit entries could not be sealed; trying again')
    }
  }
  const timer = setInterval(() => {
    running ??= sealAll().finally(() => {
      running = undefined
    })
  }, everyMs)
  return {
    async close() {
      clearInterval(timer)
      await running
    },
  }
}

interface LastBlock {
  readonly number: number
  readonly last_position: string
  readonly hash: Buffer
}

async function lastBlock(client: pg.ClientBase): Promise<LastBlock | undefined> {
  const { rows } = await client.query<LastBlock>(
    'select number, last_position, hash from audit_blocks order by number desc limit 1',
  )
  return rows[0]
}

async function unsealedEntries(client: pg.ClientBase, after: string, limit: number): Promise<EntryTexts[]> {
  const { rows } = await client.query<EntryTexts>(
    `select ${entryTexts} from audit_entries e
      where e.position > $1 and e.position < position_horizon() order by e.position limit $2`,
    [after, limit],
  )
  return rows
}

async function insertBlock(
  client: pg.ClientBase,
  { number, first_position, last_position, entries, leaves }: BlockContent,
  { hash, kid, signature }: { readonly hash: Buffer; readonly kid: string; readonly signature: Buffer },
): Promise<void> {
  await client.query(
    `insert into audit_blocks (number, first_position, last_position, entries, leaves, hash, kid, signature)
     values ($1, $2, $3, $4, $5, $6, $7, $8)`,
    [number, first_position, last_position, entries, leaves, hash, kid, signature],
  )
}
