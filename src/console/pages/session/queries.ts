import { gql } from '../../api/gql.ts'
import type { SessionKind, SessionStatus } from '../sessions/queries.ts'

export interface Named {
  readonly id: string
  /** Null of the platform's, which are its own matter. */
  readonly name: string | null
}

export interface GrantRow {
  readonly id: string
  readonly integration_id: string
  readonly created_at: string
  readonly expires_at: string
  readonly first_retrieved_at: string | null
  readonly revoked_at: string | null
  readonly purged_at: string | null
  readonly integration: Named | null
}

export interface FileRow {
  readonly id: string
  readonly name: string
  readonly type: string
  readonly size: string | number | null
  readonly status: 'pending' | 'stored' | 'quarantined' | 'missing' | 'purged' | 'refused'
  readonly reason: string | null
}

export interface TripRow {
  readonly id: string
  readonly reference: string
  readonly title: string | null
  readonly sessions: readonly {
    readonly id: string
    readonly status: SessionStatus
    readonly kind: SessionKind
    readonly submitted_at: string
    readonly flow: Named | null
  }[]
}

export interface SessionFacts {
  readonly id: string
  readonly kind: SessionKind
  readonly status: SessionStatus
  readonly payment_id: string | null
  readonly schema_url: string | null
  readonly revision: number
  readonly submitted_at: string
  readonly expires_at: string
  readonly purged_at: string | null
  readonly flow: (Named & { readonly slug: string }) | null
  readonly config: unknown
  readonly grants: readonly GrantRow[]
  readonly files: readonly FileRow[]
  readonly trip: TripRow | null
}

const facts = `
  id kind status payment_id schema_url revision submitted_at expires_at purged_at config
  flow { id name slug }
  grants(order_by: [{ created_at: asc }, { id: asc }], limit: 50) {
    id integration_id created_at expires_at first_retrieved_at revoked_at purged_at integration { id name }
  }
  files(order_by: [{ created_at: asc }, { id: asc }], limit: 100) { id name type size status reason }
  trip { id reference title sessions(order_by: [{ submitted_at: asc }], limit: 20) { id status kind submitted_at flow { id name } } }
`

interface ById {
  readonly id: string
  readonly team: string
}

export const liveSession = gql<{ sessions: SessionFacts[] }, ById>(`
  subscription Session($id: uuid!, $team: uuid!) {
    sessions(where: { id: { _eq: $id }, team_id: { _eq: $team } }, limit: 1) { ${facts} }
  }
`)

export interface Problem {
  /** JSON Pointer into the data. */
  readonly path: string
  readonly message: string
  readonly keyword: string
}

/** What viewers do not see. */
export interface EditorFacts {
  readonly id: string
  readonly problems: readonly Problem[] | null
  readonly author_kind: string | null
  readonly author_id: string | null
  readonly revised_at: string | null
  readonly purge_reason: string | null
}

export const liveEditorFacts = gql<{ sessions: EditorFacts[] }, ById>(`
  subscription SessionForEditors($id: uuid!, $team: uuid!) {
    sessions(where: { id: { _eq: $id }, team_id: { _eq: $team } }, limit: 1) {
      id problems author_kind author_id revised_at purge_reason
    }
  }
`)

export interface EventRow {
  readonly id: string
  readonly type: string
  readonly created_at: string
  readonly revision: number
}

export interface RevisionRow {
  readonly id: string
  readonly revision: number
  readonly author_kind: string
  readonly author_id: string | null
  readonly created_at: string
}

export type DeliveryStatus = 'pending' | 'leased' | 'waiting' | 'succeeded' | 'exhausted' | 'cancelled'

export interface DeliveryRow {
  readonly id: string
  readonly status: DeliveryStatus
  readonly attempt_count: number
  readonly created_at: string
  readonly finished_at: string | null
  readonly due_at: string | null
  readonly last_error: string | null
  readonly replay_id: string | null
  readonly event: { readonly id: string; readonly type: string } | null
  readonly webhook: Named | null
  readonly connection: Named | null
  readonly integration: Named | null
}

export interface RunRow {
  readonly id: string
  readonly method: string
  readonly status: 'succeeded' | 'failed'
  readonly message: string | null
  readonly attempt: number
  readonly started_at: string
  readonly duration_ms: number
  readonly connector: string | null
  readonly revision: number | null
  readonly dry_run: boolean
  readonly delivery_id: string | null
  readonly connection: Named | null
}

export interface SourceRow {
  readonly id: string
  readonly status: string
  readonly origin: string
  readonly size: number | null
  readonly mime: string | null
  readonly created_at: string
  readonly received_at: string | null
  readonly converted_at: string | null
  readonly purged_at: string | null
  readonly connection: Named | null
}

export interface History {
  readonly id: string
  readonly events: readonly EventRow[]
  /** Those before the present one. */
  readonly revisions: readonly RevisionRow[]
  readonly deliveries: readonly DeliveryRow[]
  readonly connector_runs: readonly RunRow[]
}

export const liveHistory = gql<{ sessions: History[] }, ById & { limit: number }>(`
  subscription SessionHistory($id: uuid!, $team: uuid!, $limit: Int!) {
    sessions(where: { id: { _eq: $id }, team_id: { _eq: $team } }, limit: 1) {
      id
      events(order_by: [{ created_at: desc }, { id: desc }], limit: $limit) { id type created_at revision }
      revisions(order_by: [{ revision: desc }], limit: $limit) { id revision author_kind author_id created_at }
      deliveries(order_by: [{ created_at: desc }, { id: desc }], limit: $limit) {
        id status attempt_count created_at finished_at due_at last_error replay_id
        event { id type } webhook { id name } connection { id name } integration { id name }
      }
      connector_runs(order_by: [{ started_at: desc }, { id: desc }], limit: $limit) {
        id method status message attempt started_at duration_ms connector revision dry_run delivery_id
        connection { id name }
      }
    }
  }
`)

export const liveSources = gql<{ raw_sources: SourceRow[] }, ById>(`
  subscription SourcesOfSession($id: uuid!, $team: uuid!) {
    raw_sources(where: { session_id: { _eq: $id }, team_id: { _eq: $team } }, order_by: [{ created_at: asc }], limit: 20) {
      id status origin size mime created_at received_at converted_at purged_at connection { id name }
    }
  }
`)

export interface AuditRow {
  readonly id: string
  readonly at: string
  readonly actor_kind: string
  readonly actor_id: string | null
  readonly operation: string
  readonly outcome: string
}

/** Without what the session and its grants tell themselves, and actions on files, beside which `link_files` is written. */
export const liveAudit = gql<{ audit_entries: AuditRow[] }, ById & { limit: number }>(`
  subscription SessionAudit($id: uuid!, $team: uuid!, $limit: Int!) {
    audit_entries(
      where: {
        team_id: { _eq: $team }, session_ids: { _contains: [$id] },
        operation: { _nin: ["submit_session", "submit_test_session", "withdraw_grants", "withdraw_grant", "purge_session", "create_file_link", "create_file_links"] }
      }
      order_by: [{ at: desc }, { id: desc }], limit: $limit
    ) { id at actor_kind actor_id operation outcome }
  }
`)

export const actors = gql<
  { users: Named[]; api_credentials: Named[]; connections: Named[] },
  { ids: readonly string[] }
>(`
  query ActorsOfSession($ids: [uuid!]!) {
    users(where: { id: { _in: $ids } }, limit: 200) { id name }
    api_credentials(where: { id: { _in: $ids } }, limit: 200) { id name }
    connections(where: { id: { _in: $ids } }, limit: 200) { id name }
  }
`)

export interface AttemptRow {
  readonly id: string
  readonly number: number
  readonly outcome: 'succeeded' | 'failed'
  readonly started_at: string
  readonly duration_ms: number
  readonly status_code: number | null
  readonly error_class: string | null
  readonly error_message: string | null
}

export const liveAttempts = gql<{ delivery_attempts: AttemptRow[] }, { delivery: string; limit: number }>(`
  subscription AttemptsOfDelivery($delivery: uuid!, $limit: Int!) {
    delivery_attempts(where: { delivery_id: { _eq: $delivery } }, order_by: [{ started_at: desc }, { id: desc }], limit: $limit) {
      id number outcome started_at duration_ms status_code error_class error_message
    }
  }
`)

export interface RunDetail {
  readonly id: string
  readonly log: readonly { readonly at?: string; readonly level?: string; readonly message?: string }[]
  readonly calls: readonly {
    readonly kind?: string
    readonly target?: string
    readonly status?: string | number
    readonly ms?: number
  }[]
}

export const runDetail = gql<{ connector_runs_by_pk: RunDetail | null }, { id: string }>(`
  query RunOfSession($id: uuid!) { connector_runs_by_pk(id: $id) { id log calls } }
`)

/** Hands the data over: it is asked for only when somebody wants to see it, and writes an audit entry. */
export const sessionData = gql<
  {
    sessions_by_pk: {
      readonly id: string
      readonly revision: number
      readonly config: unknown
      readonly data: unknown
      /** Of connectors, by implementation. */
      readonly connector_data: Readonly<Record<string, unknown>> | null
    } | null
  },
  { id: string }
>(`
  query DataOfSessionForEditors($id: uuid!) { sessions_by_pk(id: $id) { id revision config data connector_data } }
`)

export const revisionData = gql<
  {
    session_revisions: {
      readonly id: string
      readonly revision: number
      readonly config: unknown
      readonly data: unknown
    }[]
  },
  { id: string; revision: number }
>(`
  query DataOfRevisionForEditors($id: uuid!, $revision: Int!) {
    session_revisions(where: { session_id: { _eq: $id }, revision: { _eq: $revision } }, limit: 1) { id revision config data }
  }
`)

export interface AnnotationRow {
  readonly connector: string
  readonly context_type: string
  readonly context_uuid: string
  readonly label: string
  readonly label_key: string
  readonly value_type: string
  readonly value: unknown
}

/** A retrieval too. */
export const annotationsOf = gql<{ annotations: AnnotationRow[] }, { id: string; locale: string }>(`
  query AnnotationsOfSessionForEditors($id: uuid!, $locale: String!) {
    annotations(session_id: $id, locale: $locale) { connector context_type context_uuid label label_key value_type value }
  }
`)

export const purgeSession = gql<{ purge_session: { id: string } }, { id: string; reason: string }>(`
  mutation PurgeSession($id: uuid!, $reason: String!) { purge_session(id: $id, reason: $reason) { id purged_at } }
`)

export const withdrawGrant = gql<{ withdraw_grant: { deliveries: number } }, { session: string; integration: string }>(`
  mutation WithdrawGrant($session: uuid!, $integration: uuid!) {
    withdraw_grant(session_id: $session, integration_id: $integration) { grants deliveries }
  }
`)

export const replayDelivery = gql<{ replay_delivery: { id: string; attempt: number } }, { id: string }>(`
  mutation ReplayDeliveryOfSession($id: uuid!) { replay_delivery(id: $id) { id attempt } }
`)

export const rerun = gql<{ rerun: { delivery_id: string } }, { id: string }>(`
  mutation RerunOfSession($id: uuid!) { rerun(run_id: $id) { delivery_id revision } }
`)

export const fileLink = gql<
  { create_file_link: { id: string; url: string | null; reason: string | null } },
  { id: string }
>(`
  mutation FileLinkOfSession($id: uuid!) { create_file_link(id: $id) { id url reason } }
`)

export const sourceContent = gql<
  { raw_source_content: { id: string; content: string; mime: string | null } },
  { id: string }
>(`
  mutation SourceContentOfSession($id: uuid!) { raw_source_content(id: $id) { id content mime } }
`)

export interface SettlingFacts {
  readonly session_id: string
  readonly since: string
  readonly attempts: number
  /** Updates that wait. */
  readonly pending_revisions: number
  readonly modifiers: readonly {
    /** Null, as `name` is, of the platform's where the person is no admin. */
    readonly connection_id: string | null
    readonly name: string | null
    readonly integration: string
  }[]
}

/** Whom it waits for; null for nobody. */
export const settlingOf = gql<{ session_settling: SettlingFacts | null }, { id: string }>(`
  query SettlingOfSession($id: uuid!) {
    session_settling(session_id: $id) {
      session_id since attempts pending_revisions modifiers { connection_id name integration }
    }
  }
`)

/** Asks a modifier about the session once more. */
export const modifyAgain = gql<{ modify_session: { session_id: string } }, { connection: string; session: string }>(`
  mutation ModifyAgain($connection: uuid!, $session: uuid!) {
    modify_session(connection_id: $connection, session_id: $session) { session_id }
  }
`)
