/**
 * How what connectors produce becomes sessions: each raw source, or each key that several raw sources share, exactly one,
 * whoever is killed when. The session's id is worked out from the connection and the key, so that taking the same in
 * again finds what is there.
 */
import { createHash } from 'node:crypto'
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'
import type { ConvertedSession } from './conversion-result.ts'
import { dataTooLarge, type ExtensionChange, tooLarge } from './extension-data.ts'
import type { ProducingConnection } from './producing.ts'

/**
 * The room of sessions, handed down: connectors and sessions do not import each other. The extension data of the connector
 * is written in the transaction that takes the session in, so that nobody hears of a session that lacks it; where nothing
 * is taken in, it is not written either.
 */
export interface Intake {
  /** Takes a session in. The same again is the first result. @throws SluiceError CONFLICT (same id, other content), GONE (purged), VALIDATION_FAILED */
  submit(
    submission: Submission,
    author: Principal,
    extension: ExtensionChange | undefined,
  ): Promise<{ readonly created: boolean; readonly revision: number; readonly status: string }>
  /** A new revision, or nothing when it says the same. @throws SluiceError GONE, VALIDATION_FAILED */
  update(
    change: Omit<Submission, 'team' | 'flow' | 'kind'>,
    author: Principal,
    extension: ExtensionChange | undefined,
  ): Promise<{ readonly changed: boolean; readonly revision: number; readonly status: string }>
}

export interface Submission extends Omit<ConvertedSession, 'id'> {
  readonly id: string
  readonly team: string
  readonly flow: string
}

export interface TakenIn {
  readonly session_id: string
  readonly revision: number
  /** `outdated`: a later raw source has said what this session is. */
  readonly as: 'new' | 'revision' | 'unchanged' | 'outdated'
  /** Of the session; `invalid` when it does not follow its schema. */
  readonly status: string
  /** Of what was taken in, hex. */
  readonly result_sha256: string
}

/** Sessions of one key that were purged one after the other. */
const mostGenerations = 100

/** @throws SluiceError what a submission or an update of it would throw; CONFLICT for an id that is another's. */
export async function takeIn(
  { pool, intake }: { readonly pool: pg.Pool; readonly intake: Intake },
  producer: ProducingConnection,
  source: { readonly id: string; readonly position: string; readonly session_id: string | null },
  {
    session,
    key,
    extension,
  }: {
    readonly session: ConvertedSession
    readonly key: string | undefined
    readonly extension: ExtensionChange | undefined
  },
): Promise<TakenIn> {
  const { connection, flow } = producer
  if (!flow)
    throw new SluiceError('CONFLICT', 'Choose the flow whose sessions it makes: set flow_id of the connection.')
  const author = authorOf(producer)
  const { id: chosen, ...content } = session
  const result_sha256 = createHash('sha256').update(JSON.stringify(content)).digest('hex')
  const named = chosen ?? (key === undefined && source.session_id !== null ? source.session_id : undefined)
  for (let generation = 1; ; generation++) {
    const id =
      named?.toLowerCase() ??
      sessionId(connection.id, key === undefined ? ['source', source.id] : ['key', key], generation)
    const taken = { session_id: id, result_sha256 }
    try {
      const { created, revision, status } = await intake
        .submit({ ...content, id, team: flow.team, flow: flow.slug }, author, extension)
        .catch((error: unknown) => {
          if (codeOf(error) === 'CONFLICT') return { created: undefined, revision: 0, status: '' }
          throw error
        })
      if (created) return { ...taken, revision, status, as: 'new' }

      const before = await lastResult(pool, connection.id, id, source.position)
      if (chosen !== undefined && !before.isOwn) {
        throw new SluiceError(
          'CONFLICT',
          `There is a session ${id} already, which this connection has not made and has no grant for.`,
        )
      }
      if (before.hasLater) return { ...taken, ...before.session, as: 'outdated' }
      // Without a result, the worker was killed before it wrote one. What modifiers have made of it since stays.
      const isSame = before.result_sha256 === result_sha256 || (created === false && before.result_sha256 === null)
      if (isSame) return { ...taken, ...before.session, as: 'unchanged' }
      const { data, payment_id = null, config = {}, schema_url = null } = content
      const updated = await intake.update({ id, data, payment_id, config, schema_url }, author, extension)
      const { revision: made, status: became } = updated
      return { ...taken, revision: made, status: became, as: updated.changed ? 'revision' : 'unchanged' }
    } catch (error) {
      if ((error as { code?: unknown }).code === dataTooLarge) {
        throw new SluiceError('TOO_LARGE', tooLarge((error as { detail?: string }).detail ?? ''))
      }
      // A session that is over stays over; what comes later under the same key is another one.
      if (codeOf(error) !== 'GONE' || named !== undefined || key === undefined || generation === mostGenerations)
        throw error
    }
  }
}

/** Sessions and revisions say which connection made them. */
function authorOf({ connection, flow }: ProducingConnection): Principal {
  return {
    kind: 'connection',
    id: connection.id,
    role: 'source',
    variables: { 'x-hasura-team-ids': [flow?.team_id ?? ''] },
    teamId: flow?.team_id ?? null,
    integrationId: connection.integration_id,
    expiresAt: null,
  }
}

/** A UUID of version 8 (RFC 9562): of our own making, the same for the same words. */
export function sessionId(connectionId: string, words: readonly string[], generation = 1): string {
  const text = JSON.stringify([connectionId, ...words, ...(generation > 1 ? [generation] : [])])
  const bytes = createHash('sha256').update(text).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

interface LastResult {
  /** The connection made it, a raw source of the connection is linked to it, or it is a webhook with a live grant. */
  readonly isOwn: boolean
  readonly hasLater: boolean
  readonly session: { readonly revision: number; readonly status: string }
  readonly result_sha256: string | null
}

async function lastResult(
  pool: pg.Pool,
  connectionId: string,
  sessionId: string,
  position: string,
): Promise<LastResult> {
  const { rows } = await pool.query<LastResult>({
    name: 'raw sources: last result of a session',
    text: `
      with linked as (
        select r.position, r.result_sha256, r.converted_at from raw_sources r
         where r.session_id = $2 and r.connection_id = $1 and r.result_sha256 is not null
      )
      select jsonb_build_object('revision', s.revision, 'status', s.status) as session,
             (s.author_kind = 'connection' and s.author_id = $1::text) or exists (select from linked)
               or exists (select from session_revisions v
                           where v.session_id = s.id and v.author_kind = 'connection' and v.author_id = $1::text)
               or exists (select from session_grants g
                            join connections c on c.integration_id = g.integration_id
                            join connectors k on k.id = c.connector_id and 'webhook' = any(k.kinds)
                           where c.id = $1 and g.session_id = s.id and s.status = 'submitted'
                             and g.revoked_at is null and g.expires_at > now()) as "isOwn",
             exists (select from linked where linked.position > $3) as "hasLater",
             (select result_sha256 from linked order by position desc limit 1) as result_sha256
        from sessions s where s.id = $2`,
    values: [connectionId, sessionId, position],
  })
  return rows[0] ?? { isOwn: false, hasLater: false, session: { revision: 0, status: '' }, result_sha256: null }
}

function codeOf(error: unknown): string | undefined {
  return error instanceof SluiceError ? error.code : undefined
}
