import { randomBytes, randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { settled, type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { verifyCommand } from '../cli/audit.ts'
import { createLog, silentLog } from '../log.ts'
import { createAudit } from './audit.ts'
import { showHead } from './audit-chain.ts'
import { auditGrants } from './audit-grants.ts'
import { sealAuditBlock, startAuditSealer } from './audit-seal.ts'
import { verifyAudit } from './audit-verify.ts'
import { createSealer } from './seal.ts'

const secretKey = randomBytes(32).toString('base64')
const sealer = createSealer(secretKey)

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

/** Three blocks of four entries and two entries that are not sealed, in a database of their own. */
async function sealedLog(): Promise<TestDatabase> {
  const own = await testDatabase()
  const { pool } = own.database
  const audit = createAudit({ pool, log: silentLog })
  for (let block = 0; block < 3; block += 1) {
    for (let entry = 0; entry < 4; entry += 1) await audit.record(anEntry())
    await settled(pool)
    expect(await sealAuditBlock({ pool, sealer })).toMatchObject({ number: block + 1, entries: 4 })
  }
  await audit.record(anEntry())
  await audit.record(anEntry())
  await audit.close()
  return own
}

function anEntry() {
  return {
    actor: { kind: 'person' as const, id: randomUUID(), role: 'editor' },
    operation: 'rotate_credential',
    outcome: 'granted' as const,
    session_ids: [randomUUID()],
    address: '192.0.2.1',
    detail: { number: 1.5, text: 'ü"\\', list: [1, null] },
  }
}

/** What somebody can do who owns the database: the triggers do not fire. */
async function tamper({ database }: TestDatabase, ...statements: readonly string[]): Promise<void> {
  const client = await database.pool.connect()
  try {
    await client.query('set session_replication_role = replica')
    for (const statement of statements) {
      const { rowCount } = await client.query(statement)
      expect(rowCount, statement).not.toBe(0)
    }
    await client.query('reset session_replication_role')
  } finally {
    client.release()
  }
}

const nth = (number: number) => `(select id from audit_entries order by position limit 1 offset ${number - 1})`

describe('the chain of audit blocks', () => {
  it('is right when nobody touched it, and says what is not sealed yet', async () => {
    const own = await sealedLog()
    try {
      const verdict = await verifyAudit({ pool: own.database.pool, sealer })
      expect(verdict).toMatchObject({ fault: null, blocks: 3, entries: 12, unsealed: 2, head: { number: 3 } })
      expect(verdict.oldestUnsealed).toBeInstanceOf(Date)
    } finally {
      await own.close()
    }
  })

  it.each<[string, string[], Record<string, unknown>]>([
    [
      'a changed value',
      [`update audit_entries set operation = 'query' where id = ${nth(6)}`],
      { kind: 'entry changed', block: 2 },
    ],
    [
      'a changed outcome of the first entry',
      [`update audit_entries set outcome = 'refused' where id = ${nth(1)}`],
      { kind: 'entry changed', block: 1 },
    ],
    [
      'another time, by a millisecond',
      [`update audit_entries set at = at + interval '1 ms' where id = ${nth(12)}`],
      { kind: 'entry changed', block: 3 },
    ],
    [
      'a detail',
      [`update audit_entries set detail = detail || '{"number": 2}' where id = ${nth(7)}`],
      { kind: 'entry changed', block: 2 },
    ],
    [
      'an entry that is gone',
      [`delete from audit_entries where id = ${nth(7)}`],
      { kind: 'entry missing', block: 2, position: null },
    ],
    [
      'the last entry of a block that is gone',
      [`delete from audit_entries where id = ${nth(8)}`],
      { kind: 'entry missing', block: 2 },
    ],
    [
      'two entries that changed places',
      [
        `create table swapped as select id, position, row_number() over (order by position) as n from audit_entries where id in (${nth(2)}, ${nth(3)})`,
        `update audit_entries set position = 'x' || position where id in (select id from swapped)`,
        `update audit_entries e set position = (select o.position from swapped o join swapped s on s.id = e.id and o.id <> s.id) where id in (select id from swapped)`,
      ],
      { kind: 'entry changed', block: 1 },
    ],
    [
      'an entry put in later',
      [
        `insert into audit_entries (actor_kind, operation, outcome, position) select 'person', 'query', 'granted', position || '0' from audit_entries where id = ${nth(5)}`,
      ],
      { kind: 'entry added', block: 2 },
    ],
    [
      'an entry put in between two blocks',
      [
        `insert into audit_entries (actor_kind, operation, outcome, position) select 'person', 'query', 'granted', position || '0' from audit_entries where id = ${nth(4)}`,
      ],
      { kind: 'entry added', block: 2 },
    ],
    [
      'an entry put in before all others',
      [
        `insert into audit_entries (actor_kind, operation, outcome, position) values ('person', 'query', 'granted', '0')`,
      ],
      { kind: 'entry added', block: 1 },
    ],
    ['a block that is gone', ['delete from audit_blocks where number = 2'], { kind: 'block missing', block: 2 }],
    ['a first block that is gone', ['delete from audit_blocks where number = 1'], { kind: 'block missing', block: 1 }],
    [
      'another hash',
      [`update audit_blocks set hash = sha256('x') where number = 2`],
      { kind: 'block changed', block: 2 },
    ],
    [
      'other leaves',
      [`update audit_blocks set leaves = set_byte(leaves, 39, 255 - get_byte(leaves, 39)) where number = 3`],
      { kind: 'block changed', block: 3 },
    ],
    [
      'another number of entries',
      ['update audit_blocks set entries = 5 where number = 3'],
      { kind: 'block changed', block: 3 },
    ],
    [
      'the signature of another block',
      ['update audit_blocks set signature = (select signature from audit_blocks where number = 1) where number = 2'],
      { kind: 'signature wrong', block: 2 },
    ],
    [
      'a key that is not ours',
      [`update audit_blocks set kid = 'mine' where number = 1`],
      { kind: 'key unknown', block: 1 },
    ],
    [
      'a retrieval whose entry is gone with the newest block',
      [
        `insert into teams (id, slug, name) values ('11111111-1111-4111-8111-111111111111', 'one', 'One')`,
        `insert into integrations (id, team_id, slug, name) values ('22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', 'a', 'A')`,
        `insert into session_grants (session_id, integration_id, team_id, expires_at, first_retrieved_at) values (uuid_v7(), '22222222-2222-4222-8222-222222222222', '11111111-1111-4111-8111-111111111111', now(), now())`,
      ],
      { kind: 'retrieval without entry' },
    ],
  ])('shows %s', async (_, statements, fault) => {
    const own = await sealedLog()
    try {
      await tamper(own, ...statements)
      const verdict = await verifyAudit({ pool: own.database.pool, sealer })
      expect(verdict.fault).toMatchObject(fault)
    } finally {
      await own.close()
    }
  })

  it('shows that it was made anew by somebody who has the database and not the key', async () => {
    const own = await sealedLog()
    try {
      await tamper(
        own,
        `update audit_entries set operation = 'query' where id = ${nth(1)}`,
        'delete from audit_blocks',
        'delete from signing_keys',
      )
      const other = createSealer(randomBytes(32).toString('base64'))
      await settled(own.database.pool)
      await sealAuditBlock({ pool: own.database.pool, sealer: other })
      expect((await verifyAudit({ pool: own.database.pool, sealer })).fault).toMatchObject({
        kind: 'key unknown',
        block: 1,
      })
    } finally {
      await own.close()
    }
  })

  it('shows that the newest blocks were taken away, to who kept the head', async () => {
    const own = await sealedLog()
    try {
      const { head } = await verifyAudit({ pool: own.database.pool, sealer })
      const print: string[] = []
      const run = (expectHead: string) =>
        verifyCommand({
          env: { DATABASE_URL: own.url, SLUICE_SECRET_KEY: secretKey },
          expectHead,
          print: (line) => print.push(line),
        })
      expect(await run(showHead(head as never))).toBe(true)
      await tamper(
        own,
        'delete from audit_blocks where number = 3',
        `delete from audit_entries where id not in (select id from audit_entries order by position limit 8)`,
      )
      expect((await verifyAudit({ pool: own.database.pool, sealer })).fault).toBeNull()
      expect(await run(showHead(head as never))).toBe(false)
      expect(print.at(-4)).toMatch(/WRONG: block missing. Block 3 was there before; the chain now ends at block 2/)
      // Sealed again by the installation itself, it is another block 3.
      const audit = createAudit({ pool: own.database.pool, log: silentLog })
      await audit.record(anEntry())
      await audit.close()
      await settled(own.database.pool)
      await sealAuditBlock({ pool: own.database.pool, sealer })
      expect((await verifyAudit({ pool: own.database.pool, sealer, expectHead: head })).fault).toMatchObject({
        kind: 'head differs',
        block: 3,
      })
    } finally {
      await own.close()
    }
  })

  it('takes no entry of a transaction that others might still precede', async () => {
    const own = await testDatabase()
    const { pool } = own.database
    const audit = createAudit({ pool, log: silentLog })
    const slow = await pool.connect()
    try {
      await slow.query('begin')
      await audit.recordIn(slow, anEntry())
      await audit.record(anEntry())
      expect(await sealAuditBlock({ pool, sealer })).toBeNull()
      await slow.query('commit')
      await settled(pool)
      expect(await sealAuditBlock({ pool, sealer })).toMatchObject({ number: 1, entries: 2 })
      expect((await verifyAudit({ pool, sealer })).fault).toBeNull()
    } finally {
      slow.release()
      await audit.close()
      await own.close()
    }
  })

  it('is made by one process at a time, in blocks of bounded size, by itself', async () => {
    const own = await testDatabase()
    const { pool } = own.database
    try {
      await pool.query(
        `insert into audit_entries (actor_kind, operation, outcome) select 'person', 'query', 'granted' from generate_series(1, 95)`,
      )
      const sealers = [1, 2, 3].map(() =>
        startAuditSealer({ pool, sealer, log: silentLog, everyMs: 5, mostEntries: 10 }),
      )
      await expect
        .poll(async () => (await verifyAudit({ pool, sealer })).entries, { interval: 10, timeout: 30_000 })
        .toBe(95)
      await Promise.all(sealers.map((one) => one.close()))
      expect(await verifyAudit({ pool, sealer })).toMatchObject({ fault: null, blocks: 10, unsealed: 0 })
    } finally {
      await own.close()
    }
  })
})

describe('a database role that does not own the log', () => {
  it('adds entries and blocks, and can neither change nor remove any', async () => {
    const role = `app_${randomBytes(4).toString('hex')}`
    const { pool } = ground.database
    await pool.query(`create role ${role} login password 'app'`)
    await pool.query(auditGrants(role))
    const address = new URL(ground.url)
    address.username = role
    address.password = 'app'
    const client = new pg.Client({ connectionString: address.href })
    await client.connect()
    try {
      const audit = createAudit({ pool: client as never, log: createLog({ name: 'test', level: 'silent' }) })
      await audit.record(anEntry())
      await audit.close()
      await client.query(`update teams set name = name`)
      for (const statement of [
        'update audit_entries set outcome = outcome',
        'delete from audit_entries',
        'truncate audit_entries',
        'truncate audit_blocks',
        'delete from audit_blocks',
        'alter table audit_entries disable trigger all',
        'drop trigger append_only on audit_entries',
        'drop table audit_entries',
        'set session_replication_role = replica',
        'delete from _prisma_migrations',
        'create table mine (id int)',
      ]) {
        await expect(client.query(statement), statement).rejects.toThrow(/permission denied|must be owner/)
      }
    } finally {
      await client.end()
      await pool.query(`drop owned by ${role}`)
      await pool.query(`drop role ${role}`)
    }
  })

  it.each([
    'update audit_entries set outcome = outcome',
    'delete from audit_entries',
    'truncate audit_entries',
    'truncate audit_blocks',
  ])('is not needed for the triggers: even the owner is refused "%s"', async (statement) => {
    await ground.database.pool.query(
      `insert into audit_entries (actor_kind, operation, outcome) values ('system', 'x', 'granted')`,
    )
    await expect(ground.database.pool.query(statement)).rejects.toThrow(/append-only/)
  })
})
