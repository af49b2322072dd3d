import { gql } from '../../api/gql.ts'

export const statuses = ['submitted', 'settling', 'invalid', 'purged'] as const
export type SessionStatus = (typeof statuses)[number]
export const kinds = ['application', 'booking'] as const
export type SessionKind = (typeof kinds)[number]

interface Counted {
  readonly aggregate: { readonly count: number }
}

export interface SessionRow {
  readonly id: string
  readonly kind: SessionKind
  readonly status: SessionStatus
  readonly payment_id: string | null
  readonly submitted_at: string
  readonly expires_at: string
  readonly purged_at: string | null
  readonly flow: { readonly id: string; readonly name: string } | null
  /** The grant that ends last; none where nobody may read it. */
  readonly grants: readonly { readonly id: string; readonly expires_at: string }[]
  readonly delivered: Counted
  readonly failed: Counted
  readonly open: Counted
}

/** Served by the index on team and time. */
export const liveSessions = gql<{ sessions: SessionRow[] }, { where: object; limit: number }>(`
  subscription Sessions($where: sessions_bool_exp!, $limit: Int!) {
    sessions(where: $where, order_by: [{ submitted_at: desc }, { id: desc }], limit: $limit) {
      id kind status payment_id submitted_at expires_at purged_at
      flow { id name }
      grants(where: { revoked_at: { _is_null: true } }, order_by: [{ expires_at: desc }], limit: 1) { id expires_at }
      delivered: deliveries_aggregate(where: { status: { _eq: succeeded } }) { aggregate { count } }
      failed: deliveries_aggregate(where: { status: { _eq: exhausted } }) { aggregate { count } }
      open: deliveries_aggregate(where: { status: { _in: [pending, leased, waiting] } }) { aggregate { count } }
    }
  }
`)

export interface FlowChoice {
  readonly id: string
  readonly slug: string
  readonly name: string
}

export const flowsOfTeam = gql<{ flows: FlowChoice[] }, { team: string }>(`
  query FlowsForSessions($team: uuid!) {
    flows(where: { team_id: { _eq: $team } }, order_by: [{ name: asc }], limit: 1000) { id slug name }
  }
`)

export const submitTestSession = gql<
  {
    submit_test_session: {
      readonly id: string
      readonly status: SessionStatus
      readonly grants: number
      readonly deliveries: number
    }
  },
  { flow: string; kind: SessionKind; data: object | null; config: object | null }
>(`
  mutation SubmitTestSession($flow: uuid!, $kind: String, $data: jsonb, $config: jsonb) {
    submit_test_session(flow_id: $flow, kind: $kind, data: $data, config: $config) { id status grants deliveries }
  }
`)

export const revalidateSession = gql<
  { revalidate_session: { checked: number; published: number; invalid: number } },
  { id?: string; flow?: string }
>(`
  mutation RevalidateSession($id: uuid, $flow: uuid) {
    revalidate_session(id: $id, flow_id: $flow) { checked published invalid }
  }
`)
