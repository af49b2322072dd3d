/** GraphQL actions of webhooks: what tables cannot say, such as a secret that is shown once. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { Draft, ExplainedTarget, SampleEvent } from './explain.ts'
import { addExplain } from './explain-schema.ts'
import type { ReplayActions } from './replay-actions.ts'
import { addReplays } from './replay-schema.ts'
import type { HeadersChange, HeadersSet } from './set-headers.ts'
import type { WebhookTest } from './test-event.ts'
import { addTest } from './test-event-schema.ts'
import type { ImportRequest, ImportResult } from './transfer.ts'
import type { TransferFormat } from './transfer-format.ts'
import { addTransfer } from './transfer-schema.ts'

export interface CreatedWebhook {
  readonly id: string
  readonly secret: string
}

export interface WebhookActions extends ReplayActions {
  create(object: Readonly<Record<string, unknown>>, context: RequestContext): Promise<CreatedWebhook>
  setHeaders(change: HeadersChange, context: RequestContext): Promise<HeadersSet>
  rotateSecret(id: string, overlapSeconds: number | null, context: RequestContext): Promise<{ readonly secret: string }>
  /** Of the installation; for admins. */
  rotateKey(overlapSeconds: number | null): Promise<NewKey>
  export(teamId: string, format: TransferFormat, context: RequestContext): Promise<string>
  import(request: ImportRequest, context: RequestContext): Promise<ImportResult>
  explain(event: SampleEvent, draft: Draft | null, context: RequestContext): Promise<readonly ExplainedTarget[]>
  test(id: string, waitSeconds: number, context: RequestContext): Promise<WebhookTest>
}

export interface NewKey {
  readonly kid: string
  readonly whpk: string
  readonly previous_until: string
}

/** Adds the actions for the roles that keep webhooks. */
export function addWebhookActions(builder: Builder, role: Role, actions: WebhookActions): void {
  if (role !== 'admin' && role !== 'editor') return
  addExplain(builder, actions)
  addTransfer(builder, actions)
  addHeaders(builder, actions)
  addTest(builder, actions)
  addReplays(builder, actions)
  if (role === 'admin') addKeyRotation(builder, actions)
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
      events: t.stringList({ description: 'Types of event that it hears; session.submitted if not given.' }),
      headers: t.field({ type: 'jsonb', description: 'Names and values of headers that go with every request.' }),
      secret_headers: t.field({ type: 'jsonb', description: 'Headers that are sent and never shown.' }),
      ordered: t.boolean({ description: 'Strictly one after the other, in the order of events.' }),
      rate_per_second: t.float({ description: 'Requests a second at most; unlimited if not given.' }),
      signatures: t.stringList({ description: 'v1 (HMAC), v1a (Ed25519) or both; v1 if not given.' }),
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

function addHeaders(builder: Builder, actions: WebhookActions): void {
  const output = builder.objectRef<HeadersSet>('set_webhook_headers_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: (webhook) => webhook.id }),
      headers: t.field({ type: 'jsonb', nullable: false, resolve: ({ headers }) => headers }),
      secret_header_names: t.stringList({
        nullable: { list: false, items: false },
        description: 'Values are not shown again.',
        resolve: ({ secret_header_names }) => [...secret_header_names],
      }),
    }),
  })
  builder.mutationField('set_webhook_headers', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Sets the headers that go with every request of a webhook. What is left out stays as it is.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        headers: t.arg({ type: 'jsonb', description: 'Replaces those that are shown.' }),
        secret_headers: t.arg({ type: 'jsonb', description: 'Replaces the secret ones; {} takes them away.' }),
      },
      resolve: (_, { id, headers, secret_headers }, context) =>
        actions.setHeaders({ id, headers: headers ?? null, secret_headers: secret_headers ?? null }, context),
    }),
  )
}

function addKeyRotation(builder: Builder, actions: WebhookActions): void {
  const output = builder.objectRef<NewKey>('rotate_webhook_key_output').implement({
    fields: (t) => ({
      kid: t.exposeString('kid', { nullable: false }),
      whpk: t.exposeString('whpk', { nullable: false, description: 'The public key, as Standard Webhooks writes it.' }),
      previous_until: t.field({
        type: 'timestamptz',
        nullable: false,
        description: 'When the keys before it stop signing.',
        resolve: (key) => key.previous_until,
      }),
    }),
  })
  builder.mutationField('rotate_webhook_key', (t) =>
    t.field({
      type: output,
      nullable: false,
      description:
        'Makes the installation a new Ed25519 key for v1a signatures. Those before it still sign until the overlap ends.',
      args: {
        overlap_seconds: t.arg.int({ description: '604800 (a week) if not given; 0 ends the old keys at once.' }),
      },
      resolve: (_, { overlap_seconds }) => actions.rotateKey(overlap_seconds ?? null),
    }),
  )
}
