/** What the Send component of a flow may offer: integrations and connectors, each with why it does not fit. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import type { Accepts } from './targets.ts'

export interface AvailableIntegration {
  /** Of the integration or the connector. */
  readonly id: string
  /** An integration's slug, a connector's implementation. */
  readonly slug: string
  readonly name: string
  readonly description: string | null
  readonly kind: 'integration' | 'connector'
  readonly is_platform: boolean
  readonly available: boolean
  /** Why not, in one sentence; also what an available one will not take. */
  readonly reason: string | null
  /** What `reason` says, for programs. */
  readonly misfits: readonly Misfit[]
  /** It is a destination of the flow; for a connector, one that is has a connection with it. */
  readonly is_destination: boolean
}

/** One thing that does not fit. */
export interface Misfit {
  readonly code: 'integration_disabled' | 'kind_not_taken' | 'schema_not_taken'
  /** Name of the connector that it is about; null where it is about the integration. */
  readonly connector: string | null
  /** Kinds or schemas that it takes. */
  readonly takes: readonly string[]
  /** Kinds or schemas of the flow; empty where it names no schema. */
  readonly has: readonly string[]
}

export interface FlowFacts {
  readonly schema_url: string | null
  /** Kinds of its latest sessions; empty while there are none. */
  readonly kinds: readonly string[]
}

/**
 * Why sessions of the flow would be refused, or null when they fit. The same
 * rule as a connector's run applies to each session: an address that ends in
 * `*` stands for every one that begins like it.
 */
export function misfitOf(accepts: Accepts, { schema_url, kinds }: FlowFacts): Omit<Misfit, 'connector'> | null {
  const { kinds: takenKinds, schemas } = accepts
  if (takenKinds && kinds.length > 0 && !kinds.some((kind) => takenKinds.includes(kind))) {
    return { code: 'kind_not_taken', takes: takenKinds, has: kinds }
  }
  if (!schemas) return null
  const fits = schemas.some((schema) =>
    schema.endsWith('*') ? schema_url?.startsWith(schema.slice(0, -1)) : schema_url === schema,
  )
  if (fits) return null
  return { code: 'schema_not_taken', takes: schemas, has: schema_url === null ? [] : [schema_url] }
}

function sentenceOf({ code, connector, takes, has }: Misfit): string {
  if (code === 'integration_disabled') return 'The integration is disabled.'
  const who = connector === null ? 'It' : `Its connector "${connector}"`
  if (code === 'kind_not_taken') {
    return `${who} takes only sessions of kind ${takes.join(', ')}, and those of the flow are of kind ${has.join(', ')}.`
  }
  const taken = `${takes.slice(0, 3).join(', ')}${takes.length > 3 ? ', …' : ''}`
  return `${who} takes only data of ${taken}, and the flow's data ${has.length === 0 ? 'names no schema' : `follows ${has[0]}`}.`
}

interface IntegrationRow {
  readonly id: string
  readonly slug: string
  readonly name: string
  readonly description: string | null
  readonly is_platform: boolean
  readonly active: boolean
  readonly is_destination: boolean
  /** It can fetch or is told by a webhook, whatever the schema. */
  readonly has_other_ways: boolean
  readonly connections: readonly { readonly name: string; readonly accepts: Accepts | null }[]
}

interface ConnectorRow {
  readonly id: string
  readonly implementation: string
  readonly name: string
  readonly description: string
  readonly accepts: Accepts | null
  readonly is_destination: boolean
}

interface Row extends FlowFacts {
  readonly integrations: readonly IntegrationRow[]
  readonly connectors: readonly ConnectorRow[]
}

/**
 * Integrations of the flow's team and of the platform, then the approved
 * connectors that take sessions, each in its newest version.
 *
 * @throws SluiceError NOT_FOUND for a flow that is not the caller's.
 */
export async function availableIntegrations(
  pool: pg.Pool,
  flowId: string,
  principal: Principal,
): Promise<readonly AvailableIntegration[]> {
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await pool.query<Row>({
    name: 'available-integrations',
    text: `
      select f.schema_url,
             array(select distinct s.kind::text
                     from (select kind from sessions where flow_id = f.id order by submitted_at desc limit 100) s) as kinds,
             coalesce((
               select json_agg(json_build_object(
                        'id', i.id, 'slug', i.slug, 'name', i.name, 'description', i.description,
                        'is_platform', i.team_id is null, 'active', i.status = 'active', 'is_destination', d.id is not null,
                        'has_other_ways', exists (select from webhooks w where w.integration_id = i.id and w.enabled)
                          or exists (select from api_credentials a where a.integration_id = i.id and a.revoked_at is null),
                        'connections', coalesce((
                          select json_agg(json_build_object('name', k.name, 'accepts', k.manifest -> 'accepts'))
                            from connections c join connectors k on k.id = c.connector_id
                           where c.integration_id = i.id and c.enabled), '[]'))
                      order by i.team_id is null, i.slug)
                 from integrations i
                 left join destinations d on d.integration_id = i.id and d.flow_id = f.id
                where i.team_id = f.team_id or i.team_id is null), '[]') as integrations,
             coalesce((
               select json_agg(json_build_object(
                        'id', k.id, 'implementation', k.implementation, 'name', k.name, 'description', k.description,
                        'accepts', k.manifest -> 'accepts',
                        'is_destination', exists (
                          select from destinations d
                            join connections c on c.integration_id = d.integration_id
                            join connectors other on other.id = c.connector_id
                           where d.flow_id = f.id and other.implementation = k.implementation))
                      order by k.implementation)
                 from (select distinct on (implementation) * from connectors
                        where status = 'approved' and (manifest -> 'kinds' is null or manifest -> 'kinds' ? 'consumer')
                        order by implementation, created_at desc) k), '[]') as connectors
        from flows f
       where f.id = $1 and ($2 or f.team_id = any($3::uuid[]))`,
    values: [flowId, everywhere, teamIds],
  })
  const [flow] = rows
  if (!flow) throw new SluiceError('NOT_FOUND', `You have no flow ${flowId}.`, { path: 'flow_id' })
  return [
    ...flow.integrations.map((row) => ofIntegration(row, flow)),
    ...flow.connectors.map((row) => ofConnector(row, flow)),
  ]
}

function ofIntegration(row: IntegrationRow, flow: FlowFacts): AvailableIntegration {
  const { id, slug, name, description, is_platform, is_destination, active, has_other_ways, connections } = row
  const misfits = connections.flatMap((connection) => {
    const misfit = misfitOf(connection.accepts ?? {}, flow)
    return misfit === null ? [] : [{ ...misfit, connector: connection.name }]
  })
  // Without webhook and key, its connections are all that could take a session anywhere.
  const hasWay = has_other_ways || connections.length === 0 || misfits.length < connections.length
  const available = active && hasWay
  return {
    id,
    slug,
    name,
    description,
    kind: 'integration',
    is_platform,
    available,
    is_destination,
    ...told(active ? misfits : [disabled]),
  }
}

function ofConnector(row: ConnectorRow, flow: FlowFacts): AvailableIntegration {
  const { id, implementation, name, description, accepts, is_destination } = row
  const misfit = misfitOf(accepts ?? {}, flow)
  return {
    id,
    slug: implementation,
    name,
    description,
    kind: 'connector',
    is_platform: false,
    available: misfit === null,
    is_destination,
    ...told(misfit ? [{ ...misfit, connector: null }] : []),
  }
}

const disabled: Misfit = { code: 'integration_disabled', connector: null, takes: [], has: [] }

function told(misfits: readonly Misfit[]): Pick<AvailableIntegration, 'reason' | 'misfits'> {
  return { reason: misfits.map(sentenceOf).join(' ') || null, misfits }
}
