import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { createInbox } from '../../test/ground/inbox.ts'
import { silentLog } from '../log.ts'
import { type Change, type ChangeFeed, openChangeFeed } from './change-feed.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase({ poolSize: 30 })
})
afterAll(() => ground?.close())

let feed: ChangeFeed
let inbox: ReturnType<typeof createInbox<Change>>
beforeEach(async () => {
  feed = await openChangeFeed({ pool: ground.database.pool, log: silentLog, idleMs: 50, retryMs: 20 })
  inbox = createInbox<Change>('change')
  feed.listen((changes) => {
    for (const change of changes) inbox.add(change)
  })
  return () => feed.close()
})

const insert = (on: { query(text: string, values: unknown[]): Promise<unknown> }, slug: string) =>
  on.query('insert into teams (id, slug, name) values ($1, $2, $2)', [randomUUID(), slug])
const isOf = (slug: string) => (change: Change) => (change.new ?? change.old)?.slug === slug

describe('the change feed', () => {
  it('tells of inserts, updates and deletes made by plain SQL, with what was and what is', async () => {
    const { pool } = ground.database
    await insert(pool, 'one')
    expect(await inbox.next(isOf('one'))).toMatchObject({ operation: 'insert', old: null, new: { slug: 'one' } })
    await pool.query(`update teams set name = 'First' where slug = 'one'`)
    expect(await inbox.next()).toMatchObject({ operation: 'update', old: { name: 'one' }, new: { name: 'First' } })
    await pool.query(`update teams set name = 'First' where slug = 'one'`)
    await pool.query(`delete from teams where slug = 'one'`)
    // An update that changes nothing is no change.
    expect(await inbox.next()).toMatchObject({ operation: 'delete', old: { slug: 'one' }, new: null })
  })

  it('tells of what a transaction that was open for long wrote first, when that commits', async () => {
    const { pool } = ground.database
    const slow = await pool.connect()
    await slow.query('begin')
    await insert(slow, 'slow')
    await insert(pool, 'quick')
    await slow.query('commit')
    slow.release()
    expect(await inbox.next()).toMatchObject({ new: { slug: 'slow' } })
    expect(await inbox.next()).toMatchObject({ new: { slug: 'quick' } })
  })

  it('loses, repeats and reorders nothing under transactions that overlap, roll back, and cut connections', async () => {
    const { pool } = ground.database
    const committed = new Set<string>()
    const write = async (writer: number) => {
      for (let number = 0; number < 60; number += 1) {
        const slug = `${writer}-${number}`
        const client = await pool.connect()
        await client.query('begin')
        await insert(client, slug)
        await client.query('select pg_sleep($1)', [((writer * 7 + number) % 8) / 1000])
        const isKept = (writer + number) % 5 !== 0
        await client.query(isKept ? 'commit' : 'rollback')
        client.release()
        if (isKept) committed.add(slug)
      }
    }
    const admin = new pg.Client({ connectionString: ground.url, application_name: 'admin' })
    await admin.connect()
    const writing = Promise.all(Array.from({ length: 8 }, (_, writer) => write(writer)))
    let isWriting = true
    void writing.finally(() => {
      isWriting = false
    })
    let cut = 0
    while (isWriting) {
      // Whatever connection reads the log or listens is cut again and again.
      const { rowCount } = await admin.query(
        `select pg_terminate_backend(pid) from pg_stat_activity
          where datname = current_database() and pid <> pg_backend_pid() and state = 'idle'
            and (query like 'select seq, xid%' or query like 'listen%') limit 1`,
      )
      cut += rowCount ?? 0
      await admin.query('select pg_sleep(0.02)')
    }
    await writing
    await admin.end()
    await insert(pool, 'the end')
    await inbox.next(isOf('the end'))
    expect(cut).toBeGreaterThan(0)
    const told = inbox.items.flatMap((change) => (change.table === 'teams' ? [String(change.new?.slug)] : []))
    expect(told.toSorted()).toEqual([...committed, 'the end'].toSorted())
    const { rows } = await pool.query<{ slug: string }>(
      `select new->>'slug' as slug from change_log where new->>'slug' = any ($1) order by change_log.xid, seq`,
      [told],
    )
    expect(told).toEqual(rows.map(({ slug }) => slug))
  })

  it('keeps the order where transaction ids get another digit', async () => {
    const { pool } = ground.database
    await spendTransactionIds(pool)
    const slugs = Array.from({ length: 200 }, (_, number) => `digit ${number}`)
    for (const slug of slugs) await insert(pool, slug)
    await inbox.next(isOf('digit 199'))
    const told = inbox.items.flatMap((change) => (change.table === 'teams' ? [String(change.new?.slug)] : []))
    expect(told).toEqual(slugs)
  })

  it('says that something may be missing after it could not read for a while', async () => {
    const { pool } = ground.database
    const gap = Promise.withResolvers<void>()
    feed.onGap(gap.resolve)
    await pool.query('alter table change_log rename to change_log_away')
    feed.poke()
    await pool.query('select pg_sleep(0.1)')
    await pool.query('alter table change_log_away rename to change_log')
    await gap.promise
    await insert(pool, 'after the gap')
    await inbox.next(isOf('after the gap'))
  })

  it('hears of a commit by another process through a notification, long before it would have looked', async () => {
    const { pool } = ground.database
    await using idle = await lazyFeed(pool)
    await idle.settled
    const told = new Promise<void>((resolve) => {
      idle.feed.listen((changes) => changes.some(isOf('notified')) && resolve())
    })
    await insert(pool, 'notified')
    await pool.query(`select pg_notify('sluice_changes', '')`)
    await told
  })
})

/** A feed that by itself looks once an hour. */
async function lazyFeed(pool: pg.Pool) {
  const lazy = await openChangeFeed({ pool, log: silentLog, idleMs: 3_600_000 })
  // Its ear pokes it once when it begins to listen; what follows is by notification alone.
  const settled = new Promise<void>((resolve) => {
    const look = async () => {
      const { rowCount } = await pool.query(
        `select from pg_stat_activity where query = 'listen sluice_changes' and datname = current_database()`,
      )
      if (rowCount && rowCount >= 2) resolve()
      else setTimeout(look, 10)
    }
    void look()
  })
  return { feed: lazy, settled, [Symbol.asyncDispose]: () => lazy.close() }
}

/** Leaves a few before the next power of ten; subtransactions spend them without commits. */
async function spendTransactionIds(pool: pg.Pool): Promise<void> {
  await pool.query(`do $$
    declare
      now_at bigint := pg_current_xact_id()::text::bigint;
      until bigint := 10 ^ length(now_at::text);
    begin
      create temp table spent (n bigint) on commit drop;
      for n in now_at .. least(until - 80, now_at + 20000) loop
        begin
          insert into spent values (n);
        exception when others then null;
        end;
      end loop;
    end $$`)
}
