import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { silentLog } from '../log.ts'
import { type ChangeFeed, openChangeFeed } from './change-feed.ts'
import { createEvaluator, type Evaluator } from './evaluator.ts'
import { createLiveQueries, type LiveQueries, type LiveQuery } from './live-queries.ts'
import { followTime, type PassingTime } from './passing-time.ts'

let ground: TestDatabase
beforeAll(async () => {
  ground = await testDatabase()
})
afterAll(() => ground?.close())

let feed: ChangeFeed
let time: PassingTime
let evaluator: Evaluator
let live: LiveQueries
beforeEach(async () => {
  const { pool } = ground.database
  feed = await openChangeFeed({ pool, log: silentLog, idleMs: 20 })
  evaluator = createEvaluator({ pool })
  time = followTime({ pool, feed, log: silentLog })
  live = createLiveQueries({ feed, evaluator, time, log: silentLog })
})
afterEach(async () => {
  live.close()
  time.close()
  await feed.close()
})

/** The name of one team, by its slug. */
function teamNamed(slug: string): LiveQuery {
  const predicate = { kind: 'compare', column: 'slug', type: 'text', list: false, operator: '_eq' } as const
  return {
    key: slug,
    dependencies: [{ table: 'teams', predicate: { ...predicate, operand: { kind: 'value', value: slug } } }],
    statement: {
      text: 'select (select name from teams where slug = $1::text)::text as data',
      values: [slug],
      retrieves: false,
    },
  }
}

const insert = (slug: string, name: string) =>
  ground.database.pool.query('insert into teams (id, slug, name) values ($1, $2, $3)', [randomUUID(), slug, name])
const rename = (slug: string, name: string) =>
  ground.database.pool.query('update teams set name = $2 where slug = $1', [slug, name])

describe('live queries', () => {
  it('evaluate once for all subscribers of one key, and once more for a change', async () => {
    await insert('shared', 'one')
    const subscribers = Array.from({ length: 50 }, () => live.subscribe(teamNamed('shared')))
    const next = () => Promise.all(subscribers.map(async (subscriber) => (await subscriber.next()).value))
    expect(new Set(await next())).toEqual(new Set(['one']))
    expect(live.counts).toEqual({ cohorts: 1, subscribers: 50, wakes: 0 })
    await rename('shared', 'two')
    expect(new Set(await next())).toEqual(new Set(['two']))
    expect(evaluator.counts).toEqual({ statements: 2, evaluations: 2 })
  })

  it('wake only those whom a write concerns, and keep nothing of those who have left', async () => {
    const slugs = Array.from({ length: 500 }, (_, number) => `only-${number}`)
    await ground.database.pool.query(
      'insert into teams (id, slug, name) select gen_random_uuid(), slug, slug from unnest($1::text[]) as slug',
      [slugs],
    )
    // What the insert wakes would be evaluated at a moment of its own, in the middle of what is counted below.
    await feedIsIdle()
    const subscribers = slugs.map((slug) => live.subscribe(teamNamed(slug)))
    await Promise.all(subscribers.map((subscriber) => subscriber.next()))
    const { wakes } = live.counts
    const { evaluations, statements } = evaluator.counts
    expect(statements).toBeLessThan(10)
    await rename('only-7', 'seven')
    expect((await subscribers[7]?.next())?.value).toBe('seven')
    expect(live.counts).toEqual({ cohorts: 500, subscribers: 500, wakes: wakes + 1 })
    expect(evaluator.counts.evaluations).toBe(evaluations + 1)
    await Promise.all(subscribers.map((subscriber) => subscriber.return()))
    expect(live.counts).toMatchObject({ cohorts: 0, subscribers: 0 })
    await rename('only-7', 'again')
    await insert('after', 'after')
    const later = live.subscribe(teamNamed('after'))
    expect((await later.next()).value).toBe('after')
    expect(live.counts.wakes).toBeLessThanOrEqual(wakes + 2)
  })

  it('say nothing when a change leaves the result as it was', async () => {
    await insert('same', 'one')
    const subscriber = live.subscribe(teamNamed('same'))
    await subscriber.next()
    await feedIsIdle()
    const next = subscriber.next()
    const { evaluations } = evaluator.counts
    await ground.database.pool.query(`update teams set created_at = created_at - interval '1 day' where slug = 'same'`)
    await until(() => evaluator.counts.evaluations > evaluations)
    await rename('same', 'two')
    expect((await next).value).toBe('two')
  })

  it('tell a query that Postgres refuses, and no other of the same plan', async () => {
    const matching = (pattern: string): LiveQuery => ({
      key: pattern,
      dependencies: [],
      statement: { text: `select ('a' ~ $1::text)::text as data`, values: [pattern], retrieves: false },
    })
    const [good, bad, other] = ['a', '(', 'b'].map((pattern) => live.subscribe(matching(pattern)))
    const outcomes = await Promise.allSettled([good?.next(), bad?.next(), other?.next()])
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(live.counts).toMatchObject({ cohorts: 2, subscribers: 2 })
  })

  it('watch the time only while somebody depends on it', async () => {
    const predicate = {
      kind: 'compare',
      type: 'timestamptz',
      list: false,
      operator: '_gt',
      operand: { kind: 'now' },
    } as const
    const query: LiveQuery = {
      key: 'time',
      dependencies: [{ table: 'session_grants', predicate: { ...predicate, column: 'expires_at' } }],
      statement: { text: `select 'x'::text as data`, values: [], retrieves: false },
    }
    const [one, two] = [live.subscribe(query), live.subscribe({ ...query, key: 'other' })]
    await Promise.all([one.next(), two.next()])
    expect(time.counts.watched).toBe(1)
    await one.return()
    expect(time.counts.watched).toBe(1)
    await two.return()
    expect(time.counts.watched).toBe(0)
  })
})

/** Until what was written before has been told: a write of our own has come through. */
async function feedIsIdle(): Promise<void> {
  const slug = randomUUID()
  const told = new Promise<void>((resolve) => {
    const stop = feed.listen((changes) => {
      if (!changes.some((change) => change.new?.slug === slug)) return
      stop()
      resolve()
    })
  })
  await insert(slug, slug)
  await told
}

async function until(isSo: () => boolean): Promise<void> {
  const deadline = Date.now() + 30_000
  while (!isSo()) {
    if (Date.now() > deadline) throw new Error('It did not come about within 30 s.')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}
