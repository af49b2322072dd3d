/**
 * Checks the audit log against its blocks: that the blocks are a chain, each signed by this installation, and that the
 * entries are exactly those that were sealed. It reads one block at a time, in one snapshot of the database.
 */
import { type KeyObject, verify } from 'node:crypto'
import type pg from 'pg'
import {
  blockHash,
  type EntryTexts,
  entryTexts,
  type Head,
  leafBytes,
  leafOf,
  origin,
  showHead,
} from './audit-chain.ts'
import { auditVerifyingKeys } from './audit-keys.ts'
import type { Sealer } from './seal.ts'

/** The first thing that is wrong. */
export interface AuditFault {
  readonly kind:
    | 'block missing'
    | 'block changed'
    | 'signature wrong'
    | 'key unknown'
    | 'entry changed'
    | 'entry missing'
    | 'entry added'
    | 'head differs'
    | 'retrieval without entry'
  readonly block: number | null
  /** Position of the entry, where it is one. */
  readonly position: string | null
  readonly message: string
}

export interface AuditVerdict {
  readonly fault: AuditFault | null
  readonly blocks: number
  readonly entries: number
  /** Entries that no block holds yet: those of the last seconds. */
  readonly unsealed: number
  readonly oldestUnsealed: Date | null
  /** Of the last block that is right. Keep it elsewhere. */
  readonly head: Head | null
}

export interface VerifyOptions {
  readonly pool: pg.Pool
  readonly sealer: Sealer
  /** As `showHead` wrote it at an earlier time: that block must still be there, the same. */
  readonly expectHead?: Head | null
  readonly onProgress?: (done: { readonly blocks: number; readonly of: number; readonly entries: number }) => void
}

export async function verifyAudit(options: VerifyOptions): Promise<AuditVerdict> {
  const client = await options.pool.connect()
  try {
    // One snapshot, so that a block that is sealed meanwhile does not confuse; nothing is written.
    await client.query('begin transaction isolation level repeatable read read only')
    return await verifyWith(client, options)
  } finally {
    await client.query('rollback')
    client.release()
  }
}

interface BlockRow {
  readonly number: number
  readonly first_position: string
  readonly last_position: string
  readonly entries: number
  readonly leaves: Buffer
  readonly hash: Buffer
  readonly kid: string
  readonly signature: Buffer
}

async function verifyWith(
  client: pg.PoolClient,
  { sealer, expectHead = null, onProgress }: VerifyOptions,
): Promise<AuditVerdict> {
  const keys = await auditVerifyingKeys(client, sealer)
  const of = Number((await client.query('select count(*) as n from audit_blocks')).rows[0]?.n)
  let previous: { number: number; hash: Buffer; last_position: string } = {
    number: 0,
    hash: origin,
    last_position: '',
  }
  let entries = 0
  const verdict = async (fault: AuditFault | null): Promise<AuditVerdict> => ({
    fault,
    blocks: previous.number,
    entries,
    ...(await unsealedAfter(client, previous.last_position)),
    head: previous.number > 0 ? { number: previous.number, hash: previous.hash } : null,
  })

  for (;;) {
    const block = await nextBlock(client, previous.number)
    if (!block) break
    const fault =
      faultOfBlock(block, previous, keys) ??
      (await faultOfEntries(client, block, previous.last_position)) ??
      faultOfHead(block, expectHead)
    if (fault) return verdict(fault)
    entries += block.entries
    previous = block
    onProgress?.({ blocks: block.number, of, entries })
  }
  if (expectHead && expectHead.number > previous.number) {
    return verdict({
      kind: 'block missing',
      block: previous.number + 1,
      position: null,
      message: `Block ${expectHead.number} was there before; the chain now ends at block ${previous.number}. The newest blocks were taken away.`,
    })
  }
  return verdict(await faultOfClocks(client))
}

function faultOfBlock(
  block: BlockRow,
  previous: { readonly number: number; readonly hash: Buffer },
  keys: ReadonlyMap<string, KeyObject>,
): AuditFault | null {
  const fault = (kind: AuditFault['kind'], message: string) => ({ kind, block: block.number, position: null, message })
  if (block.number !== previous.number + 1) {
    return { ...fault('block missing', `Block ${previous.number + 1} is not there.`), block: previous.number + 1 }
  }
  const counted = block.leaves.length === block.entries * leafBytes
  if (!counted || !blockHash(previous.hash, block).equals(block.hash)) {
    return fault(
      'block changed',
      `Block ${block.number} does not continue the chain: it, or one before it, was changed.`,
    )
  }
  const key = keys.get(block.kid)
  if (!key) {
    return fault(
      'key unknown',
      `Block ${block.number} is signed with the key ${block.kid}, which is none of this installation (or SLUICE_SECRET_KEY is not the one it was made with).`,
    )
  }
  if (!verify(null, block.hash, key, block.signature)) {
    return fault(
      'signature wrong',
      `The signature of block ${block.number} is not ours: the chain was made anew from here.`,
    )
  }
  return null
}

/** All entries after the block before, up to this block's end: also those that were put between the two. */
async function faultOfEntries(client: pg.PoolClient, block: BlockRow, after: string): Promise<AuditFault | null> {
  const { rows } = await client.query<EntryTexts>(
    `select ${entryTexts} from audit_entries e where e.position > $1 and e.position <= $2 order by e.position limit $3`,
    // One added entry is enough to see; a million need not be read.
    [after, block.last_position, block.entries + 1],
  )
  const found = rows.map((row) => ({ position: row.position as string, leaf: leafOf(row).toString('hex') }))
  const sealed = Array.from({ length: block.entries }, (_, index) =>
    block.leaves.toString('hex', index * leafBytes, (index + 1) * leafBytes),
  )
  const at = found.findIndex(({ leaf }, index) => leaf !== sealed[index])
  if (at === -1 && found.length === sealed.length) return null
  const index = at === -1 ? found.length : at
  const here = found[index]
  const fault = (kind: AuditFault['kind'], position: string | null, message: string): AuditFault => ({
    kind,
    block: block.number,
    position,
    message,
  })
  const place = `entry ${index + 1} of ${block.entries} in block ${block.number}`
  if (!here || found[index]?.leaf === sealed[index + 1]) {
    const before = found[index - 1]?.position ?? after
    return fault('entry missing', null, `The ${place} is not there; it came after position ${before || 'zero'}.`)
  }
  if (found.length > sealed.length || found[index + 1]?.leaf === sealed[index]) {
    return fault(
      'entry added',
      here.position,
      `The entry at position ${here.position} was added after block ${block.number} was sealed.`,
    )
  }
  return fault('entry changed', here.position, `The ${place}, at position ${here.position}, is not what was sealed.`)
}

function faultOfHead(block: BlockRow, expected: Head | null): AuditFault | null {
  if (expected?.number !== block.number || expected.hash.equals(block.hash)) return null
  return {
    kind: 'head differs',
    block: block.number,
    position: null,
    message: `Block ${block.number} is ${showHead(block)}, and was ${showHead(expected)}: the chain was made anew.`,
  }
}

/**
 * A second witness outside the log: a grant's clock starts only together with an entry. It shows entries that were
 * taken away with the newest blocks, where nobody kept the head.
 */
async function faultOfClocks(client: pg.PoolClient): Promise<AuditFault | null> {
  const { rows } = await client.query<{ session_id: string; integration_id: string }>(
    `select g.session_id, g.integration_id from session_grants g
      where g.first_retrieved_at is not null
        and not exists (
          select from audit_entries e
           where e.session_ids @> array[g.session_id] and e.integration_id = g.integration_id and e.outcome = 'granted')
      order by g.first_retrieved_at limit 1`,
  )
  const [grant] = rows
  if (!grant) return null
  return {
    kind: 'retrieval without entry',
    block: null,
    position: null,
    message: `Session ${grant.session_id} was retrieved by integration ${grant.integration_id}, and no entry says so: entries were taken away.`,
  }
}

async function nextBlock(client: pg.PoolClient, after: number): Promise<BlockRow | undefined> {
  const { rows } = await client.query<BlockRow>(
    `select number, first_position, last_position, entries, leaves, hash, kid, signature
       from audit_blocks where number > $1 order by number limit 1`,
    [after],
  )
  return rows[0]
}

async function unsealedAfter(client: pg.PoolClient, position: string) {
  const { rows } = await client.query<{ n: string; oldest: Date | null }>(
    'select count(*) as n, min(at) as oldest from audit_entries where position > $1',
    [position],
  )
  return { unsealed: Number(rows[0]?.n), oldestUnsealed: rows[0]?.oldest ?? null }
}
