/**
 * Who may do what, as data: every table and every action of the API, for every
 * role. It is written apart from `src/access/permissions.ts`, in other words, so
 * that one checks the other. A root field without a line here fails the tests.
 */
import type { Role } from '../../src/access/principal.ts'
import type { Row } from '../../src/tables/predicate-memory.ts'

/**
 * Which rows a role reads. `-`: it does not know the table. `all`. `team`: of
 * its teams. `platform`: of its teams, or of nobody's. `integration`: of its own
 * integration. `granted`: of sessions that a live grant opens to its
 * integration. `person`: its own. Anything else is explained where it is used.
 */
export type Reads = '-' | 'all' | 'team' | 'platform' | 'integration' | 'granted' | 'person' | 'approved' | 'destined'

/** Which rows a role writes. `team`: of its teams; what rows of its teams besides, other tests say. */
export type Writes = '-' | 'all' | 'team'

type ByRole<T> = Readonly<Record<Exclude<Role, 'anonymous'>, T>>

export interface TableLine {
  readonly read: ByRole<Reads>
  readonly insert: ByRole<Writes>
  readonly update: ByRole<Writes>
  readonly delete: ByRole<Writes>
}

const people = (reads: Reads, consumer: Reads = '-', source: Reads = '-'): ByRole<Reads> => ({
  admin: 'all',
  editor: reads,
  viewer: reads,
  consumer,
  source,
})
const nobody: ByRole<Writes> = { admin: '-', editor: '-', viewer: '-', consumer: '-', source: '-' }
const admins: ByRole<Writes> = { ...nobody, admin: 'all' }
const editors: ByRole<Writes> = { ...admins, editor: 'team' }
const unwritten = { insert: nobody, update: nobody, delete: nobody }
const line = (read: ByRole<Reads>, writes: Partial<Omit<TableLine, 'read'>> = {}): TableLine => ({
  read,
  ...unwritten,
  ...writes,
})

export const tables: Readonly<Record<string, TableLine>> = {
  teams: line(people('team', 'team', 'team'), { insert: admins, update: editors, delete: admins }),
  users: line(people('team')),
  team_members: line(people('team'), { insert: editors, update: editors, delete: editors }),
  sign_ins: line(people('person')),
  invitations: line({ ...people('team'), viewer: '-' }),
  flows: line(people('team', 'destined', 'team'), { insert: editors, update: editors, delete: admins }),
  payload_schemas: line(people('platform', 'platform', 'platform'), {
    insert: editors,
    update: editors,
    delete: editors,
  }),
  integrations: line(people('team', 'integration'), { insert: editors, update: editors, delete: admins }),
  destinations: line(people('team'), { insert: editors, update: editors, delete: editors }),
  api_credentials: line(people('team')),
  api_secrets: line(people('team')),
  sessions: line(people('team', 'granted', 'team')),
  session_revisions: line(people('team', 'granted')),
  session_events: line(people('team', 'granted')),
  session_grants: line(people('team', 'integration')),
  session_files: line(people('team', 'granted', 'team')),
  file_uploads: line(people('team', '-', 'team')),
  webhooks: line(people('team', 'integration'), { insert: editors, update: editors, delete: editors }),
  webhook_secrets: line(people('team')),
  deliveries: line(people('team', 'integration')),
  delivery_attempts: line(people('team', 'integration')),
  operational_events: line(people('team')),
  replays: line(people('team')),
  connectors: line(people('approved')),
  connections: line(people('team'), { update: editors, delete: editors }),
  connector_runs: line(people('team')),
  raw_sources: line(people('team')),
  audit_entries: line(people('team')),
  trips: line(people('team', 'granted')),
}

export interface ActionLine {
  readonly root: 'Query' | 'Mutation' | 'Subscription'
  readonly roles: readonly Role[]
  /** Variables that name what is of another team; with `document` it must be refused, and nothing may change. */
  readonly document?: string
  readonly foreign?: (given: Foreign) => Readonly<Record<string, unknown>> | Promise<Readonly<Record<string, unknown>>>
}

export interface Foreign {
  /** A row of the other team. */
  row(table: string): Promise<Row>
}

const everybody: readonly Role[] = ['admin', 'editor', 'viewer', 'consumer', 'source', 'anonymous']
const persons: readonly Role[] = ['admin', 'editor', 'viewer']
const editing: readonly Role[] = ['admin', 'editor']
const sending: readonly Role[] = ['admin', 'source']

/** Only about the caller, or open to whoever has a token that was mailed: there is no other team's to name. */
const ofOneself = (root: 'Query' | 'Mutation', roles: readonly Role[]): ActionLine => ({ root, roles })

const mutation = (
  roles: readonly Role[],
  types: string,
  call: string,
  foreign: NonNullable<ActionLine['foreign']>,
): ActionLine => ({ root: 'Mutation', roles, document: `mutation (${types}) { ${call} }`, foreign })

const query = (
  roles: readonly Role[],
  types: string,
  call: string,
  foreign: NonNullable<ActionLine['foreign']>,
): ActionLine => ({ root: 'Query', roles, document: `query (${types}) { ${call} }`, foreign })

/** An action on one row, named by its id. */
const onRow = (roles: readonly Role[], table: string, call: string): ActionLine =>
  mutation(roles, '$id: uuid!', call, async ({ row }) => ({ id: (await row(table)).id }))

export const actions: Readonly<Record<string, ActionLine>> = {
  whoami: ofOneself('Query', everybody),
  sign_in: ofOneself('Mutation', everybody),
  refresh: ofOneself('Mutation', everybody),
  accept_invitation: ofOneself('Mutation', everybody),
  request_password_reset: ofOneself('Mutation', everybody),
  reset_password: ofOneself('Mutation', everybody),
  sign_out: ofOneself('Mutation', persons),
  sign_out_everywhere: ofOneself('Mutation', persons),
  change_password: ofOneself('Mutation', persons),
  update_profile: ofOneself('Mutation', persons),
  disable_person: ofOneself('Mutation', ['admin']),
  enable_person: ofOneself('Mutation', ['admin']),
  rotate_webhook_key: ofOneself('Mutation', ['admin']),

  invite_member: mutation(
    editing,
    '$team: uuid!',
    'invite_member(team_id: $team, email: "somebody@else.test", role: "viewer") { id }',
    async ({ row }) => ({ team: (await row('teams')).id }),
  ),
  resend_invitation: onRow(editing, 'invitations', 'resend_invitation(id: $id) { id }'),
  revoke_invitation: onRow(editing, 'invitations', 'revoke_invitation(id: $id)'),

  // The registry is the installation's; which connectors there are is no team's.
  install_connector: ofOneself('Mutation', ['admin']),
  review_connector: ofOneself('Mutation', ['admin']),
  uninstall_connector: ofOneself('Mutation', ['admin']),
  connector_label: ofOneself('Query', persons),
  annotations: query(
    ['admin', 'editor', 'consumer'],
    '$id: uuid!',
    'annotations(session_id: $id) { label }',
    async ({ row }) => ({
      id: (await row('sessions')).id,
    }),
  ),
  connect: mutation(editing, '$object: connect_input!', 'connect(object: $object) { id }', async ({ row }) => ({
    object: {
      connector_id: '01980000-0000-7000-8000-000000000000',
      integration_id: (await row('integrations')).id,
      name: 'theirs',
    },
  })),
  update_connection_settings: onRow(editing, 'connections', 'update_connection_settings(id: $id, settings: {}) { id }'),
  connector_upgrade_preview: query(
    editing,
    '$id: uuid!',
    'connector_upgrade_preview(id: $id, connector_id: $id) { widens }',
    async ({ row }) => ({ id: (await row('connections')).id }),
  ),
  upgrade_connection: onRow(editing, 'connections', 'upgrade_connection(id: $id, connector_id: $id) { id }'),
  test_connection: onRow(editing, 'connections', 'test_connection(id: $id) { ok }'),
  dry_run_connection: mutation(
    editing,
    '$id: uuid!, $session: uuid!',
    'dry_run_connection(connection_id: $id, session_id: $session) { id }',
    async ({ row }) => ({ id: (await row('connections')).id, session: (await row('sessions')).id }),
  ),
  run_connection: onRow(editing, 'connections', 'run_connection(id: $id) { id }'),
  convert_raw_sources: onRow(editing, 'raw_sources', 'convert_raw_sources(ids: [$id]) { count }'),
  raw_source_content: onRow(editing, 'raw_sources', 'raw_source_content(id: $id) { content }'),
  rerun: onRow(editing, 'connector_runs', 'rerun(run_id: $id) { delivery_id }'),
  inbound_address: query(persons, '$id: uuid!', 'inbound_address(connection_id: $id) { url }', async ({ row }) => ({
    id: (await row('connections')).id,
  })),
  rotate_inbound_secret: onRow(editing, 'connections', 'rotate_inbound_secret(connection_id: $id) { secret }'),
  discard_raw_sources: onRow(editing, 'connections', 'discard_raw_sources(ids: [$id]) { discarded }'),

  activity: query(
    persons,
    '$team: uuid!',
    'activity(team_id: $team, seconds: 3600, bucket_seconds: 60) { waiting_deliveries }',
    async ({ row }) => ({ team: (await row('teams')).id }),
  ),
  // One chain seals the entries of all teams; its head says nothing of any of them.
  audit_head: ofOneself('Query', persons),

  create_credential: mutation(
    editing,
    '$object: create_credential_input!',
    'create_credential(object: $object) { id }',
    async ({ row }) => ({
      object: { role: 'consumer', name: 'theirs', integration_id: (await row('integrations')).id },
    }),
  ),
  rotate_credential: onRow(editing, 'api_credentials', 'rotate_credential(id: $id) { secret }'),
  revoke_credential: onRow(editing, 'api_credentials', 'revoke_credential(id: $id) { id }'),
  revoke_credential_secret: onRow(editing, 'api_secrets', 'revoke_credential_secret(id: $id) { id }'),
  set_credential_keys: onRow(editing, 'api_credentials', 'set_credential_keys(id: $id, jwks: {keys: []}) { id }'),

  submit_session: mutation(sending, '$object: submit_session_input!', 'submit_session(object: $object) { id }', () => ({
    object: { team: 'lambeth', flow: 'apply', data: {} },
  })),
  update_session: mutation(
    sending,
    '$object: update_session_input!',
    'update_session(object: $object) { id }',
    async ({ row }) => ({ object: { id: (await row('sessions')).id, data: { changed: true } } }),
  ),
  submit_test_session: mutation(
    editing,
    '$flow: uuid!',
    'submit_test_session(flow_id: $flow) { id }',
    async ({ row }) => ({ flow: (await row('flows')).id }),
  ),
  revalidate_session: onRow(editing, 'sessions', 'revalidate_session(id: $id) { __typename }'),
  purge_session: onRow(editing, 'sessions', 'purge_session(id: $id, reason: "not ours") { id }'),
  modify_session: mutation(
    editing,
    '$connection: uuid!, $session: uuid!',
    'modify_session(connection_id: $connection, session_id: $session) { session_id }',
    async ({ row }) => ({ connection: (await row('connections')).id, session: (await row('sessions')).id }),
  ),
  session_settling: query(
    persons,
    '$session: uuid!',
    'session_settling(session_id: $session) { __typename }',
    async ({ row }) => ({ session: (await row('sessions')).id }),
  ),
  upsert_payload_schema: mutation(
    editing,
    '$object: upsert_payload_schema_input!',
    'upsert_payload_schema(object: $object) { id }',
    async ({ row }) => ({
      object: {
        team_id: (await row('teams')).id,
        url: 'https://schemas.example/theirs',
        name: 'theirs',
        version: '1',
        document: {},
      },
    }),
  ),

  create_file_upload: mutation(
    sending,
    '$object: create_file_upload_input!',
    'create_file_upload(object: $object) { id }',
    () => ({
      object: {
        team: 'lambeth',
        flow: 'apply',
        session_id: '01980000-0000-7000-8000-000000000000',
        name: 'plan.pdf',
        type: 'application/pdf',
      },
    }),
  ),
  complete_file_upload: onRow(sending, 'file_uploads', 'complete_file_upload(id: $id) { id }'),
  create_file_link: onRow(['admin', 'editor', 'consumer'], 'session_files', 'create_file_link(id: $id) { url }'),
  create_file_links: onRow(['admin', 'editor', 'consumer'], 'sessions', 'create_file_links(session_id: $id) { url }'),

  create_webhook: mutation(
    editing,
    '$object: create_webhook_input!',
    'create_webhook(object: $object) { id }',
    async ({ row }) => ({
      object: { integration_id: (await row('integrations')).id, name: 'theirs', url: 'https://hooks.example' },
    }),
  ),
  rotate_webhook_secret: onRow(editing, 'webhooks', 'rotate_webhook_secret(id: $id) { secret }'),
  test_webhook: onRow(editing, 'webhooks', 'test_webhook(id: $id) { delivery_id }'),
  replay_delivery: onRow(editing, 'deliveries', 'replay_delivery(id: $id) { id }'),
  replay_deliveries: mutation(
    editing,
    '$object: replay_deliveries_input!',
    'replay_deliveries(object: $object) { id total }',
    async ({ row }) => ({ object: { webhook_id: (await row('webhooks')).id } }),
  ),
  // Chosen by a filter, under which what is another team's is not there: test/replays.test.ts.
  cancel_deliveries: ofOneself('Mutation', editing),
  cancel_replay: onRow(editing, 'replays', 'cancel_replay(id: $id) { id }'),
  set_webhook_headers: onRow(editing, 'webhooks', 'set_webhook_headers(id: $id, headers: {a: "b"}) { id }'),
  import_webhooks: mutation(
    editing,
    '$team: uuid!, $document: String!',
    'import_webhooks(team_id: $team, format: "json", document: $document, dry_run: false) { __typename }',
    async ({ row }) => ({ team: (await row('teams')).id, document: '[]' }),
  ),
  export_webhooks: query(editing, '$team: uuid!', 'export_webhooks(team_id: $team)', async ({ row }) => ({
    team: (await row('teams')).id,
  })),
  explain_event: query(editing, '$team: String!', 'explain_event(team: $team, flow: "apply") { __typename }', () => ({
    team: 'lambeth',
  })),
  available_integrations: query(
    editing,
    '$flow: uuid!',
    'available_integrations(flow_id: $flow) { __typename }',
    async ({ row }) => ({ flow: (await row('flows')).id }),
  ),
  remove_destination: onRow(
    editing,
    'destinations',
    'remove_destination(id: $id, withdraw_grants: true) { __typename }',
  ),
  withdraw_grant: mutation(
    editing,
    '$session: uuid!, $integration: uuid!',
    'withdraw_grant(session_id: $session, integration_id: $integration) { __typename }',
    async ({ row }) => {
      const grant = await row('session_grants')
      return { session: grant.session_id, integration: grant.integration_id }
    },
  ),
}
