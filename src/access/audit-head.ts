/** How far the audit log is sealed. */
import type pg from 'pg'
import { showHead } from './audit-chain.ts'

export interface AuditHead {
  readonly number: number
  /** `number:hash`, as `sluice audit verify` prints it. */
  readonly head: string
  /** Entries up to this position are sealed. */
  readonly last_position: string
  readonly sealed_at: Date
}

/** @returns null before the first block. */
export async function readAuditHead(pool: pg.Pool): Promise<AuditHead | null> {
  const { rows } = await pool.query<{
    readonly number: number
    readonly hash: Buffer
    readonly last_position: string
    readonly sealed_at: Date
  }>('select number, hash, last_position, sealed_at from audit_blocks order by number desc limit 1')
  const [block] = rows
  if (!block) return null
  const { number, hash, last_position, sealed_at } = block
  return { number, head: showHead({ number, hash }), last_position, sealed_at }
}
