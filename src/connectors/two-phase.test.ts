import { createHash, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { claimSources, settleSource } from './conversion-claims.ts'
import { type Known, settleMatch, stepFor, storeIds } from './two-phase.ts'
import { missPayloads } from './two-phase-jobs.ts'
import { digestOfUniqueId } from './unique-ids.ts'

let ground: TestDatabase
let team: string
let integration: string
let connector: string
beforeAll(async () => {
  ground = await testDatabase()
  const { prisma } = ground.database
  team = (await prisma.team.create({ data: { slug: 'camden', name: 'Camden' } })).id
  integration = (await prisma.integration.create({ data: { team_id: team, slug: 'hub', name: 'Hub' } })).id
  const manifest = { implementation: 'org.example.hub', version: '1.0.0', kinds: ['two-phase-producer'], settings: [] }
  connector = (
    await prisma.connector.create({
      data: {
        implementation: 'org.example.hub',
        version: '1.0.0',
        name: 'Hub',
        author: 'Example',
        description: 'Hub.',
        status: 'approved',
        manifest,
        bundle: '',
        bundle_sha256: '',
        kinds: ['two-phase-producer'],
      },
    })
  ).id
})
afterAll(() => ground?.close())

const pool = () => ground.database.pool

async function aConnection(): Promise<string> {
  const { id } = await ground.database.prisma.connection.create({
    data: { integration_id: integration, team_id: team, connector_id: connector, name: 'Hub', concurrency: 64 },
  })
  return id
}

const hash = (text: string) => createHash('sha256').update(text).digest('hex')

/** What the gateway stores. */
async function sends(connection: string, id: string, content: string): Promise<string> {
  const { rows } = await pool().query<{ id: string }>(
    `insert into raw_sources (connection_id, team_id, origin, status, content, size, sha256, payload_sha256, due_at, received_at)
     values ($1, $2, 'inbound', 'received', $3, length($3::bytea), $4, $4, now(), now()) returning id`,
    [connection, team, Buffer.from(JSON.stringify({ id, content })), hash(`${id} ${content}`)],
  )
  return rows[0]?.id as string
}

/** One worker, over all connections of this file: claims, matches, converts. `dies` leaves the lease as it is. */
async function works({ dies = false, isTwoPhase = true, most = 100 } = {}): Promise<number> {
  const claimed = await claimSources(pool(), { most, leaseMs: 60_000 })
  await Promise.all(
    claimed.map(async (each) => {
      const { id: external_id } = JSON.parse(each.source.content.toString())
      const match =
        each.source.unique_id === null
          ? await settleMatch(pool(), each.source, { external_id, isTwoPhase })
          : ({ outcome: 'convert' } as const)
      if (match.outcome !== 'convert' || dies) return
      await settleSource(pool(), each, { status: 'converted', message: null })
    }),
  )
  return claimed.length
}
const leasesEnd = () =>
  pool().query(`update raw_sources set leased_until = now() - interval '1 s' where leased_until is not null`)
async function drained(): Promise<void> {
  do await leasesEnd()
  while ((await works()) > 0)
}

interface Row {
  readonly id: string
  readonly unique_id: string | null
  readonly external_id: string | null
  readonly status: string
  readonly origin: string
  readonly message: string | null
  readonly content: Buffer | null
  readonly repeats: number
  readonly is_late: boolean
}
async function rowsOf(connection: string): Promise<Row[]> {
  const { rows } = await pool().query<Row>('select * from raw_sources where connection_id = $1 order by position', [
    connection,
  ])
  return rows
}
const overdue = (connection: string) =>
  pool().query(
    `update raw_sources set due_at = now() - interval '1 s' where connection_id = $1 and status = 'pending'`,
    [connection],
  )

describe('an id of phase one', () => {
  test('is waited for once, however often it is yielded, and for as long as the connection says', async () => {
    const connection = await aConnection()
    await ground.database.prisma.connection.update({ where: { id: connection }, data: { pending_hours: 2 } })
    expect(await storeIds(pool(), connection, ['a', 'b'])).toEqual({ pending: 2, matched: 0 })
    const [first, second] = await Promise.all([
      storeIds(pool(), connection, ['b', 'c']),
      storeIds(pool(), connection, ['c', 'd']),
    ])
    expect((first?.pending ?? 0) + (second?.pending ?? 0)).toBe(2)
    const rows = await rowsOf(connection)
    expect(rows.map(({ unique_id, status }) => [unique_id, status]).toSorted()).toEqual(
      ['a', 'b', 'c', 'd'].map((id) => [id, 'pending']),
    )
    const { rows: due } = await pool().query(
      `select bool_and(due_at between now() + interval '110 minutes' and now() + interval '2 hours') as fits
         from raw_sources where connection_id = $1`,
      [connection],
    )
    expect(due).toEqual([{ fits: true }])
  })

  test('is known by its digest when its payload was purged', async () => {
    const connection = await aConnection()
    await pool().query(
      `insert into raw_sources (connection_id, team_id, unique_id, status) values ($1, $2, $3, 'converted')`,
      [connection, team, digestOfUniqueId('a')],
    )
    expect(await storeIds(pool(), connection, ['a'])).toEqual({ pending: 0, matched: 0 })
  })
})

describe('a payload', () => {
  test('takes the place of the entry that waits for it, and is converted', async () => {
    const connection = await aConnection()
    await storeIds(pool(), connection, ['a'])
    const id = await sends(connection, 'a', 'one')
    await works()
    expect(await rowsOf(connection)).toMatchObject([
      { id, unique_id: 'a', external_id: 'a', status: 'converted', repeats: 0, is_late: false },
    ])
  })

  test('of an unknown id is unmatched, until phase one yields the id', async () => {
    const connection = await aConnection()
    const id = await sends(connection, 'a', 'one')
    await works()
    expect(await rowsOf(connection)).toMatchObject([{ id, unique_id: null, external_id: 'a', status: 'unmatched' }])
    expect(await storeIds(pool(), connection, ['a', 'b'])).toEqual({ pending: 1, matched: 1 })
    await works()
    expect(await rowsOf(connection)).toMatchObject([{ id, unique_id: 'a', status: 'converted' }, { unique_id: 'b' }])
  })

  test('of an unknown id is converted when somebody accepts it, and takes the id', async () => {
    const connection = await aConnection()
    const id = await sends(connection, 'a', 'one')
    await works()
    await pool().query(`update raw_sources set status = 'received', is_accepted = true where id = $1`, [id])
    await works()
    expect(await rowsOf(connection)).toMatchObject([{ id, unique_id: 'a', status: 'converted' }])
    expect(await storeIds(pool(), connection, ['a'])).toEqual({ pending: 0, matched: 0 })
  })

  test('that comes again is counted and not kept; also one that nothing waits for', async () => {
    const connection = await aConnection()
    await storeIds(pool(), connection, ['a'])
    for (const id of ['a', 'a', 'a', 'x', 'x']) {
      await sends(connection, id, 'one')
      await works()
    }
    expect(await rowsOf(connection)).toMatchObject([
      { unique_id: 'a', status: 'converted', repeats: 2 },
      { external_id: 'x', status: 'unmatched', repeats: 1 },
    ])
  })

  test('with a known id and other content is for somebody to accept; then it is a second conversion', async () => {
    const connection = await aConnection()
    await storeIds(pool(), connection, ['a'])
    await sends(connection, 'a', 'one')
    await works()
    const other = await sends(connection, 'a', 'two')
    await works()
    const [, kept] = await rowsOf(connection)
    expect(kept).toMatchObject({ id: other, status: 'unmatched', message: expect.stringMatching(/content differs/) })
    await pool().query(`update raw_sources set status = 'received', is_accepted = true where id = $1`, [other])
    await works()
    expect(await rowsOf(connection)).toMatchObject([
      { unique_id: 'a', status: 'converted' },
      { id: other, unique_id: null, external_id: 'a', status: 'converted' },
    ])
  })

  test('that is the same as one that failed has that one converted again; another takes its place', async () => {
    const connection = await aConnection()
    await storeIds(pool(), connection, ['a'])
    const first = await sends(connection, 'a', 'one')
    await works()
    const fails = (id: string) => pool().query(`update raw_sources set status = 'failed' where id = $1`, [id])
    await fails(first)
    await sends(connection, 'a', 'one')
    await works()
    await works()
    expect(await rowsOf(connection)).toMatchObject([{ id: first, status: 'converted', repeats: 1 }])
    await fails(first)
    const second = await sends(connection, 'a', 'two')
    await works()
    expect(await rowsOf(connection)).toMatchObject([{ id: second, unique_id: 'a', status: 'converted', repeats: 1 }])
  })

  test('of a connector of one phase needs no entry: a known id with other content is a revision', async () => {
    const connection = await aConnection()
    await sends(connection, 'a', 'one')
    await works({ isTwoPhase: false })
    await sends(connection, 'a', 'two')
    await sends(connection, 'a', 'one')
    await works({ isTwoPhase: false })
    expect(await rowsOf(connection)).toMatchObject([
      { unique_id: 'a', status: 'converted', repeats: 1 },
      { unique_id: null, external_id: 'a', status: 'converted' },
    ])
  })

  test('that never comes is missing, and its team is told once for all of them; what comes late is taken', async () => {
    const connection = await aConnection()
    await storeIds(pool(), connection, ['a', 'b', 'c'])
    await overdue(connection)
    expect(await missPayloads(pool())).toBe(3)
    expect(await missPayloads(pool())).toBe(0)
    const { rows: told } = await pool().query(
      'select type, team_id, detail from operational_events where connection_id = $1',
      [connection],
    )
    const ids = (await rowsOf(connection)).map(({ id }) => id)
    expect(told).toEqual([
      {
        type: 'connection.payload_missing',
        team_id: team,
        detail: { name: 'Hub', missing: 3, waited_since: expect.any(String), raw_source_ids: expect.any(Array) },
      },
    ])
    expect(told[0].detail.raw_source_ids.toSorted()).toEqual(ids.toSorted())
    await sends(connection, 'b', 'one')
    await works()
    expect((await rowsOf(connection)).find(({ unique_id }) => unique_id === 'b')).toMatchObject({
      status: 'converted',
      is_late: true,
    })
  })

  test('that comes twice at once is converted once', async () => {
    const connection = await aConnection()
    await storeIds(pool(), connection, ['a'])
    await Promise.all([sends(connection, 'a', 'one'), sends(connection, 'a', 'one'), sends(connection, 'a', 'one')])
    await Promise.all([works({ most: 1 }), works({ most: 1 }), works()])
    await drained()
    expect(await rowsOf(connection)).toMatchObject([{ unique_id: 'a', status: 'converted', repeats: 2 }])
  })
})

test('every status that an id can have, and every content, has one step', () => {
  const payload = { id: 'p', isTwoPhase: true, isAccepted: false }
  const known = (status: Known['status'], same: boolean): Known => ({ id: 'k', status, same })
  expect(stepFor(undefined, payload)).toBe('unmatched')
  expect(stepFor({ ...known('converted', true), id: 'p' }, payload)).toBe('go')
  const steps = (['pending', 'missing', 'received', 'converted', 'discarded', 'failed'] as const).map((status) => [
    status,
    stepFor(known(status, true), payload),
    stepFor(known(status, false), payload),
    stepFor(known(status, false), { ...payload, isTwoPhase: false }),
    stepFor(known(status, false), { ...payload, isAccepted: true }),
  ])
  expect(steps).toEqual([
    ['pending', 'replace', 'replace', 'replace', 'replace'],
    ['missing', 'replace', 'replace', 'replace', 'replace'],
    ['received', 'repeat', 'differs', 'revision', 'revision'],
    ['converted', 'repeat', 'differs', 'revision', 'revision'],
    ['discarded', 'repeat', 'differs', 'revision', 'revision'],
    ['failed', 'again', 'replace', 'replace', 'replace'],
  ])
})

describe('whatever happens in whatever order', () => {
  type Act =
    | { readonly do: 'trigger'; readonly ids: readonly string[] }
    | { readonly do: 'send'; readonly id: string; readonly content: string }
    | { readonly do: 'work' | 'die' | 'deadline' | 'lease' }
  const id = fc.constantFrom('a', 'b', 'c', 'd')
  const act: fc.Arbitrary<Act> = fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ do: fc.constant('trigger' as const), ids: fc.uniqueArray(id, { minLength: 1 }) }),
    },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constant('send' as const), id, content: fc.constantFrom('one', 'one', 'two') }),
    },
    { weight: 6, arbitrary: fc.record({ do: fc.constantFrom('work', 'work', 'die', 'deadline', 'lease') }) },
  )

  test('no payload is lost or converted twice, and no id is taken twice', async () => {
    await fc.assert(
      // Acts of one step happen at the same time.
      fc.asyncProperty(fc.array(fc.array(act, { minLength: 1, maxLength: 4 }), { maxLength: 12 }), async (steps) => {
        const connection = await aConnection()
        const triggered = new Set<string>()
        const sent: string[] = []
        for (const step of steps) {
          await Promise.all(
            step.map(async (each): Promise<unknown> => {
              switch (each.do) {
                case 'trigger':
                  for (const one of each.ids) triggered.add(one)
                  return storeIds(pool(), connection, each.ids)
                case 'send':
                  sent.push(`${each.id} ${each.content}`)
                  return sends(connection, each.id, each.content)
                case 'work':
                case 'die':
                  return works({ dies: each.do === 'die' })
                case 'deadline':
                  await overdue(connection)
                  return missPayloads(pool())
                case 'lease':
                  return leasesEnd()
              }
            }),
          )
        }
        await drained()
        const rows = await rowsOf(connection)
        const payloads = rows.filter(({ content }) => content !== null)
        // Each payload is a row, or was counted as the repetition of one.
        expect(payloads.reduce((sum, { repeats }) => sum + 1 + repeats, 0)).toBe(sent.length)
        // The same payload is kept once, and so converted once at most.
        const contents = payloads.map(({ content }) => String(content))
        expect(new Set(contents).size).toBe(contents.length)
        // Every id that was triggered has one entry; if its payload came, that one is converted.
        const entries = rows.flatMap(({ unique_id }) => unique_id ?? [])
        expect(entries.toSorted()).toEqual([...triggered].toSorted())
        for (const one of triggered) {
          const came = sent.some((each) => each.startsWith(`${one} `))
          const entry = rows.find(({ unique_id }) => unique_id === one)
          expect(came ? ['converted'] : ['pending', 'missing']).toContain(entry?.status)
        }
        // Whatever else came waits for somebody.
        for (const { unique_id, status } of payloads) if (unique_id === null) expect(status).toBe('unmatched')
      }),
      { numRuns: 25 },
    )
  }, 60_000)
})

test('an id that nobody knows stays unknown', () => {
  expect(digestOfUniqueId(randomUUID())).toMatch(/^sha256:[0-9a-f]{64}$/)
})
