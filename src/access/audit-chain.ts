/**
 * The chain of audit blocks: how an entry becomes bytes, and bytes become the hash of a block. Sealing and verifying
 * both use this, and nothing else.
 *
 * leaf  = SHA-256 of the entry's columns as Postgres writes them as text, in a JSON list
 * block = SHA-256 of the previous block's hash, and number, bounds and leaves of this one
 */
import { createHash } from 'node:crypto'

/** An entry as its columns' texts; null stays null. */
export type EntryTexts = Readonly<Record<(typeof entryColumns)[number], string | null>>

/** All columns, in the order in which they are hashed. A column that is added later goes to the end. */
const entryColumns = [
  'position',
  'id',
  'at',
  'team_id',
  'integration_id',
  'actor_kind',
  'actor_id',
  'role',
  'operation',
  'outcome',
  'session_ids',
  'address',
  'request_id',
  'detail',
] as const

/** Select list of `EntryTexts`. The time in milliseconds, whatever the zone of the connection. */
export const entryTexts = entryColumns
  .map((column) =>
    column === 'at' ? '(extract(epoch from at) * 1000)::bigint::text as at' : `"${column}"::text as "${column}"`,
  )
  .join(', ')

export const leafBytes = 32

export function leafOf(entry: EntryTexts): Buffer {
  return createHash('sha256')
    .update(JSON.stringify(entryColumns.map((column) => entry[column])))
    .digest()
}

/** What a block says, without its hash and signature. */
export interface BlockContent {
  readonly number: number
  readonly first_position: string
  readonly last_position: string
  readonly entries: number
  readonly leaves: Buffer
}

/** The hash before the first block. */
export const origin = Buffer.alloc(32)

export function blockHash(previous: Uint8Array, block: BlockContent): Buffer {
  const { number, first_position, last_position, entries, leaves } = block
  return createHash('sha256')
    .update(previous)
    .update(JSON.stringify([number, first_position, last_position, entries]))
    .update(leaves)
    .digest()
}

/** `12:9f86d0…`: enough to prove later that nothing before it was changed or taken away. */
export interface Head {
  readonly number: number
  readonly hash: Buffer
}

export function showHead({ number, hash }: Head): string {
  return `${number}:${hash.toString('hex')}`
}
