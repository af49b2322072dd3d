/** Opening a session that was invalid, as if it were submitted at this moment. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { inTransaction } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import type { Announcement } from './announce.ts'
import { judgeData, type SchemaFacts, type SchemaParts, schemaFacts } from './payload-schemas.ts'
import { announceOrSettle } from './settling-intake.ts'

/**
 * Gives the present destinations of its flow their grants and announces `session.submitted`, once its modifiers have
 * settled. It takes a new position, so that whoever follows sessions by position sees it. Its retention goes on from the
 * submission.
 *
 * @returns undefined while it settles.
 */
export async function publish(client: pg.ClientBase, id: string): Promise<Announcement | undefined> {
  await client.query(
    `with session as (
       update sessions set status = 'submitted', problems = null, position = next_position()
        where id = $1 and status = 'invalid'
       returning id, team_id, flow_id, expires_at
     )
     insert into session_grants (session_id, integration_id, team_id, config, expires_at)
     select session.id, d.integration_id, session.team_id, d.config, session.expires_at
       from session
       join destinations d on d.flow_id = session.flow_id
       join integrations i on i.id = d.integration_id and i.status = 'active'`,
    [id],
  )
  return announceOrSettle(client, 'session.submitted', id)
}

export interface RevalidateContext extends SchemaParts {
  readonly principal: Principal
}

export interface RevalidateResult {
  readonly checked: number
  readonly published: number
  readonly invalid: number
  /** There are more invalid sessions of the flow than one call checks. */
  readonly more: boolean
}

/** Invalid sessions that one call checks. */
const most = 500

/**
 * Validates an invalid session, or those of a flow, again, after a schema was stored or changed, and publishes what is
 * valid now.
 *
 * @throws SluiceError VALIDATION_FAILED without exactly one of `id` and `flow_id`; NOT_FOUND.
 */
export async function revalidateSession(
  { id, flow_id }: { readonly id?: string | null; readonly flow_id?: string | null },
  context: RevalidateContext,
): Promise<RevalidateResult> {
  if ((id == null) === (flow_id == null)) {
    throw new SluiceError('VALIDATION_FAILED', 'Give either id, for one session, or flow_id, for those of a flow.')
  }
  const { database, principal } = context
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await database.pool.query<{ id: string; status: string }>(
    `select s.id, s.status from sessions s
      where ($1::uuid is null or s.id = $1) and ($2::uuid is null or (s.flow_id = $2 and s.status = 'invalid'))
        and s.purged_at is null and s.expires_at > now() and ($3 or s.team_id = any($4::uuid[]))
      order by s.submitted_at limit $5`,
    [id ?? null, flow_id ?? null, everywhere, teamIds, most + 1],
  )
  if (id != null && rows.length === 0) {
    throw new SluiceError('NOT_FOUND', `You have no session ${id} that could be validated: it is not there, or over.`, {
      path: 'id',
    })
  }
  const taken = rows.slice(0, most).filter(({ status }) => status === 'invalid')
  let published = 0
  for (const session of taken) if (await revalidateOne(session.id, context)) published += 1
  return { checked: taken.length, published, invalid: taken.length - published, more: rows.length > most }
}

interface Unpublished {
  readonly team_id: string
  readonly revision: number
  readonly data: string
  readonly schema_url: string | null
  readonly required: string | null
  readonly schemas: SchemaFacts | null
}

/** Whether it was published. */
async function revalidateOne(id: string, context: RevalidateContext): Promise<boolean> {
  const { pool } = context.database
  const { rows } = await pool.query<Unpublished>(
    `select s.team_id, s.revision, s.data::text as data, s.schema_url, f.schema_url as required,
            ${schemaFacts('f.schema_url', 's.schema_url', 's.team_id')} as schemas
       from sessions s join flows f on f.id = s.flow_id
      where s.id = $1 and s.status = 'invalid'`,
    [id],
  )
  const [session] = rows
  if (!session) return false
  const { team_id, revision, data, schema_url: stated, required, schemas: facts } = session
  const { schema_url: schemaUrl, problems } = await judgeData({ team_id, required, stated, facts, data }, context)
  return inTransaction(pool, async (client) => {
    const { rowCount } = await client.query(
      `update sessions set problems = $3::jsonb, schema_url = $4 where id = $1 and revision = $2 and status = 'invalid'`,
      [id, revision, JSON.stringify(problems), schemaUrl],
    )
    if (rowCount !== 1 || problems.length > 0) return false
    await publish(client, id)
    return true
  })
}
