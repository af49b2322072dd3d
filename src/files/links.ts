/**
 * Links to files: pre-signed, and working for minutes. A link is a retrieval: the statement that lets it be made checks
 * the live grant, writes the audit entry and starts the retention clock; there is no link without its entry.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import type { StoredStatus } from './rows.ts'
import type { FileStore } from './store.ts'

export interface LinkParts {
  readonly pool: pg.Pool
  readonly files: FileStore
  /** How long a link works. */
  readonly linkSeconds: number
  /** Days that a grant lives on after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
}

/** Who asks, for the audit entry. */
export interface LinkCaller {
  readonly principal: Principal
  readonly requestId: string
  readonly address: string | null
}

/** One session's files, or one file; both where the file has to be the session's. */
export interface FileChoice {
  readonly session_id?: string
  readonly file_id?: string
}

export interface FileLink {
  readonly id: string
  readonly session_id: string
  readonly name: string
  readonly type: string
  /** In bytes. */
  readonly size: number | null
  readonly sha256: string | null
  readonly status: StoredStatus
  /** Why there is no link. */
  readonly reason: string | null
  /** Null for a file that cannot be had. */
  readonly url: string | null
  readonly expires_at: string | null
}

interface LinkRow {
  readonly access: 'live' | 'ended'
  readonly files: readonly (Omit<FileLink, 'url' | 'expires_at'> & { readonly object_key: string })[]
}

/**
 * @throws SluiceError NOT_FOUND without a grant, GONE when it has ended, FORBIDDEN for roles that read no sessions' data.
 */
export async function createFileLinks(
  parts: LinkParts,
  choice: FileChoice,
  caller: LinkCaller,
): Promise<readonly FileLink[]> {
  const row = await ask(parts, choice, caller)
  const expires = new Date(Date.now() + parts.linkSeconds * 1000).toISOString()
  return Promise.all(
    row.files.map(async ({ object_key, ...file }) => {
      const stored = file.status === 'stored'
      return {
        ...file,
        reason: file.reason ?? reasons[file.status] ?? null,
        url: stored ? await parts.files.presignedGet(object_key, parts.linkSeconds) : null,
        expires_at: stored ? expires : null,
      }
    }),
  )
}

/** Where the row itself does not say why. */
const reasons: Partial<Record<StoredStatus, string>> = {
  pending: 'It is still being uploaded or checked.',
  quarantined: 'The virus scanner found something in it.',
  refused: 'It was not what it was said to be.',
  missing: 'Its content was never received, or is lost.',
  purged: 'Its time is over, and it was removed.',
}

async function ask(
  parts: LinkParts,
  { session_id = null, file_id = null }: NullableChoice,
  caller: LinkCaller,
): Promise<LinkRow> {
  const { principal, requestId, address } = caller
  const person = principal.role === 'admin' || principal.role === 'editor'
  if (!person && (principal.role !== 'consumer' || !principal.integrationId)) {
    throw new SluiceError('FORBIDDEN', `The role "${principal.role}" gets no files. Consumers, editors and admins do.`)
  }
  const { everywhere, teamIds } = reachOf(principal)
  const actor = [principal.kind, principal.id, principal.role, address, requestId]
  const { rows } = person
    ? await parts.pool.query<LinkRow>({
        name: 'files: link for person',
        text: personSql,
        values: [session_id, file_id, everywhere, teamIds, ...actor],
      })
    : await parts.pool.query<LinkRow>({
        name: 'files: link for consumer',
        text: consumerSql,
        values: [session_id, file_id, principal.integrationId, parts.retentionAfterRetrievalDays, ...actor],
      })
  const found = rows[0]
  if (found?.access === 'ended') {
    throw new SluiceError(
      'GONE',
      'This session was open to you, and its time is over. Its files are no longer available.',
    )
  }
  if (!found || (file_id !== null && found.files.length === 0)) {
    throw new SluiceError('NOT_FOUND', file_id === null ? 'There is no such session.' : 'There is no such file.')
  }
  return found
}

interface NullableChoice {
  readonly session_id?: string | null
  readonly file_id?: string | null
}

/** The most files of one session that are linked at once. */
const mostFiles = 1000

/** The parts that both statements share; `opened` holds the session, at most one. */
const wantedSql = `
select f.id, f.session_id, f.name, f.type, f.size, f.sha256, f.status::text as status, f.reason, f.object_key
  from opened o join session_files f on f.session_id = o.session_id
 where o.access = 'live' and ($2::uuid is null or f.id = $2)
 order by f.name limit ${mostFiles}`

const chosenSession = 'coalesce($1::uuid, (select session_id from session_files where id = $2::uuid))'

const entrySql = (integration: string) => `
insert into audit_entries (team_id, integration_id, actor_kind, actor_id, role, operation, outcome, session_ids, address, request_id, detail)
select o.team_id, ${integration}, $5, $6, $7, 'link_files', case when handed.ids is null then 'refused' else 'granted' end,
       array[o.session_id], $8, $9, jsonb_build_object('files', coalesce(handed.ids, '[]'::jsonb), 'access', o.access)
  from opened o, (select jsonb_agg(id) as ids from wanted where status = 'stored') handed
 where handed.ids is not null or o.access = 'ended'`

const answerSql = `
select o.access, coalesce((select json_agg(w order by w.name) from wanted w), '[]') as files from opened o`

const consumerSql = `
with opened as (
  select s.id as session_id, s.team_id, g.id as grant_id,
         case when s.purged_at is null and s.status = 'submitted' and g.revoked_at is null and g.expires_at > now()
              then 'live' else 'ended' end as access
    from session_grants g
    -- One that its modifiers have not settled is not there yet.
    join sessions s on s.id = g.session_id and s.status <> 'settling'
    join integrations i on i.id = g.integration_id and i.status = 'active'
   where g.session_id = ${chosenSession} and g.integration_id = $3::uuid
), wanted as (${wantedSql}),
clock as (
  update session_grants g
     set first_retrieved_at = now(), expires_at = least(g.expires_at, now() + retention_after_retrieval(g.team_id, $4::float8))
    from opened o
   where g.id = o.grant_id and g.first_retrieved_at is null and exists (select from wanted where status = 'stored')
), entry as (${entrySql('$3::uuid')})
${answerSql}`

const personSql = `
with opened as (
  select s.id as session_id, s.team_id, 'live' as access
    from sessions s
   where s.id = ${chosenSession} and ($3::boolean or s.team_id = any($4::uuid[]))
), wanted as (${wantedSql}),
entry as (${entrySql('null::uuid')})
${answerSql}`
