/** A connection as it is run without a delivery: to fetch raw sources, or to convert one. */
import type { Manifest } from './manifest.ts'

/** Columns in the database's words. */
export interface ProducingConnection {
  readonly connection: {
    readonly id: string
    readonly name: string
    /** Null for one of the platform. */
    readonly team_id: string | null
    readonly integration_id: string
    readonly settings: Readonly<Record<string, unknown>>
    readonly sealed_settings: Buffer | null
    readonly state: Readonly<Record<string, unknown>>
    readonly config: Readonly<Record<string, unknown>>
    readonly schedule: string | null
    readonly time_zone: string
    readonly timeout_ms: number
  }
  readonly connector: {
    readonly id: string
    readonly implementation: string
    readonly version: string
    readonly manifest: Manifest
    readonly bundle_sha256: string
    /** Names of what its code exports; empty for versions of old, of which it is not known. */
    readonly functions: readonly string[]
  }
  /** Where its sessions go. */
  readonly flow: {
    readonly id: string
    readonly slug: string
    readonly team_id: string
    readonly team: string
  } | null
}

/** SQL: the columns of ProducingConnection, where `c` is the connection, `k` its connector, `f` its flow, `t` the flow's team. */
export const producingColumns = `
  jsonb_build_object(
    'id', c.id, 'name', c.name, 'team_id', c.team_id, 'integration_id', c.integration_id, 'settings', c.settings,
    'sealed_settings', encode(c.sealed_settings, 'base64'), 'state', c.state, 'config', c.config,
    'schedule', c.schedule, 'time_zone', c.time_zone, 'timeout_ms', c.timeout_ms) as connection,
  jsonb_build_object(
    'id', k.id, 'implementation', k.implementation, 'version', k.version, 'manifest', k.manifest,
    'bundle_sha256', k.bundle_sha256, 'functions', k.functions) as connector,
  case when f.id is not null then
    jsonb_build_object('id', f.id, 'slug', f.slug, 'team_id', f.team_id, 'team', t.slug) end as flow`

/** SQL: connections that may run now, with the tables that `producingColumns` reads. */
export const runnableConnections = `
  connections c
  join integrations i on i.id = c.integration_id and i.status = 'active'
  join connectors k on k.id = c.connector_id and k.status = 'approved'
  left join flows f on f.id = c.flow_id
  left join teams t on t.id = f.team_id`

/** Bytes cannot travel in JSON. */
export function producing<Row extends ProducingConnection>(row: Row): Row {
  const sealed = row.connection.sealed_settings as unknown as string | null
  const connection = { ...row.connection, sealed_settings: sealed === null ? null : Buffer.from(sealed, 'base64') }
  return { ...row, connection }
}

/** Whether its code has one of these functions; unknown is yes, and then the call finds out. */
export function mayHave({ connector: { functions } }: ProducingConnection, ...names: readonly string[]): boolean {
  return functions.length === 0 || names.some((name) => functions.includes(name))
}
