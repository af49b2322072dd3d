/** `test_webhook` in GraphQL. */
import type { Builder } from '../tables/builder.ts'
import type { WebhookActions } from './schema.ts'
import type { TestOutcome, WebhookTest } from './test-event.ts'

export function addTest(builder: Builder, actions: WebhookActions): void {
  const outcome = builder.objectRef<TestOutcome>('webhook_test_outcome').implement({
    fields: (t) => ({
      status: t.exposeString('status', { nullable: false, description: 'succeeded or failed.' }),
      status_code: t.exposeInt('status_code', {
        nullable: true,
        description: 'What the receiver answered, if it did.',
      }),
      error_class: t.exposeString('error_class', { nullable: true }),
      error: t.exposeString('error', { nullable: true, description: 'What went wrong, in a sentence.' }),
      duration_ms: t.exposeFloat('duration_ms', { nullable: false }),
      response_body: t.exposeString('response_body', { nullable: true, description: 'The start of the answer.' }),
    }),
  })
  const output = builder.objectRef<WebhookTest>('test_webhook_output').implement({
    fields: (t) => ({
      delivery_id: t.field({ type: 'uuid', nullable: false, resolve: ({ delivery_id }) => delivery_id }),
      outcome: t.field({
        type: outcome,
        nullable: true,
        description: 'Null while nothing was attempted; deliveries_by_pk(id: delivery_id) tells then.',
        resolve: (test) => test.outcome,
      }),
    }),
  })
  builder.mutationField('test_webhook', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Sends a signed event of type webhook.test at once, also to a webhook that is disabled. Tried once.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        wait_seconds: t.arg.float({ description: 'How long to wait for the outcome; 0 if not given, 35 at most.' }),
      },
      resolve: (_, { id, wait_seconds }, context) => actions.test(id, wait_seconds ?? 0, context),
    }),
  )
}
