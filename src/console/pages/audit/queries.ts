import { gql } from '../../api/gql.ts'

export const actorKinds = ['person', 'credential', 'connection', 'system', 'anonymous'] as const
export type ActorKind = (typeof actorKinds)[number]

export const outcomes = ['granted', 'refused', 'failed'] as const
export type Outcome = (typeof outcomes)[number]

export interface EntryRow {
  readonly id: string
  readonly at: string
  readonly actor_kind: ActorKind
  readonly actor_id: string | null
  readonly role: string | null
  readonly operation: string
  readonly outcome: Outcome
  readonly session_ids: readonly string[]
  readonly position: string
}

export const liveEntries = gql<{ audit_entries: EntryRow[] }, { where: object; limit: number }>(`
  subscription AuditEntries($where: audit_entries_bool_exp!, $limit: Int!) {
    audit_entries(where: $where, order_by: [{ at: desc }, { id: desc }], limit: $limit) {
      id at actor_kind actor_id role operation outcome session_ids position
    }
  }
`)

export interface EntryDetail {
  readonly id: string
  readonly address: string | null
  readonly request_id: string | null
  readonly integration_id: string | null
  readonly detail: unknown
}

export const entryDetail = gql<{ audit_entries_by_pk: EntryDetail | null }, { id: string }>(`
  query AuditEntry($id: uuid!) {
    audit_entries_by_pk(id: $id) { id address request_id integration_id detail }
  }
`)

export interface ActorsData {
  readonly users: readonly { readonly id: string; readonly name: string }[]
  readonly api_credentials: readonly { readonly id: string; readonly name: string }[]
  readonly connections: readonly { readonly id: string; readonly name: string }[]
}

/** Names for ids: who may have done something here. */
export const actorsOfTeam = gql<ActorsData, { owner: object; people: object }>(`
  query AuditActors($owner: uuid_comparison_exp!, $people: users_bool_exp!) {
    users(where: $people, order_by: [{ name: asc }], limit: 500) { id name }
    api_credentials(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 500) { id name }
    connections(where: { team_id: $owner }, order_by: [{ name: asc }], limit: 500) { id name }
  }
`)

export interface AuditHead {
  readonly number: number
  readonly head: string
  readonly last_position: string
  readonly sealed_at: string
}

export const auditHead = gql<{ audit_head: AuditHead | null }>(`
  query AuditHead { audit_head { number head last_position sealed_at } }
`)
