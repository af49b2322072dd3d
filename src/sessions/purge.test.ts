import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Client } from 'minio'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestStorage, testStorage } from '../../test/ground/storage.ts'
import { aSession, basic, buildWorld, type World } from '../../test/ground/world.ts'
import { pruneConnectors } from '../connectors/prune-connectors.ts'
import { connectionStore } from '../connectors/run-files.ts'
import { claimDeliveries } from '../delivery/claim.ts'
import { createMailer } from '../egress/mail.ts'
import { startMailCatcher } from '../egress/mail-catcher.ts'
import { removeOrphans } from '../files/jobs.ts'
import { newObjectKey } from '../files/keys.ts'
import { sweepStores } from '../files/store-items.ts'
import { silentLog } from '../log.ts'
import { announceExpiring } from './expiring.ts'
import { pruneRecords } from './prune-records.ts'
import { blankLateTraces, type PurgeParts, purgeDue, removeLateUploads } from './purge.ts'

let world: World
let storage: TestStorage
let mailFolder: string
let parts: PurgeParts
let editor: string
beforeAll(async () => {
  storage = await testStorage()
  mailFolder = await mkdtemp(path.join(tmpdir(), 'sluice-test-mail-'))
  world = await buildWorld({ config: { ...storage.config, MAIL_FOLDER: mailFolder } })
  parts = { pool: world.database.pool, files: storage.files, mailFolder, log: silentLog }
  const { data } = await world.graphql<{ sign_in: { token: string } }>(
    'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
    { variables: world.camden.editor },
  )
  editor = `Bearer ${data.sign_in.token}`
})
afterAll(async () => {
  await world?.close()
  await storage?.close()
  await rm(mailFolder, { recursive: true, force: true })
})

const days = (count: number) => new Date(Date.now() + count * 86_400_000)
const one = async <T>(text: string, values: unknown[] = []) =>
  (await world.database.pool.query(text, values)).rows[0] as T

/** Every row of every table of every schema, as JSON text. */
async function dump(): Promise<string> {
  const { rows: tables } = await world.database.pool.query<{ schema: string; name: string }>(
    `select table_schema as schema, table_name as name from information_schema.tables
      where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema')`,
  )
  expect(tables.map(({ name }) => name)).toEqual(expect.arrayContaining(['sessions', 'change_log', 'audit_entries']))
  const texts = await Promise.all(
    tables.map(async ({ schema, name }) => {
      const { rows } = await world.database.pool.query(
        `select row_to_json(t)::text as row from "${schema}"."${name}" t`,
      )
      return rows.map(({ row }) => `${name} ${row}`)
    }),
  )
  return texts.flat().join('\n')
}

/** Keys and contents of all objects of the bucket. */
async function bucket(): Promise<string> {
  const { hostname, port } = new URL(storage.config.S3_ENDPOINT)
  const client = new Client({
    endPoint: hostname,
    port: Number(port),
    useSSL: false,
    accessKey: storage.config.S3_ACCESS_KEY,
    secretKey: storage.config.S3_SECRET_KEY,
  })
  const found: string[] = []
  for await (const { name } of client.listObjectsV2(storage.config.S3_BUCKET, '', true)) {
    const content = await (await storage.files.get(name)).toArray()
    found.push(`${name} ${Buffer.concat(content).toString('utf8')}`)
  }
  return found.join('\n')
}

const mails = async () =>
  (await Promise.all((await readdir(mailFolder)).map((name) => readFile(path.join(mailFolder, name), 'utf8')))).join(
    '\n',
  )

/** A session that says `marker` in every place that can hold what somebody wrote. */
async function plant(marker: string): Promise<string> {
  const { pool } = world.database
  const { camden } = world
  const id = randomUUID()
  const place = { team_id: camden.id, flow_id: camden.flow.id, session_id: id }
  const fileId = randomUUID()
  const key = newObjectKey(place, fileId, `${marker}.txt`)
  await pool.query(
    `insert into file_uploads (id, team_id, flow_id, session_id, name, type, size, sha256, status, object_key, expires_at)
     values ($1, $2, $3, $4, $5, 'text/plain', 3, 'abc', 'stored', $6, now() + interval '1 day')`,
    [fileId, camden.id, camden.flow.id, id, `${marker}.txt`, key],
  )
  await storage.files.put(key, Buffer.from(`file says ${marker}`))
  await storage.files.put(`${camden.id}/${camden.flow.id}/${id}/raw/source.xml`, Buffer.from(`<raw>${marker}</raw>`))
  await world.submit(aSession(camden, { id, data: { name: marker, [marker]: true }, config: { note: marker } }))
  const updated = await world.graphql(
    'mutation ($object: update_session_input!) { update_session(object: $object) { revision } }',
    { variables: { object: { id, data: { name: `${marker} again` } } }, authorization: basic(world.source) },
  )
  expect(updated.data).toEqual({ update_session: { revision: 2 } })
  await pool.query('update sessions set connector_data = $2, problems = $3 where id = $1', [
    id,
    { email: { note: marker } },
    JSON.stringify([{ path: `/${marker}`, message: marker, keyword: 'type' }]),
  ])
  await pool.query(
    `insert into session_settlings (session_id, event_type, due_at) values ($1, 'session.updated', now() + interval '1 hour')`,
    [id],
  )
  await pool.query(
    `insert into pending_revisions (session_id, revision, payment_id, config, data, content_hash, author_kind, extension)
     select $1, 3, $2, j, j, convert_to($2, 'UTF8'), 'credential', j from (select jsonb_build_object('name', $2::text) as j) given`,
    [id, marker],
  )
  await plantTraces(id, marker)
  return id
}

/** What a delivery, a connector and a mail leave behind. */
async function plantTraces(id: string, marker: string): Promise<void> {
  const { pool } = world.database
  const { rows } = await pool.query<{ id: string }>(
    `with webhook as (
       insert into webhooks (integration_id, team_id, name, url, events, enabled) values ($2, $3, 'w', 'https://w.example/', '{session.purged}', true) returning id
     )
     insert into deliveries (event_id, session_id, team_id, integration_id, webhook_id, status, last_error)
     select e.id, $1, $3, $2, webhook.id, 'waiting', $4 from webhook, session_events e where e.session_id = $1 order by e.position limit 1
     returning id`,
    [id, world.camden.granted.id, world.camden.id, marker],
  )
  const delivery = rows[0]?.id as string
  await pool.query(
    `insert into delivery_attempts (delivery_id, number, outcome, started_at, duration_ms, error_message, request, response, response_body)
     values ($1, 1, 'failed', now(), 1, $2, jsonb_build_object('url', $2::text), jsonb_build_object('headers', $2::text), $2)`,
    [delivery, marker],
  )
  await pool.query(
    `with connector as (
       insert into connectors (implementation, version, name, author, description, manifest, bundle, bundle_sha256)
       values ('c', gen_random_uuid()::text, 'c', 'c', 'c', '{}', '', '') returning id
     ), connection as (
       insert into connections (integration_id, team_id, connector_id, name, last_run_message) select $2, $3, connector.id, 'c', $4 from connector returning id
     )
     insert into connector_runs (connection_id, delivery_id, session_id, status, message, log, calls, started_at, duration_ms)
     select connection.id, $5, $1, 'failed', $4, jsonb_build_array($4::text), jsonb_build_array($4::text), now(), 1 from connection`,
    [id, world.camden.granted.id, world.camden.id, marker, delivery],
  )
  // What it was made of, and what its conversion said before there was a session.
  await pool.query(
    `with source as (
       insert into raw_sources (connection_id, team_id, session_id, unique_id, external_id, message_id, session_key, status, content,
                                sha256, mime, description, participants, created_by_source_at, headers, sealed_headers, message, result_sha256)
       select r.connection_id, $2, $1, m, m, m, m, 'converted', convert_to(m, 'UTF8'), m, m, m, m, m, jsonb_build_object('subject', m),
              convert_to(m, 'UTF8'), m, m
         from connector_runs r, (select $3::text as m) given where r.delivery_id = $4
       returning id, connection_id
     )
     insert into connector_runs (connection_id, raw_source_id, status, message, log, calls, started_at, duration_ms)
     select connection_id, id, 'failed', $3, jsonb_build_array($3::text), jsonb_build_array($3::text), now(), 1 from source`,
    [id, world.camden.id, marker, delivery],
  )
  await plantInStore(id, marker, delivery)
  const catcher = await startMailCatcher({ folder: mailFolder, port: 0 })
  const mailer = createMailer({ url: catcher.url, from: 'Sluice <a@sluice.test>' })
  try {
    const messageId = `<${delivery}.1@sluice.invalid>`
    await mailer.send({ to: 'officer@camden.test', subject: marker, text: marker, messageId })
  } finally {
    await mailer.close()
    await catcher.close()
  }
}

/** What connectors keep: one item for the session, one that others write into too, one of the raw source, and one that stays. */
async function plantInStore(id: string, marker: string, delivery: string): Promise<void> {
  const { pool } = world.database
  const run = await one<{ connection_id: string }>('select connection_id from connector_runs where delivery_id = $1', [
    delivery,
  ])
  const source = await one<{ id: string }>('select id from raw_sources where session_id = $1', [id])
  const store = (origin_id: string | undefined) =>
    connectionStore({ pool, objects: storage.files, connection_id: run.connection_id, origin_id })
  const content = Buffer.from(`kept: ${marker}`)
  await store(id).put(`${marker}.json`, content, false)
  await store(id).put('month.csv', content, false)
  await store(randomUUID()).put('month.csv', content, false)
  await store(source.id).put('source.xml', content, false)
  await store(id).put('ledger.json', Buffer.from(id), false)
  await store(id).put('ledger.json', Buffer.from(id), true)
}

describe('the end of a session', () => {
  it('leaves no copy of what it said: not in a table, not in the bucket, not in a mail', async () => {
    const marker = `marker${randomUUID().replaceAll('-', '')}`
    const id = await plant(marker)
    const other = `other${randomUUID().replaceAll('-', '')}`
    await plant(other)
    for (const place of [await dump(), await bucket(), await mails()]) expect(place).toContain(marker)

    await world.database.pool.query('update session_grants set expires_at = now() where session_id = $1', [id])
    expect(await purgeDue(parts)).toBe(1)

    const left = await dump()
    const spellings = [marker, Buffer.from(marker).toString('hex')]
    expect(left.split('\n').filter((row) => spellings.some((each) => row.includes(each)))).toEqual([])
    expect(
      await one('select status, purged_at is not null as purged, size from raw_sources where session_id = $1', [id]),
    ).toEqual({
      status: 'converted',
      purged: true,
      size: null,
    })
    expect(await bucket()).not.toContain(marker)
    // Of ids alone, as its connector says.
    expect(await bucket()).toMatch(new RegExp(`ledger.json ${id}`))
    expect(await mails()).not.toContain(marker)
    // Nobody else's.
    for (const place of [left, await bucket(), await mails()]) expect(place).toContain(other)

    const row = await one(
      `select status, payment_id, purge_reason, data, purged_at is not null as purged,
              (select array_agg(type order by position) from session_events where session_id = $1) as events,
              (select array_agg(status::text) from session_files where session_id = $1) as files,
              (select count(*)::int from session_revisions where session_id = $1) as revisions
         from sessions where id = $1`,
      [id],
    )
    expect(row).toEqual({
      status: 'purged',
      payment_id: 'payment-1',
      purge_reason: 'retention',
      data: null,
      purged: true,
      events: ['session.submitted', 'session.updated', 'session.purged'],
      files: ['purged'],
      revisions: 1,
    })
  })

  it('is told to those who had the session, although their access is over', async () => {
    const id = await plant(randomUUID())
    await world.database.pool.query('update session_grants set expires_at = now() where session_id = $1', [id])
    await purgeDue(parts)
    const { rows } = await world.database.pool.query(
      `select e.type, d.status, d.event_position = e.position as placed from deliveries d join session_events e on e.id = d.event_id
        where d.session_id = $1 order by e.position, d.id`,
      [id],
    )
    const announced = rows.filter(({ type }) => type === 'session.purged')
    expect(announced.length).toBeGreaterThan(0)
    for (const { status, placed } of announced) expect({ status, placed }).toEqual({ status: 'pending', placed: true })
    for (const { type, status } of rows) if (type !== 'session.purged') expect(status).toBe('cancelled')
    const claim = await claimDeliveries(world.database.pool, {
      kinds: ['webhook'],
      workerId: randomUUID(),
      limit: 100,
      room: new Map(),
      share: 100,
      token: randomUUID(),
      leaseMs: 1000,
    })
    const told = claim.deliveries.filter(({ session_id }) => session_id === id)
    expect(told.map(({ refusal }) => refusal)).toEqual(told.map(() => null))
    expect(told.length).toBeGreaterThan(0)
  })

  it('waits for the last grant that lives, and comes with its own time where there is none', async () => {
    const both = aSession(world.lambeth)
    await world.database.prisma.destination.create({
      data: { flow_id: world.lambeth.flow.id, integration_id: world.lambeth.other.id },
    })
    const { id } = await world.submit(both)
    const [first, second] = [world.lambeth.granted.id, world.lambeth.other.id]
    const end = (integration: string) =>
      world.database.pool.query(
        "update session_grants set expires_at = now() - interval '1 second' where session_id = $1 and integration_id = $2",
        [id, integration],
      )
    await end(first)
    expect(await purgeDue(parts)).toBe(0)
    await end(second)
    expect(await purgeDue(parts)).toBe(1)

    await world.database.pool.query('delete from destinations where flow_id = $1', [world.lambeth.flow.id])
    const { id: alone } = await world.submit(aSession(world.lambeth))
    expect(await purgeDue(parts, { now: days(29.9) })).toBeGreaterThanOrEqual(0)
    expect(await one('select status from sessions where id = $1', [alone])).toEqual({ status: 'submitted' })
    await purgeDue(parts, { now: days(30.1) })
    expect(await one('select status from sessions where id = $1', [alone])).toEqual({ status: 'purged' })
    await world.database.prisma.destination.create({
      data: { flow_id: world.lambeth.flow.id, integration_id: world.lambeth.granted.id },
    })
  })

  it('is done once, however many workers do it', async () => {
    const ids = await Promise.all(
      Array.from({ length: 12 }, async () => (await world.submit(aSession(world.camden))).id),
    )
    await world.database.pool.query('update session_grants set expires_at = now() where session_id = any($1)', [ids])
    await Promise.all(Array.from({ length: 4 }, () => purgeDue(parts, { batch: 3 })))
    await purgeDue(parts)
    const { rows } = await world.database.pool.query(
      `select session_id, count(*)::int as count from session_events where type = 'session.purged' and session_id = any($1) group by 1`,
      [ids],
    )
    expect(rows.map(({ count }) => count)).toEqual(ids.map(() => 1))
  })

  it('takes away what an attempt or an upload brought after it', async () => {
    const marker = randomUUID()
    const id = await plant(marker)
    await world.database.pool.query('update session_grants set expires_at = now() where session_id = $1', [id])
    await world.database.pool.query(
      `update session_files set upload_expires_at = now() + interval '10 minutes' where session_id = $1`,
      [id],
    )
    await purgeDue(parts)
    await plantTraces(id, marker)
    const key = `${world.camden.id}/${world.camden.flow.id}/${id}/incoming/${randomUUID()}`
    await storage.files.put(key, Buffer.from(marker))
    await blankLateTraces(parts)
    await sweepStores(parts, { retentionDays: 30 })
    await removeLateUploads(parts)
    expect(await bucket()).toContain(marker)
    await removeLateUploads(parts, { now: days(0.1) })
    expect((await dump()).split('\n').filter((row) => row.includes(marker))).toEqual([])
    expect(await bucket()).not.toContain(marker)
    expect(await mails()).not.toContain(marker)
  })
})

describe('long after its end', () => {
  it('nothing is left of a session but its audit entries; before that, runs and raw sources go', async () => {
    const { pool } = world.database
    const [id, other] = [await plant(randomUUID()), await plant(randomUUID())]
    await pool.query('update session_grants set expires_at = now() where session_id = $1', [id])
    await purgeDue(parts)
    // As if it had been long ago; runs are old by their ids.
    await pool.query(`update sessions set purged_at = purged_at - interval '100 days' where id = $1`, [id])
    await pool.query(`update raw_sources set purged_at = purged_at - interval '100 days' where session_id = $1`, [id])
    const left = async () =>
      one(
        `select (select count(*)::int from raw_sources where connection_id in (
                   select connection_id from connector_runs where session_id = any($1::uuid[]))) as sources,
                (select count(*)::int from sessions where id = any($1::uuid[])) as sessions,
                (select count(*)::int from session_events where session_id = $1[1]) as events,
                (select count(*)::int from deliveries where session_id = $1[1]) as deliveries,
                (select count(*)::int from audit_entries where session_ids @> array[$1[1]]::uuid[]) > 0 as audited`,
        [[id, other]],
      )
    await pruneConnectors(pool, { before: days(-90), forget: days(-1000) })
    expect(await left()).toMatchObject({ sources: 2, sessions: 2 })
    await pruneConnectors(pool, { before: days(-90), forget: days(-90) })
    expect(await left()).toMatchObject({ sources: 1, sessions: 2, audited: true })
    expect(await pruneRecords(pool, { before: days(-101) })).toBe(0)
    expect(await pruneRecords(pool, { before: days(-90) })).toBe(1)
    expect(await left()).toEqual({ sources: 1, sessions: 1, events: 0, deliveries: 0, audited: true })
    await pruneConnectors(pool, { before: days(1), forget: days(-90) })
    expect(await one('select count(*)::int as runs from connector_runs')).toEqual({ runs: 0 })
  })
})

describe('the store of a connection', () => {
  const names = async () =>
    (await world.database.pool.query<{ name: string }>('select name from store_items order by name')).rows.map(
      ({ name }) => name,
    )
  const sweep = (now?: Date) => sweepStores(parts, { retentionDays: 30, ...(now && { now }) })

  it('loses what runs without a session do not write again, and all of it with the connection or its connector', async () => {
    const { pool } = world.database
    await pool.query(`delete from connections`)
    await sweep()
    expect(await names()).toEqual([])
    expect(await bucket()).not.toMatch(/connections\//)
    const id = await plant(randomUUID())
    const { connection_id, connector_id } = await one<{ connection_id: string; connector_id: string }>(
      `select c.id as connection_id, c.connector_id from connections c join connector_runs r on r.connection_id = c.id
        where r.session_id = $1`,
      [id],
    )
    const of = { pool, objects: storage.files, connection_id }
    const own = connectionStore({ ...of, origin_id: undefined })
    await own.put('codes.json', Buffer.from('{}'), false)
    await own.put('cursor.json', Buffer.from('{}'), true)
    await own.remove('month.csv')
    expect(await sweep(days(29))).toBe(0)
    expect(await sweep(days(31))).toBe(1)
    expect(await names()).toHaveLength(4)
    expect(await names()).toEqual(expect.arrayContaining(['cursor.json', 'ledger.json', 'source.xml']))
    await pool.query('update connectors set uninstalled_at = now() where id = $1', [connector_id])
    await expect(own.put('late.json', Buffer.from('{}'), false)).rejects.toThrow(/deleted/)
    expect(await sweep()).toBe(4)
    await storage.files.put(`connections/${connection_id}/unknown.json`, Buffer.from('?'))
    await removeOrphans({ pool, files: storage.files })
    expect(await bucket()).toContain('unknown.json')
    await removeOrphans({ pool, files: storage.files }, days(1))
    expect(await bucket()).not.toContain('unknown.json')
  })
})

describe('erasure on request', () => {
  const purge = 'mutation ($id: uuid!, $reason: String!) { purge_session(id: $id, reason: $reason) { id purged_at } }'

  it('is at once, also where the session may still be read, and is seen with its reason', async () => {
    const marker = randomUUID()
    const id = await plant(marker)
    const { errors } = await world.graphql(purge, { variables: { id, reason: 'case 42' }, authorization: editor })
    expect(errors).toBeUndefined()
    expect((await dump()).split('\n').filter((row) => row.includes(marker))).toEqual([])
    expect(await bucket()).not.toContain(marker)
    const { data } = await world.graphql(
      'query ($id: uuid!) { sessions_by_pk(id: $id) { status data purge_reason } }',
      {
        variables: { id },
        authorization: editor,
      },
    )
    expect(data).toEqual({ sessions_by_pk: { status: 'purged', data: null, purge_reason: 'case 42' } })
    const gone = await world.graphql('query ($id: uuid!) { sessions_by_pk(id: $id) { id } }', {
      variables: { id },
      authorization: basic(world.camden.granted.consumer),
    })
    expect(gone.data).toEqual({ sessions_by_pk: null })
    const audited = await one<{ detail: object }>(
      `select detail from audit_entries where operation = 'purge_session' and $1 = any(session_ids)`,
      [id],
    )
    expect(audited.detail).toMatchObject({ reason: 'case 42' })
  })

  it('is not offered for the sessions of another team, and not without a reason', async () => {
    const { id } = await world.submit(aSession(world.lambeth))
    const other = await world.graphql(purge, { variables: { id, reason: 'x' }, authorization: editor })
    expect(other.errors?.[0]?.extensions.code).toBe('NOT_FOUND')
    const { id: own } = await world.submit(aSession(world.camden))
    const blank = await world.graphql(purge, { variables: { id: own, reason: ' ' }, authorization: editor })
    expect(blank.errors?.[0]?.extensions.code).toBe('VALIDATION_FAILED')
  })

  it('leaves an id that cannot be used again, and a session that cannot be updated', async () => {
    const session = aSession(world.camden)
    const { id } = await world.submit(session)
    await world.graphql(purge, { variables: { id, reason: 'asked' }, authorization: editor })
    await expect(world.submit(session)).rejects.toThrow(/was purged on/)
    const { errors } = await world.graphql(
      'mutation ($object: update_session_input!) { update_session(object: $object) { revision } }',
      { variables: { object: { id, data: {} } }, authorization: basic(world.source) },
    )
    expect(errors?.[0]?.extensions.code).toBe('GONE')
  })
})

describe('before the end', () => {
  it('session.expiring is announced once, three days before the last grant ends', async () => {
    const { id } = await world.submit(aSession(world.camden))
    const events = async () =>
      one<{ count: number }>(
        `select count(*)::int as count from session_events where session_id = $1 and type = 'session.expiring'`,
        [id],
      )
    await announceExpiring(world.database.pool, { now: days(26.9) })
    expect(await events()).toEqual({ count: 0 })
    await Promise.all([1, 2, 3].map(() => announceExpiring(world.database.pool, { now: days(27.1) })))
    await announceExpiring(world.database.pool, { now: days(28) })
    expect(await events()).toEqual({ count: 1 })
  })

  it('a team sets its own days, within the limits of the installation', async () => {
    const set =
      'mutation ($id: uuid!, $set: teams_set_input!) { update_teams_by_pk(pk_columns: { id: $id }, _set: $set) { id } }'
    const change = (set_: object) =>
      world.graphql(set, { variables: { id: world.camden.id, set: set_ }, authorization: editor })
    for (const wrong of [{ retention_days: 366 }, { retention_days: 0 }, { retention_after_retrieval_days: -1 }]) {
      const { errors } = await change(wrong)
      expect(errors?.[0]?.extensions.code).toBe('VALIDATION_FAILED')
    }
    expect((await change({ retention_days: 10, retention_after_retrieval_days: 2 })).errors).toBeUndefined()
    const { id } = await world.submit(aSession(world.camden))
    const end = () =>
      one<{ days: number }>(
        `select round(extract(epoch from g.expires_at - s.submitted_at) / 86400)::int as days
           from session_grants g join sessions s on s.id = g.session_id where s.id = $1`,
        [id],
      )
    expect(await end()).toEqual({ days: 10 })
    await world.graphql('query ($id: uuid!) { sessions_by_pk(id: $id) { data } }', {
      variables: { id },
      authorization: basic(world.camden.granted.consumer),
    })
    expect(await end()).toEqual({ days: 2 })
    await change({ retention_days: null, retention_after_retrieval_days: null })
  })
})
