/** GraphQL actions of sessions. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { StoredSchema } from './payload-schemas.ts'
import type { RevalidateResult } from './publish.ts'
import type { PurgeResult } from './purge.ts'
import type { Problem } from './schema-checker.ts'
import type { WaitedFor, WaitingSession } from './settling-read.ts'
import type { SubmitResult } from './submit.ts'
import type { UpdateResult } from './update.ts'

export interface SessionActions {
  submit(object: unknown, context: RequestContext): Promise<SubmitResult>
  submitTest(object: unknown, context: RequestContext): Promise<SubmitResult>
  update(object: unknown, context: RequestContext): Promise<UpdateResult>
  revalidate(
    which: { readonly id?: string | null; readonly flow_id?: string | null },
    context: RequestContext,
  ): Promise<RevalidateResult>
  purge(which: { readonly id: string; readonly reason: string }, context: RequestContext): Promise<PurgeResult>
  modify(which: AskedModification, context: RequestContext): Promise<AskedModification>
  /** Undefined where nothing waits. */
  waiting(sessionId: string, context: RequestContext): Promise<WaitingSession | undefined>
  upsertSchema(object: unknown, context: RequestContext): Promise<StoredSchema>
}

/** One modifier, one session. */
export interface AskedModification {
  readonly connection_id: string
  readonly session_id: string
}

/**
 * Adds `submit_session` and `update_session` for sources, what editors do with sessions for editors, all for admins; and
 * what people see of a session that settles.
 */
export function addSessionActions(builder: Builder, role: Role, actions: SessionActions): void {
  if (role === 'viewer' || role === 'editor' || role === 'admin') addWaiting(builder, actions)
  if (role !== 'source' && role !== 'editor' && role !== 'admin') return
  const submitted = submittedOutput(builder)
  if (role !== 'editor') addSourceActions(builder, actions, submitted)
  if (role !== 'source') addEditorActions(builder, actions, submitted)
}

function addWaiting(builder: Builder, actions: SessionActions): void {
  const modifier = builder.objectRef<WaitedFor>('session_settling_modifier').implement({
    description: "A modifier that is asked. Of the platform's, who is no admin learns the integration.",
    fields: (t) => ({
      connection_id: t.field({ type: 'uuid', nullable: true, resolve: ({ connection_id }) => connection_id }),
      name: t.exposeString('name', { nullable: true }),
      integration: t.exposeString('integration', { nullable: false, description: 'Name of its integration.' }),
    }),
  })
  const waiting = builder.objectRef<WaitingSession>('session_settling_output').implement({
    description: 'A session that waits for its modifiers.',
    fields: (t) => ({
      session_id: t.field({ type: 'uuid', nullable: false, resolve: ({ session_id }) => session_id }),
      event_type: t.exposeString('event_type', {
        nullable: true,
        description: 'What is announced at the end; null: session.updated, if something has changed.',
      }),
      since: t.field({ type: 'timestamptz', nullable: false, resolve: ({ since }) => since }),
      attempts: t.exposeInt('attempts', {
        nullable: false,
        description: 'Begun, with the one that runs: of 2 or more, all but the last ended without a result.',
      }),
      restarts: t.exposeInt('restarts', {
        nullable: false,
        description: 'How often it began anew because something newer came in.',
      }),
      pending_revisions: t.exposeInt('pending_revisions', {
        nullable: false,
        description: 'Updates that wait: until its end readers have the revision before them.',
      }),
      modifiers: t.field({
        type: [modifier],
        nullable: { list: false, items: false },
        description: 'Those that are asked as things are now, in their order.',
        resolve: ({ modifiers }) => [...modifiers],
      }),
    }),
  })
  builder.queryField('session_settling', (t) =>
    t.field({
      type: waiting,
      nullable: true,
      description: 'What a session waits for; null where it waits for no modifier.',
      args: { session_id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { session_id }, context) => actions.waiting(session_id, context),
    }),
  )
}

type SubmittedOutput = ReturnType<typeof submittedOutput>

const problemsAre = 'Why data does not follow its schema: a list of {path, message, keyword}; null when it does.'

function submittedOutput(builder: Builder) {
  return builder.objectRef<SubmitResult>('submit_session_output').implement({
    description: 'What became of a submitted session.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (result) => result.id }),
      status: t.exposeString('status', {
        nullable: false,
        description:
          'submitted; settling: its modifiers see it first; or invalid: kept and shown to editors, opened and announced to nobody.',
      }),
      created: t.exposeBoolean('created', {
        nullable: false,
        description: 'False when this very submission was already here.',
      }),
      revision: t.exposeInt('revision', { nullable: false }),
      submitted_at: t.field({ type: 'timestamptz', nullable: false, resolve: (result) => result.submitted_at }),
      expires_at: t.field({ type: 'timestamptz', nullable: false, resolve: (result) => result.expires_at }),
      event_id: t.field({
        type: 'uuid',
        nullable: true,
        description: 'Null while the session is not announced: it is invalid, or its modifiers see it first.',
        resolve: (result) => result.event_id,
      }),
      grants: t.exposeInt('grants', { nullable: false, description: 'Integrations that the session was opened to.' }),
      deliveries: t.exposeInt('deliveries', {
        nullable: false,
        description: 'Webhooks and connections that the session is announced or pushed to.',
      }),
      problems: t.field({
        type: 'jsonb',
        nullable: true,
        description: problemsAre,
        resolve: (result): readonly Problem[] | null => result.problems,
      }),
    }),
  })
}

function addSourceActions(builder: Builder, actions: SessionActions, output: SubmittedOutput): void {
  const input = builder.inputType('submit_session_input', {
    description: 'A finished session.',
    fields: (t) => ({
      id: t.field({
        type: 'uuid',
        description: "The source's own id. Submitting it again with the same content changes nothing.",
      }),
      team: t.string({ required: true, description: 'Slug of the team.' }),
      flow: t.string({ required: true, description: 'Slug of the flow.' }),
      kind: t.string({ description: 'application (default) or booking.' }),
      data: t.field({ type: 'jsonb', required: true, description: 'The session itself, a JSON object.' }),
      payment_id: t.string(),
      config: t.field({
        type: 'jsonb',
        description: 'Variables that patterns of webhooks and connections may test. Never personal data.',
      }),
      schema_url: t.string({
        description: 'URL of the JSON Schema that data follows: a version of the one that the flow requires.',
      }),
    }),
  })
  builder.mutationField('submit_session', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Takes a finished session in and makes it available to the destinations of its flow.',
      args: { object: t.arg({ type: input, required: true }) },
      resolve: (_, { object }, context) => actions.submit(object, context),
    }),
  )
  const updated = builder.objectRef<UpdateResult>('update_session_output').implement({
    description: 'What became of an update.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (result) => result.id }),
      status: t.exposeString('status', { nullable: false }),
      revision: t.exposeInt('revision', { nullable: false }),
      changed: t.exposeBoolean('changed', {
        nullable: false,
        description: 'False when the session said so already: nothing was written or announced.',
      }),
      event_id: t.field({ type: 'uuid', nullable: true, resolve: (result) => result.event_id }),
      deliveries: t.exposeInt('deliveries', { nullable: false }),
      problems: t.field({
        type: 'jsonb',
        nullable: true,
        description: problemsAre,
        resolve: (result): readonly Problem[] | null => result.problems,
      }),
    }),
  })
  const change = builder.inputType('update_session_input', {
    description: 'What changes of a session. What is left out stays; data and config are replaced whole.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', required: true }),
      data: t.field({ type: 'jsonb' }),
      payment_id: t.string(),
      config: t.field({ type: 'jsonb' }),
      schema_url: t.string(),
      expected_revision: t.int({ description: 'Refused with CONFLICT when the session is at another one.' }),
    }),
  })
  builder.mutationField('update_session', (t) =>
    t.field({
      type: updated,
      nullable: false,
      description: 'Makes a new revision of a session and announces it to those who have a live grant.',
      args: { object: t.arg({ type: change, required: true }) },
      resolve: (_, { object }, context) => actions.update(object, context),
    }),
  )
}

function addEditorActions(builder: Builder, actions: SessionActions, submitted: SubmittedOutput): void {
  builder.mutationField('submit_test_session', (t) =>
    t.field({
      type: submitted,
      nullable: false,
      description:
        'Submits a session to try a flow. It goes to the destinations of the flow like any other, with the payment id "test" and "test": true in its config.',
      args: {
        flow_id: t.arg({ type: 'uuid', required: true }),
        kind: t.arg.string({ description: 'application (default) or booking.' }),
        data: t.arg({ type: 'jsonb', description: 'A small sample that names nobody, if not given.' }),
        config: t.arg({ type: 'jsonb', description: 'Variables that patterns may test.' }),
      },
      resolve: (_, { flow_id, kind, data, config }, context) =>
        actions.submitTest({ flow_id, ...(kind ? { kind } : {}), data, config }, context),
    }),
  )
  const revalidated = builder.objectRef<RevalidateResult>('revalidate_session_output').implement({
    fields: (t) => ({
      checked: t.exposeInt('checked', { nullable: false }),
      published: t.exposeInt('published', {
        nullable: false,
        description: 'Sessions that are valid now, and were opened and announced as if they were submitted now.',
      }),
      invalid: t.exposeInt('invalid', { nullable: false }),
      more: t.exposeBoolean('more', {
        nullable: false,
        description: 'There are more invalid sessions of the flow than one call checks: call again.',
      }),
    }),
  })
  builder.mutationField('revalidate_session', (t) =>
    t.field({
      type: revalidated,
      nullable: false,
      description: 'Validates an invalid session again, or those of a flow, and publishes what is valid now.',
      args: { id: t.arg({ type: 'uuid' }), flow_id: t.arg({ type: 'uuid' }) },
      resolve: (_, { id, flow_id }, context) => actions.revalidate({ id, flow_id }, context),
    }),
  )
  const purged = builder.objectRef<PurgeResult>('purge_session_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (result) => result.id }),
      purged_at: t.field({ type: 'timestamptz', nullable: false, resolve: (result) => result.purged_at }),
    }),
  })
  builder.mutationField('purge_session', (t) =>
    t.field({
      type: purged,
      nullable: false,
      description: 'Erases what a session said, everywhere and at once, also where it may still be read.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        reason: t.arg.string({ required: true, description: 'Kept for editors. Never personal data.' }),
      },
      resolve: (_, { id, reason }, context) => actions.purge({ id, reason }, context),
    }),
  )
  const asked = builder.objectRef<AskedModification>('modify_session_output').implement({
    fields: (t) => ({
      connection_id: t.field({ type: 'uuid', nullable: false, resolve: ({ connection_id }) => connection_id }),
      session_id: t.field({ type: 'uuid', nullable: false, resolve: ({ session_id }) => session_id }),
    }),
  })
  builder.mutationField('modify_session', (t) =>
    t.field({
      type: asked,
      nullable: false,
      description:
        'Asks a modifier about a session, whatever its pattern says. A worker runs it (connector_runs); a change is announced.',
      args: {
        connection_id: t.arg({ type: 'uuid', required: true }),
        session_id: t.arg({ type: 'uuid', required: true }),
      },
      resolve: (_, { connection_id, session_id }, context) => actions.modify({ connection_id, session_id }, context),
    }),
  )
  const stored = builder.objectRef<StoredSchema>('upsert_payload_schema_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (result) => result.id }),
      url: t.exposeString('url', { nullable: false }),
      created: t.exposeBoolean('created', { nullable: false }),
      missing: t.field({
        type: ['String'],
        nullable: { list: false, items: false },
        description: 'URLs that it refers to and that are not stored yet: until they are, sessions are invalid.',
        resolve: (result) => [...result.missing],
      }),
    }),
  })
  const schema = builder.inputType('upsert_payload_schema_input', {
    fields: (t) => ({
      team_id: t.field({ type: 'uuid', description: "The team's own; for admins, none is the platform's." }),
      url: t.string({ required: true, description: 'What schema_url of flows and sessions says.' }),
      name: t.string({ required: true, description: 'Equal for all versions of one schema.' }),
      version: t.string({ required: true }),
      document: t.field({ type: 'jsonb', required: true, description: 'JSON Schema 2020-12 or draft-07.' }),
    }),
  })
  builder.mutationField('upsert_payload_schema', (t) =>
    t.field({
      type: stored,
      nullable: false,
      description: 'Stores a JSON Schema under its URL, in place of what was there.',
      args: { object: t.arg({ type: schema, required: true }) },
      resolve: (_, { object }, context) => actions.upsertSchema(object, context),
    }),
  )
}
