/**
 * What connectors want shown beside a session: the good `ui` nodes of its extension data, with labels in the reader's
 * language. For an integration it is a retrieval like any other: through its live grant, audited, and starting the
 * grant's short clock, all in one statement.
 */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import type { Annotation as UiNode } from '../travel/annotations.ts'
import { annotationsIn, type ExtensionData } from './extension-data.ts'
import { localeTag } from './manifest.ts'
import type { LabelsTask } from './task-handlers.ts'

/** Column names as in GraphQL. */
export interface Annotation {
  /** Implementation of the connector whose it is. */
  readonly connector: string
  readonly context_type: string
  readonly context_uuid: string
  /** In the reader's language; the key where the connector has none, or did not say in time. */
  readonly label: string
  readonly label_key: string
  readonly value_type: string
  readonly value: unknown
}

export interface AnnotationParts {
  readonly pool: pg.Pool
  /** Asks a worker for labels that are not kept yet. */
  readonly askLabels: (task: LabelsTask) => Promise<Readonly<Record<string, string>>>
  /** Days that a grant still lasts after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
}

/** Who asks; for the audit entry. */
export interface AnnotationReader {
  readonly principal: Principal
  readonly requestId?: string | null
  readonly address?: string | null
}

/** In one answer: annotations, connectors that are asked for labels, and labels that each is asked for. */
const most = { annotations: 1000, asked: 10, keys: 100 }
/** Kept for one version of a connector; who has more is not asked any more. */
export const mostLabels = 2000

/**
 * @param locale BCP 47, such as `en` or `de-CH`.
 * @throws SluiceError NOT_FOUND, VALIDATION_FAILED (locale), FORBIDDEN (role).
 * @example
 * await annotationsOfSession({ pool, askLabels, retentionAfterRetrievalDays: 5 }, { session_id, locale: 'de' }, { principal })
 */
export async function annotationsOfSession(
  parts: AnnotationParts,
  { session_id, locale }: { readonly session_id: string; readonly locale: string },
  reader: AnnotationReader,
): Promise<readonly Annotation[]> {
  if (!localeTag.test(locale)) {
    throw new SluiceError('VALIDATION_FAILED', 'locale: write a language such as "en" or "de-CH".', { path: 'locale' })
  }
  const session = await readSession(parts, session_id, reader)
  const { annotations } = annotationsIn(session.connector_data ?? {}, session)
  const shown = annotations.slice(0, most.annotations)
  const labels = await labelsOf(parts, { nodes: shown, team_id: session.team_id, locale })
  return shown.map(({ connector, contextType, contextUuid, labelKey, valueType, value }) => ({
    connector,
    context_type: contextType,
    context_uuid: contextUuid,
    label: labels.get(connector)?.get(labelKey) ?? labelKey,
    label_key: labelKey,
    value_type: valueType,
    value,
  }))
}

interface ReadSession {
  readonly id: string
  readonly team_id: string
  readonly kind: 'application' | 'booking'
  readonly data: unknown
  readonly connector_data: ExtensionData | null
}

async function readSession(
  { pool, retentionAfterRetrievalDays }: AnnotationParts,
  sessionId: string,
  { principal, requestId = null, address = null }: AnnotationReader,
): Promise<ReadSession> {
  const { kind, id, role, integrationId } = principal
  const isConsumer = role === 'consumer' && integrationId
  if (!isConsumer && role !== 'admin' && role !== 'editor') {
    throw new SluiceError('FORBIDDEN', `The role "${role}" sees no annotations. Consumers, editors and admins do.`)
  }
  const { everywhere, teamIds } = reachOf(principal)
  const values = [sessionId, everywhere, teamIds, kind, id, role, address, requestId]
  const { rows } = isConsumer
    ? await pool.query<ReadSession>({
        name: 'connectors: annotations for consumer',
        text: consumerSql,
        values: [...values, integrationId, retentionAfterRetrievalDays],
      })
    : await pool.query<ReadSession>({ name: 'connectors: annotations for person', text: personSql, values })
  const [session] = rows
  if (!session) throw new SluiceError('NOT_FOUND', `You have no session ${sessionId}.`, { path: 'session_id' })
  return session
}

/** By connector and key. What no worker says in time is left out, and asked again by the next reader. */
async function labelsOf(
  { pool, askLabels }: AnnotationParts,
  { nodes, team_id, locale }: { readonly nodes: readonly UiNode[]; readonly team_id: string; readonly locale: string },
): Promise<ReadonlyMap<string, ReadonlyMap<string, string>>> {
  const keys = new Map<string, Set<string>>()
  for (const { connector, labelKey } of nodes) keys.set(connector, (keys.get(connector) ?? new Set()).add(labelKey))
  if (keys.size === 0) return new Map()
  const { rows } = await pool.query<KeptLabels>({
    name: 'connectors: labels of annotations',
    text: labelsSql,
    values: [[...keys.keys()], locale, [...new Set(nodes.map(({ labelKey }) => labelKey))], team_id, mostLabels],
  })
  const labels = new Map(rows.map(({ implementation, kept }) => [implementation, new Map(Object.entries(kept))]))
  const asked = rows
    .map(({ id, implementation, full }) => {
      const missing = [...(keys.get(implementation) ?? [])].filter((key) => !labels.get(implementation)?.has(key))
      return { connector_id: id, implementation, keys: full ? [] : missing.slice(0, most.keys) }
    })
    .filter((each) => each.keys.length > 0)
    .slice(0, most.asked)
  await Promise.all(
    asked.map(async ({ connector_id, implementation, keys: missing }) => {
      // Nobody waits for a label with an error: its key is shown.
      const said = await askLabels({ connector_id, keys: missing, locale }).catch(() => ({}))
      for (const [key, label] of Object.entries(said)) labels.get(implementation)?.set(key, label)
    }),
  )
  return labels
}

interface KeptLabels {
  readonly id: string
  readonly implementation: string
  readonly kept: Readonly<Record<string, string>>
  readonly full: boolean
}

/** Of each implementation the version that the team uses, else the newest. */
const labelsSql = `
with versions as (
  select distinct on (k.implementation) k.id, k.implementation
    from connectors k
   where k.implementation = any($1) and k.status = 'approved' and k.uninstalled_at is null
   order by k.implementation,
            exists (select from connections c where c.connector_id = k.id and (c.team_id = $4 or c.team_id is null)) desc,
            k.created_at desc
)
select v.id, v.implementation,
       coalesce((select jsonb_object_agg(l.key, l.label) from connector_labels l
                  where l.connector_id = v.id and l.locale = $2 and l.key = any($3)), '{}') as kept,
       (select count(*) from connector_labels l where l.connector_id = v.id) >= $5 as full
  from versions v`

const auditSql = (integration: string) => `
insert into audit_entries (team_id, integration_id, actor_kind, actor_id, role, operation, outcome, session_ids, address, request_id)
select o.team_id, ${integration}, $4, $5, $6, 'annotations', 'granted', array[o.id], $7, $8
  from opened o where o.connector_data is not null`

const consumerSql = `
with opened as (
  select s.id, s.team_id, s.kind, s.data, s.connector_data, g.id as grant_id, g.first_retrieved_at
    from session_grants g
    join sessions s on s.id = g.session_id and s.status = 'submitted' and s.purged_at is null
    join integrations i on i.id = g.integration_id and i.status = 'active'
   where g.session_id = $1 and g.integration_id = $9::uuid and g.revoked_at is null and g.expires_at > now()
     and ($2::boolean or s.team_id = any($3::uuid[]))
), clock as (
  update session_grants g
     set first_retrieved_at = now(), expires_at = least(g.expires_at, now() + retention_after_retrieval(g.team_id, $10::float8))
    from opened o
   where g.id = o.grant_id and o.first_retrieved_at is null and g.first_retrieved_at is null and o.connector_data is not null
), entry as (${auditSql('$9::uuid')})
select id, team_id, kind, data, connector_data from opened`

const personSql = `
with opened as (
  select s.id, s.team_id, s.kind, s.data, s.connector_data from sessions s
   where s.id = $1 and ($2::boolean or s.team_id = any($3::uuid[]))
), entry as (${auditSql('null::uuid')})
select id, team_id, kind, data, connector_data from opened`

/** Keeps labels of a version, as long as there is room. */
export async function keepLabels(
  pool: pg.Pool,
  { connector_id, locale }: Pick<LabelsTask, 'connector_id' | 'locale'>,
  labels: Readonly<Record<string, string>>,
): Promise<void> {
  await pool.query(
    `insert into connector_labels (connector_id, locale, key, label)
     select $1, $2, key, value from jsonb_each_text($3::jsonb)
      where (select count(*) from connector_labels where connector_id = $1) < $4
     on conflict (connector_id, locale, key) do update set label = excluded.label`,
    [connector_id, locale, JSON.stringify(labels), mostLabels],
  )
}
