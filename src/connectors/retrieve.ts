/** Everything that one run needs, read by one statement. */
import type pg from 'pg'
import type { Manifest } from './manifest.ts'

export interface RetrievalRequest {
  readonly connection_id: string
  readonly session_id: string
  readonly delivery_id: string
  readonly attempt: number
  /** Days that the grant still lasts after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
  /** Nothing leaves the installation, so the grant's short clock does not start. @default false */
  readonly isDry?: boolean
}

/** The connection, its connector, and the session if it may be had. Columns in the database's words. */
export interface Retrieval {
  readonly connection: {
    readonly id: string
    readonly enabled: boolean
    readonly settings: Readonly<Record<string, unknown>>
    readonly sealed_settings: Buffer | null
    readonly state: Readonly<Record<string, unknown>>
    readonly config: Readonly<Record<string, unknown>>
    readonly integration_active: boolean
  }
  readonly connector: {
    readonly id: string
    readonly implementation: string
    readonly version: string
    readonly status: 'submitted' | 'approved' | 'rejected' | 'withdrawn'
    readonly manifest: Manifest
    readonly bundle_sha256: string
  }
  /** Whether the manifest accepts a session of this kind and schema. */
  readonly accepted: boolean
  /** Null without a live grant, and for whatever else keeps the run from it. */
  readonly session: {
    readonly data: unknown
    /** What connectors keep with it, by their implementation. */
    readonly connector_data: Readonly<Record<string, unknown>> | null
    readonly kind: 'application' | 'booking'
    readonly schema_url: string | null
    readonly revision: number
    readonly submitted_at: Date
    readonly team_name: string
    readonly flow_name: string
    /** What the editor said of this destination. */
    readonly grant_config: Readonly<Record<string, unknown>>
    readonly trip: { readonly id: string; readonly reference: string; readonly title: string | null } | null
  } | null
}

/**
 * Reads the session through the integration's live grant: its newest revision, or
 * the one that the delivery repeats. The same statement
 * writes the audit row (granted or refused) and starts the grant's short
 * retention at the first retrieval: there is no data without its audit row.
 *
 * @returns undefined when there is no such connection.
 */
export async function retrieveForRun(pool: pg.Pool, request: RetrievalRequest): Promise<Retrieval | undefined> {
  const { rows } = await pool.query<Retrieval>({
    name: 'connectors: retrieve for run',
    text: retrieveSql,
    values: [
      request.connection_id,
      request.session_id,
      request.delivery_id,
      request.attempt,
      request.retentionAfterRetrievalDays,
      request.isDry ?? false,
    ],
  })
  const [found] = rows
  if (!found) return undefined
  const sealed = found.connection.sealed_settings as unknown as string | null
  return {
    ...found,
    connection: { ...found.connection, sealed_settings: sealed === null ? null : Buffer.from(sealed, 'base64') },
    session: found.session && { ...found.session, submitted_at: new Date(found.session.submitted_at) },
  }
}

const retrieveSql = `
with wanted as (
  select c.id, c.team_id, c.integration_id, c.enabled, c.settings, c.sealed_settings, c.state, c.config,
         k.id as connector_id, k.implementation, k.version, k.status, k.manifest, k.bundle_sha256,
         i.status = 'active' as integration_active,
         coalesce(
           (k.manifest #> '{accepts,kinds}' is null or k.manifest #> '{accepts,kinds}' ? s.kind::text)
           and (k.manifest #> '{accepts,schemas}' is null or exists (
             select from jsonb_array_elements_text(k.manifest #> '{accepts,schemas}') as accepted(schema)
              where s.schema_url = accepted.schema
                 or right(accepted.schema, 1) = '*' and starts_with(s.schema_url, left(accepted.schema, -1)))),
           false) as accepted
    from connections c
    join connectors k on k.id = c.connector_id
    join integrations i on i.id = c.integration_id
    left join sessions s on s.id = $2
   where c.id = $1
), granted as (
  select g.id, g.first_retrieved_at is null as is_first, g.config, coalesce(r.data, s.data) as data, s.connector_data, s.kind,
         case when r.id is null then s.schema_url else r.schema_url end as schema_url, coalesce(r.revision, s.revision) as revision, s.submitted_at,
         t.name as team_name, f.name as flow_name, p.id as trip_id, p.reference as trip_reference, p.title as trip_title
    from wanted w
    join session_grants g on g.session_id = $2 and g.integration_id = w.integration_id
    join sessions s on s.id = g.session_id
    join teams t on t.id = s.team_id
    join flows f on f.id = s.flow_id
    left join trips p on p.id = s.trip_id
    left join deliveries d on d.id = $3
    left join session_revisions r on r.session_id = s.id and r.revision = d.input_revision and r.revision <> s.revision
   where w.enabled and w.integration_active and w.status = 'approved' and w.accepted
     and g.revoked_at is null and g.expires_at > now() and s.purged_at is null and s.data is not null
     and (d.input_revision is null or d.input_revision = s.revision or r.data is not null)
), retrieved as (
  update session_grants g
     set first_retrieved_at = now(), expires_at = least(g.expires_at, now() + retention_after_retrieval(g.team_id, $5))
    from granted
   where g.id = granted.id and granted.is_first and g.first_retrieved_at is null and not $6::boolean
), audited as (
  insert into audit_entries (team_id, integration_id, actor_kind, actor_id, operation, outcome, session_ids, detail)
  select w.team_id, w.integration_id, 'connection', w.id::text, 'retrieve',
         case when exists (select from granted) then 'granted' else 'refused' end, array[$2::uuid],
         jsonb_build_object('delivery_id', $3::uuid, 'attempt', $4::int,
                            'connector', w.implementation || '@' || w.version)
           || case when $6 then '{"dry_run": true}'::jsonb else '{}' end
    from wanted w
  returning outcome
)
select jsonb_build_object(
         'id', w.id, 'enabled', w.enabled, 'settings', w.settings, 'state', w.state, 'config', w.config,
         'sealed_settings', encode(w.sealed_settings, 'base64'), 'integration_active', w.integration_active) as connection,
       jsonb_build_object(
         'id', w.connector_id, 'implementation', w.implementation, 'version', w.version, 'status', w.status,
         'manifest', w.manifest, 'bundle_sha256', w.bundle_sha256) as connector,
       w.accepted,
       case when audited.outcome = 'granted' then jsonb_build_object(
         'data', g.data, 'connector_data', g.connector_data, 'kind', g.kind, 'schema_url', g.schema_url, 'revision', g.revision,
         'submitted_at', g.submitted_at, 'team_name', g.team_name, 'flow_name', g.flow_name, 'grant_config', g.config,
         'trip', case when g.trip_id is not null then jsonb_build_object(
           'id', g.trip_id, 'reference', g.trip_reference, 'title', g.trip_title) end) end as session
  from wanted w
 cross join audited
  left join granted g on true`
