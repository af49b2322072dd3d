import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { inTransaction } from '../database/database.ts'
import { silentLog } from '../log.ts'
import { type AuditEntry, createAudit, createRefusals } from './audit.ts'
import type { Principal } from './principal.ts'

let ground: TestDatabase
let operation: string
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())
beforeEach(() => {
  operation = randomUUID()
})

const person: Principal = {
  kind: 'person',
  id: randomUUID(),
  role: 'editor',
  variables: {},
  teamId: null,
  integrationId: null,
  expiresAt: null,
}

async function entries(): Promise<Record<string, unknown>[]> {
  const { rows } = await ground.database.pool.query(
    'select team_id, actor_kind, actor_id, role, outcome, session_ids::text[], address, detail from audit_entries where operation = $1 order by position',
    [operation],
  )
  return rows
}

describe('the recorder of audit entries', () => {
  it('keeps who, what, from where and how it ended, in the order of the entries', async () => {
    const audit = createAudit({ pool: ground.database.pool, log: silentLog })
    const session = randomUUID()
    await Promise.all(
      Array.from({ length: 20 }, (_, number) =>
        audit.record({
          principal: person,
          operation,
          outcome: 'granted',
          session_ids: [session],
          address: '192.0.2.1',
          detail: { number },
        }),
      ),
    )
    await audit.close()
    const rows = await entries()
    expect(rows.map(({ detail }) => (detail as { number: number }).number)).toEqual(
      Array.from({ length: 20 }, (_, n) => n),
    )
    expect(rows[0]).toMatchObject({
      actor_kind: 'person',
      actor_id: person.id,
      role: 'editor',
      session_ids: [session],
      address: '192.0.2.1',
    })
  })

  it('finds the team by what the entry is about, when its author has several', async () => {
    const { pool } = ground.database
    const audit = createAudit({ pool, log: silentLog })
    const { rows } = await pool.query<{ id: string; other: string }>(
      `with a as (insert into teams (slug, name) values ($1 || 'a', 'A') returning id), b as (insert into teams (slug, name) values ($1 || 'b', 'B') returning id)
       select a.id, b.id as other from a, b`,
      [operation],
    )
    const { id, other } = rows[0] as { id: string; other: string }
    await audit.record({ principal: person, operation, outcome: 'granted', ids: { team_id: id } })
    await audit.record({ principal: person, operation, outcome: 'granted', ids: { team_id: id, other_id: other } })
    await audit.record({
      principal: { ...person, variables: { 'x-hasura-team-ids': [other] } },
      operation,
      outcome: 'granted',
    })
    await audit.close()
    expect((await entries()).map((row) => row.team_id)).toEqual([id, null, other])
  })

  it('stands or falls with the transaction that it is written in', async () => {
    const { pool } = ground.database
    const audit = createAudit({ pool, log: silentLog })
    const entry: AuditEntry = { principal: person, operation, outcome: 'granted' }
    await expect(
      inTransaction(pool, async (client) => {
        await audit.recordIn(client, entry)
        throw new Error('no')
      }),
    ).rejects.toThrow('no')
    expect(await entries()).toEqual([])
    await inTransaction(pool, (client) => audit.recordIn(client, entry, entry))
    expect(await entries()).toHaveLength(2)
    await audit.close()
  })

  it('takes a stranger’s text without harm: NUL, and more than anybody reads', async () => {
    const audit = createAudit({ pool: ground.database.pool, log: silentLog })
    await audit.record({ actor: { kind: 'anonymous', id: `a\0${'x'.repeat(5_000)}` }, operation, outcome: 'refused' })
    await audit.close()
    expect(String((await entries())[0]?.actor_id)).toHaveLength(200)
  })

  it('loses no entry to a text that PostgreSQL cannot store, nor those that wait beside it', async () => {
    const audit = createAudit({ pool: ground.database.pool, log: silentLog })
    const actor = { kind: 'anonymous' as const, id: `${'x'.repeat(199)}😀` }
    await Promise.all(
      ['a\0b', '\ud83d', 'fine'].map((reason) =>
        audit.record({ actor, operation, outcome: 'failed', detail: { reason } }),
      ),
    )
    await audit.close()
    expect((await entries()).map(({ detail }) => detail)).toEqual([
      { reason: 'a\ufffdb' },
      { reason: '\ufffd' },
      { reason: 'fine' },
    ])
  })

  it('writes a flood of equal refusals as two entries, the second with their number', async () => {
    const audit = createAudit({ pool: ground.database.pool, log: silentLog })
    for (let n = 0; n < 10_000; n += 1) {
      audit.refused({
        actor: { kind: 'anonymous' },
        operation,
        outcome: 'refused',
        address: '192.0.2.1',
        request_id: String(n),
        detail: { code: 'UNAUTHENTICATED' },
      })
    }
    await audit.close()
    expect((await entries()).map(({ detail }) => detail)).toEqual([
      { code: 'UNAUTHENTICATED' },
      { code: 'UNAUTHENTICATED', repeated: 9_999 },
    ])
  })

  it('writes a bounded number of different refusals a window, and the number of the others', () => {
    const written: AuditEntry[] = []
    const refusals = createRefusals({ mostKinds: 3, write: (entry) => written.push(entry) })
    for (let n = 0; n < 1_000; n += 1) {
      refusals.add({ actor: { kind: 'anonymous' }, operation, outcome: 'refused', address: `10.0.0.${n % 250}` })
    }
    refusals.end()
    expect(written).toHaveLength(7)
    expect(written.at(-1)?.detail).toMatchObject({ repeated: 1_000 - 3 * 4 })
    refusals.add({ actor: { kind: 'anonymous' }, operation, outcome: 'refused', address: '10.0.0.1' })
    expect(written).toHaveLength(8)
  })
})
