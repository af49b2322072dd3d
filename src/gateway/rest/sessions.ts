/**
 * Sessions over REST. `GET /v1/sessions/{id}` hands data over, and so is a retrieval; the list, HEAD and 304 are not.
 * Sources submit and update; both run the same actions as GraphQL.
 */
import type { Role } from '../../access/principal.ts'
import { SluiceError } from '../../errors.ts'
import type { SubmitResult } from '../../sessions/submit.ts'
import type { UpdateResult } from '../../sessions/update.ts'
import type { Documents } from './documents.ts'
import { cursorOf, idOf, slugOf, someOf, wholeNumber } from './parameters.ts'
import { HttpError } from './problem.ts'
import { names, plainTag, reply, replyNotModified, replyText, tagsOf } from './reply.ts'
import { jsonBody } from './request-body.ts'
import { firstRoot } from './root-text.ts'
import type { RestCall, RestRoute } from './router.ts'

export interface SessionRoutesOptions {
  readonly documents: Documents
  /** `position_horizon()` now. */
  readonly horizon: () => Promise<string>
  readonly maxBodyBytes: number
}

export const mostRows = 1000

export function sessionRoutes(options: SessionRoutesOptions): readonly RestRoute[] {
  const { documents } = options
  return [
    {
      method: 'GET',
      pattern: '/v1/sessions',
      query: ['after', 'limit', 'team', 'flow', 'kind'],
      handle: (call) => listSessions(call, options),
    },
    { method: 'POST', pattern: '/v1/sessions', handle: (call) => submit(call, options) },
    { method: 'PUT', pattern: '/v1/sessions/{id}', handle: (call) => submit(call, options) },
    { method: 'PATCH', pattern: '/v1/sessions/{id}', handle: (call) => update(call, options) },
    {
      method: 'GET',
      pattern: '/v1/sessions/{id}',
      query: ['revision'],
      handle: (call) => getSession(call, documents),
    },
    {
      method: 'HEAD',
      pattern: '/v1/sessions/{id}',
      async handle(call) {
        const { revision } = await describe(call, documents)
        const headers = { etag: `"${revision}"`, 'content-type': 'application/json; charset=utf-8' }
        call.response.writeHead(200, { ...headers, 'cache-control': 'private, no-store' }).end()
      },
    },
  ]
}

const slugs = 'team { slug name } flow { slug name }'
const ofSources = 'id kind status submitted_at expires_at'
const ofReaders = `${ofSources} payment_id config schema_url position`

/** `revision` comes first: it is read from the start of the text. */
const fieldsOf = (role: Role) => `revision ${role === 'source' ? ofSources : ofReaders} ${slugs}`
const readsData = (role: Role) => role === 'consumer' || role === 'editor' || role === 'admin'
/** An integration learns why it has a session no more; to whom it was never open there is none. */
const grantsOf = (role: Role) =>
  role === 'consumer'
    ? 'grants: session_grants(where: { session_id: { _eq: $id } }, limit: 1) { revoked_at expires_at purged_at }'
    : ''

interface Grant {
  readonly revoked_at: string | null
  readonly expires_at: string
  readonly purged_at: string | null
}

interface Described {
  readonly session: { readonly revision: number } | null
  readonly grants?: readonly Grant[]
}

/** Metadata only. @throws SluiceError NOT_FOUND, GONE */
async function describe(call: RestCall, documents: Documents): Promise<{ readonly revision: number }> {
  const { role } = call.principal
  const id = idOf(call.params, 'id')
  const { session, grants } = await documents.read<Described>(
    `query ($id: uuid!) { session: sessions_by_pk(id: $id) { revision } ${grantsOf(role)} }`,
    { id },
    call,
  )
  if (!session) throw absent(grants)
  return session
}

async function getSession(call: RestCall, documents: Documents): Promise<void> {
  const { request, principal, query } = call
  const id = idOf(call.params, 'id')
  const wanted = query.has('revision')
    ? wholeNumber(query, 'revision', { least: 1, most: 999_999_999, otherwise: 1 })
    : undefined
  const ifNoneMatch = request.headers['if-none-match']
  if (wanted !== undefined || ifNoneMatch !== undefined) {
    const { revision } = await describe(call, documents)
    if (wanted !== undefined && wanted > revision) {
      throw new SluiceError('NOT_FOUND', `The session has no revision ${wanted}; the newest is ${revision}.`, {
        details: { revision },
      })
    }
    const tag = String(wanted ?? revision)
    // Nothing is handed over that was not handed over before: no retrieval.
    if (names(ifNoneMatch, tag)) return replyNotModified(call, tag)
    if (wanted !== undefined && wanted < revision) return getRevision(call, documents, wanted)
  }
  const data = readsData(principal.role) ? 'data' : ''
  const text = await documents.readText(
    `query ($id: uuid!) { session: sessions_by_pk(id: $id) { ${fieldsOf(principal.role)} ${data} } ${grantsOf(principal.role)} }`,
    { id },
    call,
  )
  const session = firstRoot(text, 'session', principal.role === 'consumer' ? 'grants' : undefined)
  if (session === 'null') throw absent((JSON.parse(text) as Described).grants)
  const revision = /^\{"revision" : (\d+)/.exec(session)?.[1]
  if (revision === undefined) throw new Error('The text of a session does not begin with its revision.')
  // Between the two statements a newer one was written.
  if (wanted !== undefined && wanted !== Number(revision)) return getRevision(call, documents, wanted)
  await replyText(call, 200, session, { tag: revision })
}

async function getRevision(call: RestCall, documents: Documents, revision: number): Promise<void> {
  const text = await documents.readText(
    `query ($id: uuid!, $revision: Int!) {
      revisions: session_revisions(where: { session_id: { _eq: $id }, revision: { _eq: $revision } }, limit: 1) {
        revision session_id created_at payment_id config schema_url data
      }
    }`,
    { id: idOf(call.params, 'id'), revision },
    call,
  )
  const [only] = [firstRoot(text, 'revisions').slice(1, -1)]
  if (!only) throw new SluiceError('NOT_FOUND', `The session has no revision ${revision}.`)
  await replyText(call, 200, only, { tag: String(revision) })
}

/** Only an integration that had a grant is told that there was a session. */
function absent(grants: readonly Grant[] = []): SluiceError {
  const [grant] = grants
  if (!grant) return new SluiceError('NOT_FOUND', 'There is no such session.')
  const reason = grant.purged_at ? 'purged' : grant.revoked_at ? 'revoked' : 'expired'
  return new SluiceError('GONE', endings[reason], {
    details: { reason, ended_at: grant.revoked_at ?? grant.expires_at, purged_at: grant.purged_at },
  })
}

const endings = {
  purged: 'This session was open to you; its data was erased and is nowhere any more.',
  revoked: 'This session was open to you until an editor of the team ended that. Ask them.',
  expired: 'This session was open to you, and its time is over. Ask the team where you still need it.',
}

/** In commit order, and only what is complete: a reader that goes on from `next` is never passed by a late commit. */
async function listSessions(call: RestCall, { documents, horizon }: SessionRoutesOptions): Promise<void> {
  const { query, principal } = call
  const choice = {
    after: cursorOf(query, 'after'),
    limit: wholeNumber(query, 'limit', { least: 1, most: mostRows, otherwise: 100 }),
    team: slugOf(query, 'team'),
    flow: slugOf(query, 'flow'),
    kind: someOf(query, 'kind', ['application', 'booking']),
  }
  if (principal.role === 'source') {
    throw new SluiceError('FORBIDDEN', 'Lists are for readers; a source asks for each session by its id.')
  }
  const before = await horizon()
  const [declared, where] = filters(choice, { team: 'String!', flow: 'String!', kind: '[session_kind!]!' })
  const own = principal.role === 'consumer' ? 'grants(limit: 1) { first_retrieved_at expires_at }' : ''
  const text = await documents.readText(
    `query ($after: String!, $before: String!, $limit: Int!${declared}) {
      sessions(where: { position: { _gt: $after, _lt: $before }${where} }, order_by: { position: asc }, limit: $limit) {
        ${fieldsOf(principal.role)} ${own}
      }
    }`,
    variablesOf({ ...choice, before }),
    call,
  )
  await replyPage(call, 'sessions', firstRoot(text, 'sessions'), { ...choice, before })
}

export interface PageChoice {
  readonly after: string
  readonly limit: number
  /** The horizon that the page was read below. */
  readonly before: string
}

/** A page, its `next`, and a link to it. */
export async function replyPage(
  call: RestCall,
  key: 'sessions' | 'events',
  rows: string,
  { after, limit, before }: PageChoice,
): Promise<void> {
  const positions = (JSON.parse(rows) as { readonly position: string }[]).map(({ position }) => position)
  const more = positions.length === limit
  // Below the horizon nothing can appear any more, so an incomplete page was the last before it.
  const seen = [after, positions.at(-1) ?? '', more ? '' : before]
  const next = seen.reduce((a, b) => (a > b ? a : b))
  const search = new URLSearchParams(call.query)
  search.set('after', next)
  await replyText(call, 200, `{"${key}": ${rows}, "next": ${JSON.stringify(next)}, "more": ${more}}`, {
    headers: { link: `</v1/${key}?${search}>; rel="next"` },
  })
}

/** Variables and conditions of the filters that were asked for, as text of a document. */
export function filters(
  choice: Readonly<Record<string, unknown>>,
  types: Readonly<Record<string, string>>,
): readonly [declared: string, where: string] {
  const asked = Object.entries(types).filter(([name]) => choice[name] != null)
  const declared = asked.map(([name, type]) => `, $${name}: ${type}`).join('')
  const where = asked.map(([name]) => `, ${conditions[name] ?? ''}`).join('')
  return [declared, where]
}

const conditions: Readonly<Record<string, string>> = {
  team: 'team: { slug: { _eq: $team } }',
  flow: 'flow: { slug: { _eq: $flow } }',
  kind: 'kind: { _in: $kind }',
  types: 'type: { _in: $types }',
}

/** Without those that were not asked for. */
export function variablesOf(choice: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(choice).filter(([, value]) => value !== null))
}

const ofSession = ['data', 'payment_id', 'config', 'schema_url']

/** POST with an id of the source's or none; PUT with the one in the path. */
async function submit(call: RestCall, { documents, maxBodyBytes }: SessionRoutesOptions): Promise<void> {
  const { request, params } = call
  const body = await jsonBody(request, {
    maxBytes: maxBodyBytes,
    known: ['id', 'team', 'flow', 'kind', ...ofSession],
  })
  const id = 'id' in params ? idOf(params, 'id') : body.id
  if (body.id !== undefined && String(body.id).toLowerCase() !== String(id).toLowerCase()) {
    throw new SluiceError('BAD_REQUEST', 'The id in the body is another one than that in the path.', { path: 'id' })
  }
  const result = await documents.act<SubmitResult>(
    `mutation ($object: submit_session_input!) { submit_session(object: $object) {
      id status created revision submitted_at expires_at event_id grants deliveries problems } }`,
    { object: id === undefined ? body : { ...body, id } },
    call,
  )
  // 202: kept, and published once it is valid.
  const status = result.status === 'invalid' ? 202 : result.created ? 201 : 200
  await reply(call, status, result, {
    tag: String(result.revision),
    headers: { location: `/v1/sessions/${result.id}` },
  })
}

async function update(call: RestCall, { documents, maxBodyBytes }: SessionRoutesOptions): Promise<void> {
  const id = idOf(call.params, 'id')
  const expected = expectedRevision(call.request.headers['if-match'])
  const changes = await jsonBody(call.request, { maxBytes: maxBodyBytes, known: ofSession })
  const object = { ...changes, id, ...(expected === undefined ? {} : { expected_revision: expected }) }
  try {
    const result = await documents.act<UpdateResult>(
      `mutation ($object: update_session_input!) { update_session(object: $object) {
        id status revision changed event_id deliveries problems } }`,
      { object },
      call,
    )
    await reply(call, 200, result, { tag: String(result.revision) })
  } catch (error) {
    const { path, message, details } = error as SluiceError
    if (error instanceof SluiceError && error.code === 'CONFLICT' && path === 'expected_revision') {
      throw new HttpError('PRECONDITION_FAILED', message, { path: 'If-Match', details: details ?? {}, cause: error })
    }
    throw error
  }
}

/** The revision that `If-Match` names; undefined for any. @throws SluiceError BAD_REQUEST */
function expectedRevision(header: string | undefined): number | undefined {
  if (header === undefined || header.trim() === '*') return undefined
  const tags = tagsOf(header)
  const revision = tags.length === 1 && !/\bW\//.test(header) ? plainTag(tags[0] as string) : ''
  if (/^[1-9]\d{0,8}$/.test(revision)) return Number(revision)
  throw new SluiceError('BAD_REQUEST', 'If-Match must be the ETag of one revision, such as "3", or *.', {
    path: 'If-Match',
  })
}
