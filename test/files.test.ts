import { createHash, randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { request as httpRequest } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startTestClamd, type TestClamd } from '../src/files/clamd.fixture.ts'
import { expireUploads, findMissing, removeOrphans, settlePending } from '../src/files/jobs.ts'
import { incomingKey } from '../src/files/keys.ts'
import { createFileParts } from '../src/files/parts.ts'
import { openSessionFile } from '../src/files/read.ts'
import { type FileRow, settleFile } from '../src/files/rows.ts'
import { docx, eicar, gif, pdf, png, program } from '../src/files/samples.fixture.ts'
import { silentLog } from '../src/log.ts'
import { type TestStorage, testStorage } from './ground/storage.ts'
import { aSession, basic, buildWorld, type World } from './ground/world.ts'

let storage: TestStorage
let clamd: TestClamd
let world: World
let parts: ReturnType<typeof createFileParts>

const maxBytes = 7_000_000

beforeAll(async () => {
  storage = await testStorage()
  clamd = await startTestClamd()
  world = await buildWorld({
    config: { ...storage.config, CLAMAV_URL: clamd.url, MAX_FILE_BYTES: String(maxBytes) } as Record<string, string>,
  })
  parts = createFileParts({ config: world.config, pool: world.database.pool, log: silentLog })
})
afterAll(async () => {
  await world?.close()
  await clamd?.close()
  await storage?.close()
})

const pool = () => world.database.pool
const consumer = () => basic(world.camden.granted.consumer)
const sha256 = (content: Buffer) => createHash('sha256').update(content).digest('hex')

interface State {
  readonly id: string
  readonly status: string
  readonly reason: string | null
  readonly size: number | null
  readonly sha256: string | null
}

async function ask<T>(
  query: string,
  variables: Record<string, unknown>,
  authorization = basic(world.source),
): Promise<T> {
  const { data, errors } = await world.graphql<Record<string, T>>(query, { variables, authorization })
  if (errors) throw Object.assign(new Error(errors[0]?.message), { code: errors[0]?.extensions.code })
  return Object.values(data)[0] as T
}

const announce = (object: Record<string, unknown>, authorization?: string) =>
  ask<{ id: string; url: string; method: string; headers: Record<string, string>; expires_at: string }>(
    'mutation ($object: create_file_upload_input!) { create_file_upload(object: $object) { id url method headers expires_at } }',
    { object: { team: 'camden', flow: 'apply', type: 'application/pdf', ...object } },
    authorization,
  )
const complete = (id: string, authorization?: string) =>
  ask<State>(
    'mutation ($id: uuid!) { complete_file_upload(id: $id) { id status reason size sha256 } }',
    { id },
    authorization,
  )
const put = (url: string, body: Buffer) => fetch(url, { method: 'PUT', body: new Uint8Array(body) })

interface Link extends State {
  readonly name: string
  readonly url: string | null
  readonly expires_at: string | null
}
const linksOf = (session_id: string, authorization = consumer()) =>
  ask<Link[]>(
    'mutation ($id: uuid!) { create_file_links(session_id: $id) { id name status reason size sha256 url expires_at } }',
    { id: session_id },
    authorization,
  )

/** PUT to a link and completed, before the session is there. */
async function uploaded(session_id: string, name: string, content: Buffer, type = 'application/pdf') {
  const { id, url } = await announce({ session_id, name, type })
  expect((await put(url, content)).status).toBe(200)
  return complete(id)
}

const filesAt = (session: string, file = '') => `${world.url}/v1/sessions/${session}/files${file && `/${file}`}`

function post(
  session_id: string,
  name: string,
  content: Buffer | Blob,
  { authorization = basic(world.source), type = '', place = true } = {},
) {
  const form = new FormData()
  if (place) {
    form.set('team', 'camden')
    form.set('flow', 'apply')
  }
  form.set('file', new File([content as Blob], name, { type }))
  return fetch(filesAt(session_id), { method: 'POST', body: form, headers: { authorization } })
}

async function submitted(id: string = randomUUID()): Promise<string> {
  await world.submit(aSession(world.camden, { id }))
  return id
}

const objectsOf = async (session: string) => {
  const keys: string[] = []
  for await (const { key } of storage.files.list(`${world.camden.id}/${world.camden.flow.id}/${session}/`))
    keys.push(key)
  return keys
}
const auditOf = async (session: string) =>
  (
    await pool().query(
      'select operation, outcome, actor_id, integration_id, detail from audit_entries where $1 = any(session_ids) order by position',
      [session],
    )
  ).rows
const grantOf = async (session: string) =>
  (await pool().query('select first_retrieved_at, expires_at from session_grants where session_id = $1', [session]))
    .rows[0]

describe('an upload by link', () => {
  test('is stored once it was completed, belongs to the session that comes later, and is had by its consumer', async () => {
    const session = randomUUID()
    const ticket = await announce({
      session_id: session,
      name: 'Site plan é.pdf',
      size: pdf.length,
      sha256: sha256(pdf),
    })
    expect(ticket).toMatchObject({ method: 'PUT', headers: { 'content-type': 'application/pdf' } })
    await expect(complete(ticket.id)).rejects.toMatchObject({
      code: 'CONFLICT',
      message: expect.stringMatching(/Nothing was uploaded/),
    })
    await put(ticket.url, pdf)
    const state = { id: ticket.id, status: 'stored', reason: null, size: pdf.length, sha256: sha256(pdf) }
    expect(await complete(ticket.id)).toEqual(state)
    expect(await complete(ticket.id)).toEqual(state)

    await submitted(session)
    const { data } = await world.graphql(
      'query ($id: uuid!) { session_files(where: { session_id: { _eq: $id } }) { id name type size sha256 status url } }',
      {
        variables: { id: session },
        authorization: consumer(),
      },
    )
    expect(data).toEqual({
      session_files: [
        {
          id: ticket.id,
          name: 'Site plan é.pdf',
          type: 'application/pdf',
          size: pdf.length,
          sha256: sha256(pdf),
          status: 'stored',
          url: `/v1/sessions/${session}/files/${ticket.id}`,
        },
      ],
    })
    expect((await grantOf(session)).first_retrieved_at).toBeNull()

    const [link] = await linksOf(session)
    const answer = await fetch(link?.url as string)
    expect(Buffer.from(await answer.arrayBuffer())).toEqual(pdf)
    expect(answer.headers.get('content-type')).toBe('application/pdf')
    expect(answer.headers.get('content-disposition')).toBe(
      `attachment; filename="Site plan _.pdf"; filename*=UTF-8''Site%20plan%20%C3%A9.pdf`,
    )
    expect(Date.parse(link?.expires_at as string) - Date.now()).toBeLessThanOrEqual(300_000)
  })

  test('that is written again after it was checked changes nothing', async () => {
    const session = randomUUID()
    const { id, url } = await announce({ session_id: session, name: 'a.pdf' })
    await put(url, pdf)
    await complete(id)
    expect((await put(url, program)).status).toBe(200)
    expect(await complete(id)).toMatchObject({ status: 'stored', sha256: sha256(pdf) })
    await submitted(session)
    const [link] = await linksOf(session)
    expect(Buffer.from(await (await fetch(link?.url as string)).arrayBuffer())).toEqual(pdf)
    const [row] = (await pool().query('select object_key from session_files where id = $1', [id])).rows
    expect(await removeOrphans(parts, new Date(Date.now() + 86_400_000))).toBeGreaterThan(0)
    expect(await objectsOf(session)).toEqual([row.object_key])
  })

  test.each<[string, Record<string, unknown>, Buffer, RegExp]>([
    ['another type', { name: 'a.pdf' }, png, /said to be application\/pdf, but its content is image\/png/],
    ['a program', { name: 'a.pdf' }, program, /x-msdownload/],
    ['another size', { name: 'a.pdf', size: 5 }, pdf, /and 5 were announced/],
    ['another hash', { name: 'a.pdf', sha256: 'a'.repeat(64) }, pdf, /aaaa was announced/],
    ['too much', { name: 'a.pdf' }, Buffer.concat([pdf, Buffer.alloc(maxBytes)]), /larger than 6.7 MiB/],
  ])(
    'of %s is refused with the reason, keeps nothing, and gives way to another try',
    async (_, object, content, reason) => {
      const session = randomUUID()
      const { id, url } = await announce({ session_id: session, ...object })
      await put(url, content)
      expect(await complete(id)).toMatchObject({ status: 'refused', reason: expect.stringMatching(reason) })
      expect(await objectsOf(session)).toEqual([])
      expect(await uploaded(session, 'a.pdf', pdf)).toMatchObject({ status: 'stored' })
      await expect(announce({ session_id: session, name: 'a.pdf' })).rejects.toMatchObject({ code: 'CONFLICT' })
    },
  )

  test('is refused before it begins where it cannot succeed', async () => {
    const session_id = randomUUID()
    const cases: [Record<string, unknown>, string, string?][] = [
      [{ name: 'a.exe' }, 'UNSUPPORTED'],
      [{ name: 'a.pdf', type: 'text/html' }, 'UNSUPPORTED'],
      [{ name: '../a.pdf' }, 'VALIDATION_FAILED'],
      [{ name: 'a.pdf', size: maxBytes + 1 }, 'TOO_LARGE'],
      [{ name: 'a.pdf', size: -1 }, 'VALIDATION_FAILED'],
      [{ name: 'a.pdf', sha256: 'zz' }, 'VALIDATION_FAILED'],
      [{ name: 'a.pdf', team: 'nowhere' }, 'NOT_FOUND'],
      [{ name: 'a.pdf', flow: 'nothing' }, 'NOT_FOUND'],
    ]
    for (const [object, code] of cases) {
      await expect(announce({ session_id, ...object }), JSON.stringify(object)).rejects.toMatchObject({ code })
    }
    const other = randomUUID()
    await world.submit(aSession(world.lambeth, { id: other }))
    await expect(announce({ session_id: other, name: 'a.pdf' })).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  test('is the business of sources: consumers and viewers have no such action, and one team does not touch the other', async () => {
    await expect(announce({ session_id: randomUUID(), name: 'a.pdf' }, consumer())).rejects.toThrow(
      /Cannot query field|Unknown type/,
    )
    const session = randomUUID()
    const mine = await announce({ session_id: session, name: 'a.pdf' })
    const theirs = await announce({ session_id: session, name: 'a.pdf', team: 'lambeth' })
    expect(mine.id).not.toBe(theirs.id)
    await expect(complete(randomUUID())).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('may be completed while its session is submitted, and by a job when nobody completes it', async () => {
    const session = randomUUID()
    const first = await announce({ session_id: session, name: 'one.pdf' })
    const second = await announce({ session_id: session, name: 'two.pdf' })
    await put(first.url, pdf)
    await put(second.url, pdf)
    await submitted(session)
    expect(await complete(first.id)).toMatchObject({ status: 'stored' })
    expect(await settlePending(parts)).toBeGreaterThanOrEqual(1)
    expect((await linksOf(session)).map(({ status }) => status)).toEqual(['stored', 'stored'])
  })

  test('whose completions overlap ends once, with one object', async () => {
    const session = randomUUID()
    const { id, url } = await announce({ session_id: session, name: 'a.pdf' })
    await put(url, pdf)
    const results = await Promise.allSettled(Array.from({ length: 4 }, () => complete(id)))
    expect(results.some((result) => result.status === 'fulfilled' && result.value.status === 'stored')).toBe(true)
    expect(await complete(id)).toMatchObject({ status: 'stored' })
    expect(await objectsOf(session)).toHaveLength(1)
  })
})

describe('the scanner', () => {
  test('puts a virus into quarantine: the session goes on, and nobody gets the file', async () => {
    const session = randomUUID()
    expect(await uploaded(session, 'notes.txt', eicar, 'text/plain')).toMatchObject({
      status: 'quarantined',
      reason: 'The virus scanner found Eicar-Test-Signature.',
    })
    await submitted(session)
    const [link] = await linksOf(session)
    expect(link).toMatchObject({ status: 'quarantined', url: null, reason: expect.stringMatching(/Eicar/) })
    expect((await grantOf(session)).first_retrieved_at).toBeNull()
    const answer = await fetch(filesAt(session, link?.id), {
      headers: { authorization: consumer() },
      redirect: 'manual',
    })
    expect(answer.status).toBe(403)
    expect(await answer.json()).toMatchObject({ code: 'FORBIDDEN', file: { status: 'quarantined' } })
    await expect(openSessionFile(parts, session, 'notes.txt')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  test('that is away leaves files pending, out of reach, until a job has them scanned', async () => {
    const away = createFileParts({
      config: { ...world.config, CLAMAV_URL: 'tcp://127.0.0.1:1' },
      pool: pool(),
      log: silentLog,
    })
    const session = await submitted()
    const { id, url } = await announce({ session_id: session, name: 'a.pdf' })
    await put(url, pdf)
    expect(await settlePending(away)).toBe(0)
    const [link] = await linksOf(session)
    expect(link).toMatchObject({ status: 'pending', url: null, reason: 'It waits to be scanned for viruses.' })
    const answer = await fetch(filesAt(session, id), { headers: { authorization: consumer() }, redirect: 'manual' })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([409, '120'])
    expect(await expireUploads(away)).toBe(0)
    expect(await settlePending(parts)).toBe(1)
    expect((await linksOf(session))[0]).toMatchObject({
      status: 'stored',
      sha256: sha256(pdf),
      url: expect.any(String),
    })
  })
})

describe('POST /v1/sessions/{session_id}/files', () => {
  test('takes a file before and after its session is submitted', async () => {
    const session = randomUUID()
    const before = await post(session, 'Überblick.docx', docx(), {
      type: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    })
    expect(before.status).toBe(201)
    const state = (await before.json()) as State
    expect(state).toMatchObject({
      name: 'Überblick.docx',
      status: 'stored',
      sha256: sha256(docx()),
      size: docx().length,
    })
    expect(before.headers.get('location')).toBe(`/v1/sessions/${session}/files/${state.id}`)
    const unplaced = await post(randomUUID(), 'a.pdf', pdf, { place: false })
    expect(unplaced.status).toBe(404)

    await submitted(session)
    expect((await post(session, 'after.pdf', pdf, { place: false })).status).toBe(201)
    const list = await fetch(filesAt(session), { headers: { authorization: consumer() } })
    expect(await list.json()).toEqual({
      files: [
        expect.objectContaining({ name: 'after.pdf', status: 'stored' }),
        expect.objectContaining({
          id: state.id,
          name: 'Überblick.docx',
          url: `/v1/sessions/${session}/files/${state.id}`,
        }),
      ],
    })
    const head = await fetch(filesAt(session, state.id), { method: 'HEAD', headers: { authorization: consumer() } })
    expect(head.headers.get('repr-digest')).toBe(`sha-256=:${Buffer.from(sha256(docx()), 'hex').toString('base64')}:`)
    expect((await grantOf(session)).first_retrieved_at).toBeNull()
  })

  test('refuses what is not what it says with 415, and keeps nothing of it', async () => {
    const session = randomUUID()
    const answer = await post(session, 'plan.pdf', Buffer.concat([gif, pdf]))
    expect(answer.status).toBe(415)
    expect(answer.headers.get('content-type')).toBe('application/problem+json')
    expect(await answer.json()).toMatchObject({
      type: 'urn:sluice:problem:unsupported',
      status: 415,
      detail: 'The file is said to be application/pdf, but its content is image/gif.',
      request_id: expect.any(String),
      file: { status: 'refused' },
    })
    expect(await objectsOf(session)).toEqual([])
    expect((await post(session, 'eicar.txt', eicar)).status).toBe(415)
  })

  test('refuses what is too large with 413, whether that is said or found out, and keeps nothing of it', async () => {
    const session = randomUUID()
    const large = Buffer.concat([pdf, Buffer.alloc(maxBytes)])
    const declared = await post(session, 'a.pdf', large).then(
      ({ status }) => status,
      // The gateway may hang up before the client has finished sending.
      () => 413,
    )
    expect(declared).toBe(413)
    const form = new FormData()
    form.set('team', 'camden')
    form.set('flow', 'apply')
    form.set('file', new File([large], 'a.pdf'))
    const encoded = new Response(form)
    const answer = await fetch(filesAt(session), {
      method: 'POST',
      headers: { authorization: basic(world.source), 'content-type': encoded.headers.get('content-type') as string },
      body: encoded.body,
      duplex: 'half',
    } as RequestInit)
    expect(answer.status).toBe(413)
    expect(await answer.json()).toMatchObject({ code: 'TOO_LARGE', detail: expect.stringMatching(/MAX_FILE_BYTES/) })
    expect(await objectsOf(session)).toEqual([])
    const { rows } = await pool().query('select 1 from file_uploads where session_id = $1', [session])
    expect(rows).toEqual([])
  })

  test('leaves nothing of an upload that breaks off', async () => {
    const session = randomUUID()
    const boundary = 'x'
    const start = `--${boundary}\r\ncontent-disposition: form-data; name="team"\r\n\r\ncamden\r\n--${boundary}\r\ncontent-disposition: form-data; name="flow"\r\n\r\napply\r\n--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n`
    const headers = { authorization: basic(world.source), 'content-type': `multipart/form-data; boundary=${boundary}` }
    const cut = await fetch(filesAt(session), {
      method: 'POST',
      headers,
      body: Buffer.concat([Buffer.from(start), pdf]),
    })
    expect([cut.status, ((await cut.json()) as { detail: string }).detail]).toEqual([
      400,
      'The multipart/form-data body is broken or incomplete.',
    ])

    const request = httpRequest(filesAt(session), { method: 'POST', headers })
    const broken = once(request, 'error').catch(() => undefined)
    request.write(Buffer.concat([Buffer.from(start), pdf]))
    await until(
      async () => (await pool().query('select 1 from file_uploads where session_id = $1', [session])).rows.length === 1,
    )
    request.destroy(new Error('the client went away'))
    await broken
    await until(async () => {
      const { rows } = await pool().query('select 1 from file_uploads where session_id = $1', [session])
      return rows.length === 0 && (await objectsOf(session)).length === 0
    })
  })

  test('answers everything else that is wrong with problem details', async () => {
    const session = randomUUID()
    const authorization = basic(world.source)
    const json = { authorization, 'content-type': 'application/json' }
    expect((await fetch(filesAt(session), { method: 'POST', headers: json, body: '{}' })).status).toBe(415)
    const form = { authorization, 'content-type': 'multipart/form-data' }
    expect((await fetch(filesAt(session), { method: 'POST', headers: form, body: 'x' })).status).toBe(415)
    const empty = new FormData()
    empty.set('team', 'camden')
    expect((await fetch(filesAt(session), { method: 'POST', headers: { authorization }, body: empty })).status).toBe(
      400,
    )
    expect((await post(session, 'a.pdf', pdf, { authorization: consumer() })).status).toBe(403)
    expect((await post('not-an-id', 'a.pdf', pdf)).status).toBe(404)
    expect((await post(session, 'a.pdf', pdf, { authorization: 'Basic xx' })).status).toBe(401)
    const nowhere = await fetch(`${world.url}/v1/nowhere`, { headers: { authorization } })
    expect([nowhere.status, nowhere.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
    const method = await fetch(filesAt(session), { method: 'DELETE', headers: { authorization } })
    expect([method.status, method.headers.get('allow')]).toEqual([405, 'POST, GET, HEAD'])
  })
})

describe('a link', () => {
  test('is a retrieval: in one go it is audited and starts the clock; fetching again does not start it again', async () => {
    const session = randomUUID()
    const { id } = await uploaded(session, 'a.pdf', pdf)
    await submitted(session)
    const answer = await fetch(filesAt(session, id), { headers: { authorization: consumer() }, redirect: 'manual' })
    expect([answer.status, answer.headers.get('cache-control')]).toEqual([302, 'private, no-store'])
    expect(await buffer((await fetch(answer.headers.get('location') as string)).body as never)).toEqual(pdf)
    const grant = await grantOf(session)
    expect(grant.first_retrieved_at).not.toBeNull()
    expect(grant.expires_at.getTime() - Date.now()).toBeLessThanOrEqual(5 * 86_400_000)
    await linksOf(session)
    expect((await grantOf(session)).first_retrieved_at).toEqual(grant.first_retrieved_at)
    const entries = (await auditOf(session)).filter(({ operation }) => operation === 'link_files')
    expect(entries).toEqual(
      Array.from({ length: 2 }, () =>
        expect.objectContaining({
          outcome: 'granted',
          integration_id: world.camden.granted.id,
          detail: { files: [id], access: 'live' },
        }),
      ),
    )
  })

  test('opens nothing without a live grant: 404 to who has none, 410 when it has ended, and both leave a trace', async () => {
    const session = randomUUID()
    const { id } = await uploaded(session, 'a.pdf', pdf)
    await submitted(session)
    for (const stranger of [world.camden.other, world.lambeth.granted]) {
      const authorization = basic(stranger.consumer)
      await expect(linksOf(session, authorization)).rejects.toMatchObject({ code: 'NOT_FOUND' })
      expect((await fetch(filesAt(session, id), { headers: { authorization }, redirect: 'manual' })).status).toBe(404)
      expect((await fetch(filesAt(session), { headers: { authorization } })).status).toBe(404)
    }
    const elsewhere = await submitted()
    expect(
      (await fetch(filesAt(elsewhere, id), { headers: { authorization: consumer() }, redirect: 'manual' })).status,
    ).toBe(404)
    await pool().query('update session_grants set expires_at = now() where session_id = $1', [session])
    await expect(linksOf(session)).rejects.toMatchObject({ code: 'GONE' })
    const gone = await fetch(filesAt(session, id), { headers: { authorization: consumer() }, redirect: 'manual' })
    expect([gone.status, (await gone.json()) as object]).toEqual([410, expect.objectContaining({ code: 'GONE' })])
    expect(
      (await auditOf(session)).filter(({ operation, outcome }) => operation === 'link_files' && outcome === 'refused'),
    ).toHaveLength(2)
    expect((await grantOf(session)).first_retrieved_at).toBeNull()
  })

  test('is given to editors of the team without a clock, and not to viewers, other teams or sources', async () => {
    const session = randomUUID()
    const { id } = await uploaded(session, 'a.pdf', pdf)
    await submitted(session)
    const token = async ({ email, password }: { email: string; password: string }) =>
      `Bearer ${(await ask<{ token: string }>('mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }', { email, password }, '')).token}`
    const [link] = await linksOf(session, await token(world.camden.editor))
    expect((await fetch(link?.url as string)).status).toBe(200)
    expect((await grantOf(session)).first_retrieved_at).toBeNull()
    expect(
      (await auditOf(session)).some(({ operation, detail }) => operation === 'link_files' && detail.files[0] === id),
    ).toBe(true)
    await expect(linksOf(session, await token(world.lambeth.editor))).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await expect(linksOf(session, await token(world.camden.viewer))).rejects.toThrow(/Cannot query field/)
    for (const authorization of [await token(world.camden.viewer), basic(world.source)]) {
      expect((await fetch(filesAt(session, id), { headers: { authorization }, redirect: 'manual' })).status).toBe(403)
    }
  })

  test('that is tampered with or used for another file is refused by the storage', async () => {
    const session = randomUUID()
    await uploaded(session, 'a.pdf', pdf)
    await uploaded(session, 'b.pdf', pdf)
    await submitted(session)
    const [a, b] = (await linksOf(session)).map(({ url }) => new URL(url as string))
    const moved = new URL(a as URL)
    moved.pathname = (b as URL).pathname
    const longer = new URL(a as URL)
    longer.searchParams.set('X-Amz-Expires', '86400')
    for (const url of [moved, longer]) expect((await fetch(url)).status).toBe(403)
    expect((await fetch(a as URL, { method: 'PUT', body: program })).status).toBe(403)
    expect((await fetch(a as URL)).headers.get('x-content-type-options')).toBe('nosniff')
  })
})

describe('housekeeping', () => {
  test('gives up uploads whose time is over, rows and objects, and calls files of sessions missing', async () => {
    const [waiting, there] = [randomUUID(), await submitted()]
    await uploaded(waiting, 'a.pdf', pdf)
    const never = await announce({ session_id: waiting, name: 'b.pdf' })
    await put(never.url, pdf)
    await announce({ session_id: there, name: 'c.pdf' })
    await pool().query(`update file_uploads set expires_at = now() where session_id = $1`, [waiting])
    await pool().query(`update session_files set upload_expires_at = now() where session_id = $1`, [there])
    expect(await expireUploads(parts)).toBe(3)
    expect(await objectsOf(waiting)).toEqual([])
    expect((await linksOf(there))[0]).toMatchObject({
      status: 'missing',
      url: null,
      reason: 'It was announced and never uploaded.',
    })
    expect((await post(there, 'c.pdf', pdf, { place: false })).status).toBe(201)
  })

  test('finds objects that no file has, and leaves the young, the pending and what is not of sessions', async () => {
    const session = randomUUID()
    await uploaded(session, 'a.pdf', pdf)
    const pending = await announce({ session_id: session, name: 'b.pdf' })
    await put(pending.url, pdf)
    const [kept] = await objectsOf(session)
    const orphan = (kept as string).replace(/[^/]+$/, `${randomUUID()}-00000000-left.pdf`)
    await storage.files.put(orphan, pdf)
    await storage.files.put(`${(kept as string).replace(/[^/]+$/, '')}summary.pdf`, pdf)
    await storage.files.put('connectors/some-bundle.js', pdf)
    await removeOrphans(parts)
    expect(await storage.files.stat(orphan)).toBeDefined()
    await removeOrphans(parts, new Date(Date.now() + 86_400_000))
    expect(await storage.files.stat(orphan)).toBeUndefined()
    expect(await objectsOf(session)).toHaveLength(3)
    expect(await storage.files.stat('connectors/some-bundle.js')).toBeDefined()
  })

  test('notices that content is gone, and says so instead of giving a link', async () => {
    const session = randomUUID()
    await uploaded(session, 'a.pdf', pdf)
    await uploaded(session, 'b.pdf', pdf)
    await submitted(session)
    const [row] = (
      await pool().query<FileRow>(`select object_key from session_files where session_id = $1 and name = 'a.pdf'`, [
        session,
      ])
    ).rows
    await storage.files.remove(row?.object_key as string)
    expect(await findMissing(parts)).toBe(1)
    expect(await linksOf(session)).toMatchObject([
      { name: 'a.pdf', status: 'missing', url: null, reason: 'Its content is no longer in the file storage.' },
      { name: 'b.pdf', status: 'stored', url: expect.any(String) },
    ])
    const { stream, ...file } = await openSessionFile(parts, session, 'b.pdf')
    expect(file).toMatchObject({ name: 'b.pdf', type: 'application/pdf', size: pdf.length, sha256: sha256(pdf) })
    expect(await buffer(stream)).toEqual(pdf)
  })

  test('a file whose session is purged while it is checked is not brought back', async () => {
    const session = await submitted()
    const { id, url } = await announce({ session_id: session, name: 'a.pdf' })
    await put(url, pdf)
    const [row] = (await pool().query<FileRow>('select object_key from session_files where id = $1', [id])).rows
    await pool().query(`update session_files set status = 'purged', purged_at = now() where id = $1`, [id])
    const settled = await settleFile(pool(), row?.object_key as string, {
      status: 'stored',
      reason: null,
      size: 1,
      sha256: null,
      object_key: `${row?.object_key}x`,
      seconds: 60,
    })
    expect(settled).toBeUndefined()
    await storage.files.remove(incomingKey(row?.object_key as string))
  })
})

async function until(holds: () => Promise<boolean>, ms = 30_000): Promise<void> {
  const end = Date.now() + ms
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`It did not come true within ${ms} ms.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
