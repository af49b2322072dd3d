/** GraphQL actions of sessions. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { SubmitResult } from './submit.ts'

export interface SessionActions {
  submit(object: unknown, context: RequestContext): Promise<SubmitResult>
}

/** Adds `submit_session` for the roles that may submit. */
export function addSessionActions(builder: Builder, role: Role, actions: SessionActions): void {
  if (role !== 'source' && role !== 'admin') return
  const output = builder.objectRef<SubmitResult>('submit_session_output').implement({
    description: 'What became of a submitted session.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (result) => result.id }),
      status: t.exposeString('status', { nullable: false }),
      created: t.exposeBoolean('created', {
        nullable: false,
        description: 'False when this very submission was already here.',
      }),
      revision: t.exposeInt('revision', { nullable: false }),
      submitted_at: t.field({ type: 'timestamptz', nullable: false, resolve: (result) => result.submitted_at }),
      expires_at: t.field({ type: 'timestamptz', nullable: false, resolve: (result) => result.expires_at }),
      event_id: t.field({ type: 'uuid', nullable: false, resolve: (result) => result.event_id }),
      grants: t.exposeInt('grants', { nullable: false, description: 'Integrations that the session was opened to.' }),
      deliveries: t.exposeInt('deliveries', {
        nullable: false,
        description: 'Webhooks and connections that the session is announced or pushed to.',
      }),
    }),
  })
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
      schema_url: t.string({ description: 'URL of the JSON Schema that data follows.' }),
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
}
