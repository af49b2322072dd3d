/**
 * The one declaration of what is exposed: per table and role, which rows (a
 * boolean expression with session variables) and which columns may be read.
 * A table that is not named here does not exist for any client, and a role that
 * is not named under a table does not see it.
 */
import type { Role } from './principal.ts'

export interface ReadPermission {
  /** Rows in Hasura's JSON form; strings that begin with `x-hasura-` are session variables, `now()` is the present. */
  readonly rows: object
  /** Column names; `'*'` is every column that the table does not hide. */
  readonly columns: '*' | readonly string[]
  /** May use `<table>_aggregate`. @default true */
  readonly aggregate?: boolean
  /** The most rows one list may return. */
  readonly limit?: number
}

export interface Exposure {
  /** Columns that no role sees: secrets and internals. */
  readonly hidden?: readonly string[]
  /**
   * Columns that hand a session's data over. Reading one as a consumer is a
   * retrieval: it is audited and starts the short retention clock. `session`
   * is the column that holds the session's id.
   */
  readonly retrieval?: { readonly columns: readonly string[]; readonly session: string }
  readonly read: Partial<Record<Role, ReadPermission>>
}

const everything: ReadPermission = { rows: {}, columns: '*' }
const ownTeams = { team_id: { _in: 'x-hasura-team-ids' } }
const ofOwnTeams: ReadPermission = { rows: ownTeams, columns: '*' }
const people = (permission: ReadPermission) => ({ admin: everything, editor: permission, viewer: permission })

const ownIntegration = { integration_id: { _eq: 'x-hasura-integration-id' } }

/** A session is open to a consumer only through a live grant of its own integration. */
const liveGrant = { ...ownIntegration, revoked_at: { _is_null: true }, expires_at: { _gt: 'now()' } }
const grantedSession = { status: { _eq: 'submitted' }, grants: liveGrant }

/** Grants a consumer may see: its own, also when they have ended, so that it learns why a session is gone. */
export const exposures: Readonly<Record<string, Exposure>> = {
  teams: {
    read: {
      ...people({ rows: { id: { _in: 'x-hasura-team-ids' } }, columns: '*' }),
      consumer: { rows: { integrations: { id: { _eq: 'x-hasura-integration-id' } } }, columns: ['id', 'slug', 'name'] },
      source: { rows: { id: { _in: 'x-hasura-team-ids' } }, columns: ['id', 'slug', 'name'] },
    },
  },
  flows: {
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: { _or: [{ destinations: ownIntegration }, { sessions: grantedSession }] },
        columns: ['id', 'team_id', 'slug', 'name', 'schema_url'],
      },
      source: { rows: ownTeams, columns: ['id', 'team_id', 'slug', 'name', 'schema_url'] },
    },
  },
  integrations: {
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: { id: { _eq: 'x-hasura-integration-id' } },
        columns: ['id', 'team_id', 'slug', 'name', 'status'],
      },
    },
  },
  destinations: {
    read: people({ rows: { flow: ownTeams }, columns: '*' }),
  },
  sessions: {
    hidden: ['content_hash'],
    retrieval: { columns: ['data', 'connector_data'], session: 'id' },
    read: {
      admin: { rows: {}, columns: '*' },
      editor: { rows: ownTeams, columns: '*' },
      // A viewer sees that a session exists and where it went, not what the applicant wrote.
      viewer: {
        rows: ownTeams,
        columns: [
          'id',
          'team_id',
          'flow_id',
          'kind',
          'status',
          'payment_id',
          'config',
          'schema_url',
          'revision',
          'trip_id',
          'submitted_at',
          'expires_at',
          'purged_at',
          'position',
        ],
      },
      consumer: {
        rows: grantedSession,
        columns: [
          'id',
          'team_id',
          'flow_id',
          'kind',
          'status',
          'payment_id',
          'config',
          'data',
          'schema_url',
          'revision',
          'trip_id',
          'submitted_at',
          'expires_at',
          'position',
        ],
      },
      source: {
        rows: ownTeams,
        columns: ['id', 'team_id', 'flow_id', 'kind', 'status', 'revision', 'submitted_at', 'expires_at', 'purged_at'],
      },
    },
  },
  session_events: {
    read: {
      ...people(ofOwnTeams),
      consumer: { rows: { session: grantedSession }, columns: '*' },
    },
  },
  session_grants: {
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: ownIntegration,
        columns: [
          'id',
          'session_id',
          'integration_id',
          'team_id',
          'created_at',
          'expires_at',
          'first_retrieved_at',
          'revoked_at',
        ],
      },
    },
  },
  session_files: {
    hidden: ['object_key'],
    read: {
      ...people({ rows: { session: ownTeams }, columns: '*' }),
      consumer: {
        rows: { session: grantedSession },
        columns: ['id', 'session_id', 'name', 'type', 'size', 'sha256', 'status'],
      },
    },
  },
  webhooks: {
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: ownIntegration,
        columns: ['id', 'integration_id', 'name', 'url', 'enabled', 'state', 'state_reason', 'created_at'],
      },
    },
  },
  connections: {
    hidden: ['sealed_settings', 'state'],
    read: people(ofOwnTeams),
  },
  deliveries: {
    hidden: ['lease_token'],
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: ownIntegration,
        columns: [
          'id',
          'event_id',
          'session_id',
          'integration_id',
          'webhook_id',
          'status',
          'attempt_count',
          'due_at',
          'last_error',
          'created_at',
          'finished_at',
        ],
      },
    },
  },
  delivery_attempts: {
    read: {
      ...people({ rows: { delivery: ownTeams }, columns: '*' }),
      consumer: {
        rows: { delivery: ownIntegration },
        columns: [
          'id',
          'delivery_id',
          'number',
          'outcome',
          'started_at',
          'duration_ms',
          'status_code',
          'error_class',
          'error_message',
          'phases',
        ],
      },
    },
  },
  connectors: {
    hidden: ['bundle'],
    read: people({ rows: { status: { _eq: 'approved' } }, columns: '*' }),
  },
  connector_runs: {
    read: people({ rows: { connection: ownTeams }, columns: '*' }),
  },
  api_credentials: {
    read: people(ofOwnTeams),
  },
  audit_entries: {
    read: people(ofOwnTeams),
  },
  trips: {
    read: {
      ...people(ofOwnTeams),
      consumer: { rows: { sessions: grantedSession }, columns: ['id', 'reference', 'title', 'created_at'] },
    },
  },
}
