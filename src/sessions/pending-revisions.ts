/**
 * Updates whose modifiers have not settled. They wait beside the session, which readers have as it was: its next revision is
 * written when all that it will be is known (`finishSettling`).
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'

/** SQL: the last update of session `s` that waits, as `u`; its columns are null where there is none. */
export const lastPending = `left join lateral (
  select p.* from pending_revisions p where p.session_id = s.id order by p.revision desc limit 1) u on true`

/** SQL: of the last update that waits, or of the session. */
export const newest = (column: string) => `case when u.session_id is null then s.${column} else u.${column} end`

/** What an update makes of a session. */
export interface NewRevision {
  readonly id: string
  /** The revision that readers have, and the last one, with those that wait: both must be so still. */
  readonly written: number
  readonly from: number
  readonly payment_id: string | null
  readonly config: Readonly<Record<string, unknown>>
  /** JSON text. */
  readonly data: string
  readonly hash: Buffer
  readonly schemaUrl: string | null
  /** Argument of `merge_extension_data`. */
  readonly extension: unknown
}

/**
 * Lets an update wait for modifiers, with those that wait already: there is one announcement, of what the session says in
 * the end.
 *
 * @param client of a transaction that holds the session's row.
 * @param modifiers ids of the connections that are to see it.
 * @returns the number of the revision that it will be; undefined when another was there first.
 */
export async function addPending(
  client: pg.ClientBase,
  { id, written, from, payment_id, config, data, hash, schemaUrl, extension }: NewRevision,
  modifiers: readonly string[],
  principal: Principal,
): Promise<number | undefined> {
  const { rows } = await client.query<{ revision: number }>({
    name: 'add-pending',
    text: `
      with fits as materialized (
        select s.id from sessions s
         where s.id = $1 and s.revision = $2 and s.status = 'submitted'
           and coalesce((select max(p.revision) from pending_revisions p where p.session_id = s.id), s.revision) = $3
           -- Raises, before anything is written, where there would be too much of it.
           and ($12::jsonb is null or merge_extension_data(s.connector_data, $12::jsonb) is not null)
      ), waiting as (
        insert into session_settlings as x (session_id, event_type, connection_ids)
        select id, 'session.updated', $4::uuid[] from fits
        on conflict (session_id) do update
           set event_type = excluded.event_type, connection_ids = excluded.connection_ids, version = x.version + 1, attempts = 0
      )
      insert into pending_revisions
        (session_id, revision, payment_id, config, data, schema_url, content_hash, author_kind, author_id, extension)
      select id, $3 + 1, $5, $6::jsonb, $7::jsonb, $8, $9, $10, $11, $12::jsonb from fits
      returning revision`,
    values: [
      id,
      written,
      from,
      modifiers,
      payment_id,
      JSON.stringify(config),
      data,
      schemaUrl,
      hash,
      principal.kind,
      principal.id,
      extension === undefined ? null : JSON.stringify(extension),
    ],
  })
  return rows[0]?.revision
}
