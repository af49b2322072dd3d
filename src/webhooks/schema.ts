/** GraphQL actions of webhooks: the two that show a signing secret, once. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'

export interface CreatedWebhook {
  readonly id: string
  readonly secret: string
}

export interface WebhookActions {
  create(object: Readonly<Record<string, unknown>>, context: RequestContext): Promise<CreatedWebhook>
  rotateSecret(id: string, overlapSeconds: number | null, context: RequestContext): Promise<{ readonly secret: string }>
}

/** Adds `create_webhook` and `rotate_webhook_secret` for the roles that keep webhooks. */
export function addWebhookActions(builder: Builder, role: Role, actions: WebhookActions): void {
  if (role !== 'admin' && role !== 'editor') return
  const created = builder.objectRef<CreatedWebhook>('create_webhook_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (webhook) => webhook.id }),
      secret: t.exposeString('secret', {
        nullable: false,
        description: 'Signs what is sent. Give it to the receiver now; it is not shown again.',
      }),
    }),
  })
  const rotated = builder.objectRef<{ readonly secret: string }>('rotate_webhook_secret_output').implement({
    fields: (t) => ({
      secret: t.exposeString('secret', { nullable: false, description: 'The new secret; it is not shown again.' }),
    }),
  })
  const input = builder.inputType('create_webhook_input', {
    fields: (t) => ({
      integration_id: t.field({ type: 'uuid', required: true }),
      name: t.string({ required: true }),
      url: t.string({ required: true, description: 'Starts with https://.' }),
      config: t.field({ type: 'jsonb', description: 'Fixed object that goes with every event.' }),
      pattern: t.field({ type: 'jsonb', description: 'Which events it gets; {} for all.' }),
      enabled: t.boolean(),
      concurrency: t.int({ description: 'Requests at once, 1 to 64; 8 if not given.' }),
      timeout_ms: t.int({ description: 'Milliseconds for a whole attempt, 1000 to 30000; 20000 if not given.' }),
      secret: t.string({ description: 'One that the receiver already has; without it, one is made.' }),
    }),
  })
  builder.mutationField('create_webhook', (t) =>
    t.field({
      type: created,
      nullable: false,
      description: 'Makes a webhook and shows its signing secret.',
      args: { object: t.arg({ type: input, required: true }) },
      resolve: (_, { object }, context) => actions.create(object, context),
    }),
  )
  builder.mutationField('rotate_webhook_secret', (t) =>
    t.field({
      type: rotated,
      nullable: false,
      description: 'Gives a webhook a new signing secret. Those before it still sign until the overlap ends.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        overlap_seconds: t.arg.int({ description: '86400 (a day) if not given; 0 ends the old secrets at once.' }),
      },
      resolve: (_, { id, overlap_seconds }, context) => actions.rotateSecret(id, overlap_seconds ?? null, context),
    }),
  )
}
