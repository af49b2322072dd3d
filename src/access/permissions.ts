/**
 * The one declaration of what is exposed: per table and role, which rows (a
 * boolean expression with session variables) and which columns may be read, and
 * which may be written. A table that is not named here does not exist for any
 * client, and a role that is not named under a table neither sees nor writes it.
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

/** What a column is set to by us: `now()`, a session variable, or a column of the row that an object relation leads to. */
export type Preset = string | { readonly relation: string; readonly column: string }
export type Presets = Readonly<Record<string, Preset>>

export interface WritePermission {
  readonly insert?: {
    readonly columns: readonly string[]
    /** What a new row must satisfy; it may only speak of `columns` and `presets`. In the form of `ReadPermission.rows`. */
    readonly check: object
    readonly presets?: Presets
  }
  readonly update?: {
    /** Rows that may be changed; others are left as they are, without an error. */
    readonly rows: object
    readonly columns: readonly string[]
    /** What a row must satisfy once it is changed. @default rows */
    readonly check?: object
    readonly presets?: Presets
  }
  /** Rows that may be deleted; others stay, without an error. */
  readonly delete?: { readonly rows: object }
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
  readonly write?: Partial<Record<Role, WritePermission>>
  /**
   * Columns of related rows, as `relation.column`, that must be equal in every
   * row that is written, whoever writes it. With `or null`, a row whose second
   * one is null agrees too.
   */
  readonly agree?: readonly (readonly [string, string, 'or null'?])[]
}

const everything: ReadPermission = { rows: {}, columns: '*' }
const ownTeams = { team_id: { _in: 'x-hasura-team-ids' } }
const ofOwnTeams: ReadPermission = { rows: ownTeams, columns: '*' }
/** Of the caller's teams, or the platform's, which every team may use. */
const ownTeamsOrPlatform = { _or: [ownTeams, { team_id: { _is_null: true } }] }
const ofOwnTeamsOrPlatform: ReadPermission = { rows: ownTeamsOrPlatform, columns: '*' }
const ownPerson = { user_id: { _eq: 'x-hasura-user-id' } }
const people = (permission: ReadPermission) => ({ admin: everything, editor: permission, viewer: permission })

/** By their team; `team_id` itself is taken from the integration. */
const integrationTeam = { relation: 'integration', column: 'team_id' }
const touched: Presets = { updated_at: 'now()' }

/** What a team sets for itself: days, within the installation's limits, and where it is told how its targets fare. */
const ownTeamColumns = ['retention_days', 'retention_after_retrieval_days', 'notification_email']

/** A schema keeps its URL: what was submitted under it says so. */
const schemaColumns = ['name', 'version', 'document']

/** What editors set of webhooks and connections. */
const targetColumns = ['events', 'ordered', 'rate_per_second', 'enabled', 'concurrency', 'timeout_ms']
const webhookColumns = ['name', 'url', 'config', 'pattern', 'headers', 'signatures', ...targetColumns]
const connectionColumns = [
  ...['name', 'config', 'pattern', 'flow_id', 'schedule', 'time_zone', 'run_order', 'pending_hours'],
  ...targetColumns,
]

/** Deleting what sessions belong to would delete them, and leave their files and raw sources without an owner. */
const withoutSessions = { _not: { sessions: {} } }

/** Editors see to editors and viewers; who administers a team is an admin's matter. */
const ordinaryMember = { ...ownTeams, role: { _in: ['editor', 'viewer'] } }

const ownIntegration = { integration_id: { _eq: 'x-hasura-integration-id' } }

/**
 * A session is open to a consumer only through a live grant of its own integration. That it is the integration's
 * team's follows from that (a flow and its destinations are of one team, or the platform's); said here as well, it lets
 * Postgres use the indexes by team and live queries be found by it: a list of 20 among 100,000 sessions reads 0.6 k pages
 * and not 4 k. A credential of the platform that serves every team carries no list that a new team would miss
 * (`every-team.ts`): for it, `ownTeams` says nothing, and the grant alone decides.
 */
const liveGrant = { ...ownIntegration, revoked_at: { _is_null: true }, expires_at: { _gt: 'now()' } }
const grantedSession = { ...ownTeams, status: { _eq: 'submitted' }, grants: liveGrant }

/** Grants a consumer may see: its own, also when they have ended, so that it learns why a session is gone. */
export const exposures: Readonly<Record<string, Exposure>> = {
  teams: {
    read: {
      ...people({ rows: { id: { _in: 'x-hasura-team-ids' } }, columns: '*' }),
      consumer: {
        rows: {
          id: { _in: 'x-hasura-team-ids' },
          _or: [
            { integrations: { id: { _eq: 'x-hasura-integration-id' } } },
            { flows: { destinations: ownIntegration } },
            { session_grants: ownIntegration },
          ],
        },
        columns: ['id', 'slug', 'name'],
      },
      source: { rows: { id: { _in: 'x-hasura-team-ids' } }, columns: ['id', 'slug', 'name'] },
    },
    write: {
      admin: {
        insert: { columns: ['slug', 'name', ...ownTeamColumns], check: {} },
        update: { rows: {}, columns: ['slug', 'name', ...ownTeamColumns] },
        delete: { rows: withoutSessions },
      },
      editor: {
        update: { rows: { id: { _in: 'x-hasura-team-ids' } }, columns: ownTeamColumns },
      },
    },
  },
  users: {
    hidden: ['password_hash'],
    read: {
      admin: everything,
      editor: { rows: { memberships: ownTeams }, columns: ['id', 'email', 'name'] },
      viewer: { rows: { memberships: ownTeams }, columns: ['id', 'name'] },
    },
  },
  team_members: {
    // Their own as well where they were made a member after their token: so a client learns that it wants another.
    read: people({ rows: { _or: [ownTeams, ownPerson] }, columns: '*' }),
    write: {
      admin: {
        insert: { columns: ['team_id', 'user_id', 'role'], check: {} },
        update: { rows: {}, columns: ['role'] },
        delete: { rows: {} },
      },
      editor: {
        insert: { columns: ['team_id', 'user_id', 'role'], check: ordinaryMember },
        update: { rows: ordinaryMember, columns: ['role'] },
        delete: { rows: ordinaryMember },
      },
    },
  },
  flows: {
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: { ...ownTeams, _or: [{ destinations: ownIntegration }, { sessions: grantedSession }] },
        columns: ['id', 'team_id', 'slug', 'name', 'schema_url'],
      },
      source: { rows: ownTeams, columns: ['id', 'team_id', 'slug', 'name', 'schema_url'] },
    },
    write: {
      admin: {
        insert: { columns: ['team_id', 'slug', 'name', 'schema_url'], check: {} },
        update: { rows: {}, columns: ['slug', 'name', 'schema_url'] },
        delete: { rows: withoutSessions },
      },
      editor: {
        insert: { columns: ['team_id', 'slug', 'name', 'schema_url'], check: ownTeams },
        update: { rows: ownTeams, columns: ['name', 'schema_url'] },
      },
    },
  },
  integrations: {
    read: {
      ...people(ofOwnTeamsOrPlatform),
      consumer: {
        rows: { id: { _eq: 'x-hasura-integration-id' } },
        columns: ['id', 'team_id', 'slug', 'name', 'description', 'status'],
      },
    },
    write: {
      admin: {
        insert: { columns: ['team_id', 'slug', 'name', 'description', 'status'], check: {} },
        update: { rows: {}, columns: ['slug', 'name', 'description', 'status'] },
        delete: { rows: {} },
      },
      editor: {
        insert: { columns: ['team_id', 'slug', 'name', 'description', 'status'], check: ownTeams },
        update: { rows: ownTeams, columns: ['name', 'description', 'status'] },
      },
    },
  },
  destinations: {
    agree: [['flow.team_id', 'integration.team_id', 'or null']],
    read: people({ rows: { flow: ownTeams }, columns: '*' }),
    write: {
      admin: {
        insert: { columns: ['flow_id', 'integration_id', 'config'], check: {} },
        update: { rows: {}, columns: ['config'] },
        delete: { rows: {} },
      },
      editor: {
        insert: {
          columns: ['flow_id', 'integration_id', 'config'],
          check: { flow: ownTeams, integration: ownTeamsOrPlatform },
        },
        update: { rows: { flow: ownTeams, integration: ownTeamsOrPlatform }, columns: ['config'] },
        delete: { rows: { flow: ownTeams } },
      },
    },
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
          'connector_data',
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
      consumer: { rows: { ...ownTeams, session: grantedSession }, columns: '*' },
    },
  },
  session_revisions: {
    hidden: ['content_hash'],
    retrieval: { columns: ['data'], session: 'session_id' },
    read: {
      admin: everything,
      editor: { rows: { session: ownTeams }, columns: '*' },
      viewer: {
        rows: { session: ownTeams },
        columns: ['id', 'session_id', 'revision', 'author_kind', 'author_id', 'created_at'],
      },
      consumer: {
        rows: { session: grantedSession },
        columns: ['id', 'session_id', 'revision', 'payment_id', 'config', 'data', 'schema_url', 'created_at'],
      },
    },
  },
  session_grants: {
    read: {
      ...people(ofOwnTeams),
      consumer: {
        // One whose modifiers have not settled is not there yet.
        rows: { ...ownTeams, ...ownIntegration, session: { status: { _neq: 'settling' } } },
        columns: [
          'id',
          'session_id',
          'integration_id',
          'team_id',
          'created_at',
          'expires_at',
          'first_retrieved_at',
          'revoked_at',
          'purged_at',
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
        columns: ['id', 'session_id', 'name', 'type', 'size', 'sha256', 'status', 'reason', 'url'],
      },
      source: {
        rows: { session: ownTeams },
        columns: ['id', 'session_id', 'name', 'type', 'size', 'sha256', 'status', 'reason', 'url'],
      },
    },
  },
  file_uploads: {
    hidden: ['object_key'],
    read: { ...people(ofOwnTeams), source: ofOwnTeams },
  },
  webhooks: {
    hidden: ['sealed_headers'],
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: ownIntegration,
        columns: ['id', 'integration_id', 'name', 'url', 'enabled', 'state', 'state_reason', 'created_at'],
      },
    },
    write: {
      admin: {
        insert: {
          columns: ['integration_id', ...webhookColumns],
          check: {},
          presets: { team_id: integrationTeam },
        },
        update: { rows: {}, columns: webhookColumns, presets: touched },
        delete: { rows: {} },
      },
      editor: {
        insert: {
          columns: ['integration_id', ...webhookColumns],
          check: { integration: ownTeams },
          presets: { team_id: integrationTeam },
        },
        update: { rows: ownTeams, columns: webhookColumns, presets: touched },
        delete: { rows: ownTeams },
      },
    },
  },
  webhook_secrets: {
    hidden: ['sealed'],
    read: people({ rows: { webhook: ownTeams }, columns: '*' }),
  },
  connections: {
    hidden: ['sealed_settings', 'state', 'run_token', 'run_until'],
    read: people(ofOwnTeams),
    write: {
      admin: {
        update: { rows: {}, columns: connectionColumns, presets: touched },
        delete: { rows: {} },
      },
      editor: {
        update: { rows: ownTeams, columns: connectionColumns, presets: touched },
        delete: { rows: ownTeams },
      },
    },
  },
  deliveries: {
    hidden: ['attempts_before_replay'],
    read: {
      ...people(ofOwnTeams),
      consumer: {
        rows: { ...ownTeams, ...ownIntegration },
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
      // What a platform's receiver is and answers is the platform's; its team sees how the delivery fares.
      admin: everything,
      editor: { rows: { delivery: { ...ownTeams, integration: ownTeams } }, columns: '*' },
      viewer: { rows: { delivery: { ...ownTeams, integration: ownTeams } }, columns: '*' },
      consumer: {
        rows: { delivery: { ...ownTeams, ...ownIntegration } },
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
  operational_events: {
    hidden: ['announced_at'],
    read: people(ofOwnTeams),
  },
  replays: {
    hidden: ['next_release_at'],
    read: people(ofOwnTeams),
  },
  connectors: {
    hidden: ['bundle'],
    read: people({ rows: { status: { _eq: 'approved' } }, columns: '*' }),
  },
  connector_runs: {
    read: people({ rows: { connection: ownTeams }, columns: '*' }),
  },
  raw_sources: {
    // What came in is handed out by raw_source_content, which is audited.
    hidden: ['content', 'headers', 'sealed_headers', 'lease_token', 'leased_until', 'result_sha256'],
    read: {
      admin: everything,
      editor: ofOwnTeams,
      // As with sessions: that it came and what became of it, not what it says.
      viewer: {
        rows: ownTeams,
        columns: [
          ...['id', 'connection_id', 'team_id', 'session_id', 'origin', 'status', 'size', 'mime', 'attempt_count'],
          ...['repeats', 'is_refused', 'is_accepted', 'is_late', 'due_at', 'received_at', 'converted_at', 'purged_at'],
          ...['created_at', 'position'],
        ],
      },
    },
  },
  api_credentials: {
    read: people(ofOwnTeams),
  },
  api_secrets: {
    hidden: ['hash'],
    read: people({ rows: { credential: ownTeams }, columns: '*' }),
  },
  sign_ins: {
    hidden: ['refresh_hash', 'previous_refresh_hash'],
    read: {
      admin: everything,
      editor: { rows: ownPerson, columns: '*' },
      viewer: { rows: ownPerson, columns: '*' },
    },
  },
  invitations: {
    hidden: ['token_hash'],
    read: { admin: everything, editor: ofOwnTeams },
  },
  payload_schemas: {
    read: {
      ...people(ofOwnTeamsOrPlatform),
      consumer: ofOwnTeamsOrPlatform,
      source: ofOwnTeamsOrPlatform,
    },
    write: {
      admin: {
        insert: { columns: ['team_id', 'url', ...schemaColumns], check: {} },
        update: { rows: {}, columns: schemaColumns, presets: touched },
        delete: { rows: {} },
      },
      editor: {
        insert: { columns: ['team_id', 'url', ...schemaColumns], check: ownTeams },
        update: { rows: ownTeams, columns: schemaColumns, presets: touched },
        delete: { rows: ownTeams },
      },
    },
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
