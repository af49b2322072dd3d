import { gql } from '../../api/gql.ts'
import type { ConnectorKind, LocaleTexts } from '../connector-parts/manifest.ts'
import type { Health } from '../connector-parts/states.tsx'

export interface ConnectionRow {
  readonly id: string
  readonly name: string
  readonly enabled: boolean
  readonly health: Health
  readonly state_reason: string | null
  readonly last_run_at: string | null
  readonly last_run_status: 'succeeded' | 'failed' | null
  readonly next_run_at: string | null
  readonly integration: { readonly id: string; readonly name: string } | null
  /** Null when its version may no longer be seen, as it is not approved any more. */
  readonly connector: {
    readonly id: string
    readonly name: string
    readonly version: string
    readonly kinds: readonly ConnectorKind[]
    readonly logo: string | null
    readonly en: Pick<LocaleTexts, 'name'> | null
    readonly de: Pick<LocaleTexts, 'name'> | null
  } | null
  /** The last run, whatever it was. */
  readonly runs: readonly {
    readonly id: string
    readonly status: 'succeeded' | 'failed'
    readonly started_at: string
  }[]
}

export const liveConnections = gql<{ connections: ConnectionRow[] }, { owner: object; limit: number }>(`
  subscription Connections($owner: uuid_comparison_exp!, $limit: Int!) {
    connections(where: { team_id: $owner }, order_by: [{ name: asc }, { id: asc }], limit: $limit) {
      id name enabled health state_reason last_run_at last_run_status next_run_at
      integration { id name }
      connector { id name version kinds logo en: locales(path: "$.en") de: locales(path: "$.de") }
      runs(where: { dry_run: { _eq: false } }, order_by: [{ started_at: desc }], limit: 1) { id status started_at }
    }
  }
`)
