/** GraphQL actions of connectors. Admins install and review; editors connect, set, upgrade, test and repeat. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { Annotation } from './annotations.ts'
import type { ConnectInput, ShownSettings, UpgradeResult } from './connections.ts'
import { permissionSentences, type UpgradeDifference } from './permission-sentences.ts'
import type { InstalledConnector } from './registry.ts'
import type { Rerun } from './rerun.ts'
import type { DryRun } from './run.ts'
import type { ConnectionTest } from './task-handlers.ts'

export interface ReviewedConnector {
  readonly id: string
  readonly status: string
}

/** What `connect` is given. */
export type NewConnection = Omit<ConnectInput, 'connector' | 'config' | 'pattern' | 'settings'> & {
  readonly connector_id: string
  readonly config?: unknown
  readonly pattern?: unknown
  readonly settings?: unknown
}

export interface ConnectorActions {
  install(
    input: { readonly tarball?: string | null | undefined; readonly reference?: string | null | undefined },
    context: RequestContext,
  ): Promise<InstalledConnector>
  review(id: string, decision: string, note: string | null, context: RequestContext): Promise<ReviewedConnector>
  uninstall(id: string, context: RequestContext): Promise<ReviewedConnector>
  connect(object: NewConnection, context: RequestContext): Promise<{ readonly id: string }>
  updateSettings(
    change: { readonly id: string; readonly settings: unknown; readonly locale: string | null },
    context: RequestContext,
  ): Promise<ShownSettings>
  preview(id: string, connectorId: string, context: RequestContext): Promise<UpgradeDifference>
  upgrade(
    input: {
      readonly id: string
      readonly connector_id: string
      readonly settings: unknown
      readonly accept_widened: boolean
      readonly locale: string | null
    },
    context: RequestContext,
  ): Promise<UpgradeResult>
  test(id: string, locale: string | null, context: RequestContext): Promise<ConnectionTest>
  dryRun(
    run: {
      readonly connection_id: string
      readonly session_id: string
      readonly fixtures: unknown
      readonly kind: string | null
    },
    context: RequestContext,
  ): Promise<DryRun>
  rerun(id: string, context: RequestContext): Promise<Rerun>
  annotations(sessionId: string, locale: string | null, context: RequestContext): Promise<readonly Annotation[]>
  label(connectorId: string, key: string, locale: string | null, context: RequestContext): Promise<string>
}

export function addConnectorActions(builder: Builder, role: Role, actions: ConnectorActions): void {
  if (role === 'admin' || role === 'editor' || role === 'viewer') addLabel(builder, actions)
  if (role === 'admin' || role === 'editor' || role === 'consumer') addAnnotations(builder, actions)
  if (role !== 'admin' && role !== 'editor') return
  if (role === 'admin') addRegistry(builder, actions)
  addConnecting(builder, actions)
  addUpgrade(builder, actions)
  addTrying(builder, actions)
}

const localeHelp = "Language of the connector's messages, such as en or de-CH."

function addLabel(builder: Builder, actions: ConnectorActions): void {
  builder.queryField('connector_label', (t) =>
    t.field({
      type: 'String',
      nullable: false,
      description: 'The text that a connector shows for a key of its settings or of its ui nodes, in a language.',
      args: {
        connector_id: t.arg({ type: 'uuid', required: true }),
        key: t.arg.string({ required: true }),
        locale: t.arg.string({ description: localeHelp }),
      },
      resolve: (_, { connector_id, key, locale }, context) => actions.label(connector_id, key, locale ?? null, context),
    }),
  )
}

function addAnnotations(builder: Builder, actions: ConnectorActions): void {
  const annotation = builder.objectRef<Annotation>('annotation').implement({
    description: 'What a connector wants shown beside a session, or a part of it.',
    fields: (t) => ({
      connector: t.exposeString('connector', { nullable: false, description: "The connector's implementation." }),
      context_type: t.exposeString('context_type', {
        nullable: false,
        description: 'What it is about: BOOKING (the session itself), SERVICE, SEGMENT, LEG or TRAVELER.',
      }),
      context_uuid: t.exposeString('context_uuid', {
        nullable: false,
        description: 'Its uuid in the data, or the id of the session.',
      }),
      label: t.exposeString('label', { nullable: false, description: 'In the language asked for, or else the key.' }),
      label_key: t.exposeString('label_key', { nullable: false }),
      value_type: t.exposeString('value_type', { nullable: false, description: 'STRING, DATE, INT or BOOLEAN.' }),
      value: t.field({ type: 'jsonb', nullable: false, resolve: ({ value }) => value }),
    }),
  })
  builder.queryField('annotations', (t) =>
    t.field({
      type: [annotation],
      nullable: { list: false, items: false },
      description:
        'What connectors want shown beside a session: the ui nodes of its connector_data that are right. For an integration it is a retrieval.',
      args: {
        session_id: t.arg({ type: 'uuid', required: true }),
        locale: t.arg.string({ description: 'Language of the labels, such as en or de-CH; en if not given.' }),
      },
      resolve: async (_, { session_id, locale }, context) => [
        ...(await actions.annotations(session_id, locale ?? null, context)),
      ],
    }),
  )
}

function addRegistry(builder: Builder, actions: ConnectorActions): void {
  const installed = builder.objectRef<InstalledConnector>('install_connector_output').implement({
    description: 'A version of a connector, and what approving it agrees to.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      implementation: t.exposeString('implementation', { nullable: false }),
      version: t.exposeString('version', { nullable: false }),
      status: t.exposeString('status', { nullable: false }),
      permissions: t.stringList({
        nullable: { list: false, items: false },
        description: 'What it may do beyond computing, one sentence each.',
        resolve: (connector) => [...permissionSentences(connector)],
      }),
      license: t.exposeString('license', { nullable: true }),
      bundle_sha256: t.exposeString('bundle_sha256', { nullable: false }),
      created: t.exposeBoolean('created', { nullable: false, description: 'False when this very package was here.' }),
    }),
  })
  const reviewed = builder.objectRef<ReviewedConnector>('review_connector_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      status: t.exposeString('status', { nullable: false }),
    }),
  })
  builder.mutationField('install_connector', (t) =>
    t.field({
      type: installed,
      nullable: false,
      description: 'Bundles a package, and submits it for review. A worker does the work.',
      args: {
        tarball: t.arg.string({ description: 'A .tgz in base64, such as npm pack makes; 4 MiB at most.' }),
        reference: t.arg.string({ description: 'Or npm:name@version, where the operator allows a registry.' }),
      },
      resolve: (_, args, context) => actions.install(args, context),
    }),
  )
  builder.mutationField('review_connector', (t) =>
    t.field({
      type: reviewed,
      nullable: false,
      description: 'Decides on a version. One that is no longer approved stops its connections, and they say why.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        decision: t.arg.string({ required: true, description: 'approve, reject or withdraw (for good).' }),
        note: t.arg.string({ description: 'For the people who use it.' }),
      },
      resolve: (_, { id, decision, note }, context) => actions.review(id, decision, note ?? null, context),
    }),
  )
  builder.mutationField('uninstall_connector', (t) =>
    t.field({
      type: reviewed,
      nullable: false,
      description: "Takes a version's code away that no connection uses; its history stays.",
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.uninstall(id, context),
    }),
  )
}

function addConnecting(builder: Builder, actions: ConnectorActions): void {
  const connected = builder.objectRef<{ readonly id: string }>('connect_output').implement({
    fields: (t) => ({ id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }) }),
  })
  const shown = builder.objectRef<ShownSettings>('update_connection_settings_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      settings: t.field({ type: 'jsonb', nullable: false, resolve: ({ settings }) => settings }),
      secret_settings: t.stringList({
        nullable: { list: false, items: false },
        description: 'Keys of secret settings that have a value; values are not shown.',
        resolve: ({ secret_settings }) => [...secret_settings],
      }),
      hosts: t.stringList({
        nullable: { list: false, items: false },
        description: 'Hosts that its runs may call: those of the manifest, and those that settings name.',
        resolve: ({ hosts }) => [...hosts],
      }),
    }),
  })
  const input = builder.inputType('connect_input', {
    fields: (t) => ({
      connector_id: t.field({ type: 'uuid', required: true, description: 'An approved version.' }),
      integration_id: t.field({ type: 'uuid', required: true }),
      name: t.string({ required: true }),
      settings: t.field({ type: 'jsonb', description: "Values of the manifest's settings; PASSWORD ones are sealed." }),
      pattern: t.field({ type: 'jsonb', description: 'Which events it gets; {} for all.' }),
      config: t.field({ type: 'jsonb', description: "Handed to every run, over the event's own config." }),
      events: t.stringList({ description: 'Types of event that it hears; session.submitted if not given.' }),
      enabled: t.boolean(),
      flow_id: t.field({ type: 'uuid', description: 'Of a producer or a webhook: the flow whose sessions it makes.' }),
      schedule: t.string({
        description:
          'Of a producer or a modifier: minute, hour, day of month, month, day of week, such as 15 6 * * 1-5. Without it, it runs on demand.',
      }),
      time_zone: t.string({ description: 'IANA name, for the schedule; UTC if not given.' }),
      run_order: t.int({ description: 'Modifiers of a session run in this order; 0 if not given.' }),
      ordered: t.boolean({ description: 'Strictly one after the other, in the order of events.' }),
      rate_per_second: t.float({ description: 'Runs a second at most; unlimited if not given.' }),
      concurrency: t.int({
        description: 'Runs at once, 1 to 64. If not given 1, and 4 for a modifier without INTERNAL settings.',
      }),
      timeout_ms: t.int({ description: 'Milliseconds for a whole run, 1000 to 300000; 60000 if not given.' }),
      locale: t.string({ description: localeHelp }),
    }),
  })
  builder.mutationField('connect', (t) =>
    t.field({
      type: connected,
      nullable: false,
      description: 'Connects an integration to a connector. The connector itself checks the settings, in its sandbox.',
      args: { object: t.arg({ type: input, required: true }) },
      resolve: (_, { object }, context) => actions.connect(object, context),
    }),
  )
  builder.mutationField('update_connection_settings', (t) =>
    t.field({
      type: shown,
      nullable: false,
      description: 'Sets settings of a connection. What is left out stays, secrets too; null takes a value away.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        settings: t.arg({ type: 'jsonb', required: true }),
        locale: t.arg.string({ description: localeHelp }),
      },
      resolve: (_, { id, settings, locale }, context) =>
        actions.updateSettings({ id, settings, locale: locale ?? null }, context),
    }),
  )
}

function addUpgrade(builder: Builder, actions: ConnectorActions): void {
  const list = (name: keyof UpgradeDifference, description?: string) => ({ name, description })
  const difference = builder.objectRef<UpgradeDifference>('connector_difference').implement({
    description: 'What changes when another version takes the place of a connection.',
    fields: (t) => {
      const lists = [
        list('permissions_added'),
        list('permissions_removed'),
        list('kinds_added'),
        list('kinds_removed'),
        list('settings_added'),
        list('settings_removed'),
        list('settings_changed', 'Same key, other type, options, default or obligation.'),
        list('settings_missing', 'They need values before the upgrade.'),
      ].map(({ name, description }) => [
        name,
        t.stringList({
          nullable: { list: false, items: false },
          ...(description ? { description } : {}),
          resolve: (found) => [...(found[name] as readonly string[])],
        }),
      ])
      return {
        ...Object.fromEntries(lists),
        widens: t.exposeBoolean('widens', { nullable: false, description: 'It may do more, so an admin must agree.' }),
      }
    },
  })
  const upgraded = builder.objectRef<UpgradeResult>('upgrade_connection_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      upgraded: t.exposeBoolean('upgraded', { nullable: false }),
      message: t.exposeString('message', { nullable: true, description: 'Why it was not, and what happens next.' }),
      difference: t.field({ type: difference, nullable: false, resolve: (result) => result.difference }),
    }),
  })
  builder.queryField('connector_upgrade_preview', (t) =>
    t.field({
      type: difference,
      nullable: false,
      description: 'The difference that upgrade_connection would make.',
      args: {
        id: t.arg({ type: 'uuid', required: true, description: 'The connection.' }),
        connector_id: t.arg({ type: 'uuid', required: true }),
      },
      resolve: (_, { id, connector_id }, context) => actions.preview(id, connector_id, context),
    }),
  )
  builder.mutationField('upgrade_connection', (t) =>
    t.field({
      type: upgraded,
      nullable: false,
      description:
        'Moves a connection to another version of its connector. One that may do more waits until an admin agrees.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        connector_id: t.arg({ type: 'uuid', required: true }),
        settings: t.arg({ type: 'jsonb', description: 'Values for what the new version needs.' }),
        accept_widened: t.arg.boolean({
          description: 'An admin agrees to what the new version may do beyond the old.',
        }),
        locale: t.arg.string({ description: localeHelp }),
      },
      resolve: (_, { id, connector_id, settings, accept_widened, locale }, context) =>
        actions.upgrade(
          {
            id,
            connector_id,
            settings: settings ?? null,
            accept_widened: accept_widened ?? false,
            locale: locale ?? null,
          },
          context,
        ),
    }),
  )
}

function addTrying(builder: Builder, actions: ConnectorActions): void {
  const tested = builder.objectRef<ConnectionTest>('test_connection_output').implement({
    fields: (t) => ({
      ok: t.exposeBoolean('ok', { nullable: false }),
      tested: t.exposeBoolean('tested', {
        nullable: false,
        description: 'False when the connector has no test of its own, and only its settings were checked.',
      }),
      message: t.exposeString('message', { nullable: true }),
      duration_ms: t.exposeFloat('duration_ms', { nullable: false }),
    }),
  })
  const dry = builder.objectRef<DryRun>('dry_run_connection_output').implement({
    description: 'What a run would have done.',
    fields: (t) => ({
      id: t.field({
        type: 'uuid',
        nullable: false,
        description: 'Of the row in connector_runs.',
        resolve: ({ id }) => id,
      }),
      succeeded: t.exposeBoolean('succeeded', { nullable: false }),
      message: t.exposeString('message', { nullable: true }),
      log: t.field({ type: 'jsonb', nullable: false, resolve: ({ log }) => log }),
      calls: t.field({ type: 'jsonb', nullable: false, resolve: ({ calls }) => calls }),
      withheld: t.field({
        type: 'jsonb',
        nullable: false,
        description: 'Requests and mails as they would have been sent. They are shown here and kept nowhere.',
        resolve: ({ withheld }) => withheld,
      }),
      changes: t.field({
        type: 'jsonb',
        nullable: true,
        description: 'What a modifier would change, as a JSON Patch: a list of {op, path, value}; null of a consumer.',
        resolve: ({ changes }) => changes,
      }),
      duration_ms: t.exposeFloat('duration_ms', { nullable: false }),
    }),
  })
  const again = builder.objectRef<Rerun>('rerun_output').implement({
    fields: (t) => ({
      delivery_id: t.field({ type: 'uuid', nullable: false, resolve: ({ delivery_id }) => delivery_id }),
      revision: t.exposeInt('revision', { nullable: false, description: 'Of the session: the one that the run had.' }),
    }),
  })
  builder.mutationField('test_connection', (t) =>
    t.field({
      type: tested,
      nullable: false,
      description: 'Runs the test function of the connector with the settings of the connection, in a worker.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        locale: t.arg.string({ description: localeHelp }),
      },
      resolve: (_, { id, locale }, context) => actions.test(id, locale ?? null, context),
    }),
  )
  builder.mutationField('dry_run_connection', (t) =>
    t.field({
      type: dry,
      nullable: false,
      description:
        'Runs a connection on a session without any effect outside. It is audited like any retrieval, and starts no clock.',
      args: {
        connection_id: t.arg({ type: 'uuid', required: true }),
        session_id: t.arg({ type: 'uuid', required: true }),
        fixtures: t.arg({
          type: 'jsonb',
          description:
            'Answers to requests: [{method, url, status, headers, body}]; a url may end in *. What no fixture answers is refused.',
        }),
        kind: t.arg.string({
          description: 'consumer or modifier, where the connector is both; consumer if not given.',
        }),
      },
      resolve: (_, { connection_id, session_id, fixtures, kind }, context) =>
        actions.dryRun({ connection_id, session_id, fixtures: fixtures ?? [], kind: kind ?? null }, context),
    }),
  )
  builder.mutationField('rerun', (t) =>
    t.field({
      type: again,
      nullable: false,
      description: 'Makes a run of a connector again, from the same revision of the session, as a new delivery.',
      args: { run_id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { run_id }, context) => actions.rerun(run_id, context),
    }),
  )
}
