/** GraphQL actions of inbound payloads: where a connection is sent them, its secret, and what is to become of unmatched ones. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'

export interface InboundAddress {
  readonly url: string
  readonly global_url: string
  /** `secret` or `connector`. */
  readonly authentication: string
  /** `stored` or `result`. */
  readonly reply: string
  /** Secrets that are taken now. */
  readonly live_secrets: number
  readonly secret_set_at: Date | null
}

export interface InboundActions {
  address(connectionId: string, context: RequestContext): Promise<InboundAddress>
  rotate(
    connectionId: string,
    overlapSeconds: number | null,
    context: RequestContext,
  ): Promise<{ readonly secret: string; readonly previous_until: Date | null }>
  discard(ids: readonly string[], context: RequestContext): Promise<{ readonly discarded: number }>
}

export function addInboundActions(builder: Builder, role: Role, actions: InboundActions): void {
  if (role === 'admin' || role === 'editor' || role === 'viewer') addAddress(builder, actions)
  if (role === 'admin' || role === 'editor') addChanges(builder, actions)
}

function addAddress(builder: Builder, actions: InboundActions): void {
  const address = builder.objectRef<InboundAddress>('inbound_address_output').implement({
    description: 'Where third parties send payloads for a connection.',
    fields: (t) => ({
      url: t.exposeString('url', { nullable: false, description: 'Of this connection alone. POST to it.' }),
      global_url: t.exposeString('global_url', {
        nullable: false,
        description: 'Of all connections of the connector; which one is meant follows from the secret or the payload.',
      }),
      authentication: t.exposeString('authentication', {
        nullable: false,
        description: 'secret: by the secret of the connection. connector: the connector checks who sent a payload.',
      }),
      reply: t.exposeString('reply', {
        nullable: false,
        description: 'stored: answered at once. result: answered with what the conversion says.',
      }),
      live_secrets: t.exposeInt('live_secrets', {
        nullable: false,
        description: 'Secrets that are taken now: two at most.',
      }),
      secret_set_at: t.field({
        type: 'timestamptz',
        nullable: true,
        resolve: (of) => of.secret_set_at?.toISOString() ?? null,
      }),
    }),
  })
  builder.queryField('inbound_address', (t) =>
    t.field({
      type: address,
      nullable: false,
      description: 'Where third parties send payloads for a connection, and how they prove who they are.',
      args: { connection_id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { connection_id }, context) => actions.address(connection_id, context),
    }),
  )
}

function addChanges(builder: Builder, actions: InboundActions): void {
  const rotated = builder
    .objectRef<{ readonly secret: string; readonly previous_until: Date | null }>('rotate_inbound_secret_output')
    .implement({
      fields: (t) => ({
        secret: t.exposeString('secret', {
          nullable: false,
          description: 'Give it to the sender now; it is not shown again.',
        }),
        previous_until: t.field({
          type: 'timestamptz',
          nullable: true,
          description: 'Until when the secret before it is taken too.',
          resolve: (of) => of.previous_until?.toISOString() ?? null,
        }),
      }),
    })
  const discarded = builder.objectRef<{ readonly discarded: number }>('discard_raw_sources_output').implement({
    fields: (t) => ({
      discarded: t.exposeInt('discarded', {
        nullable: false,
        description: 'Those that were converted are left as they are.',
      }),
    }),
  })
  builder.mutationField('rotate_inbound_secret', (t) =>
    t.field({
      type: rotated,
      nullable: false,
      description:
        'Gives a connection a new secret for payloads that it is sent. The one before it is taken until the overlap ends.',
      args: {
        connection_id: t.arg({ type: 'uuid', required: true }),
        overlap_seconds: t.arg.int({ description: '86400 (a day) if not given; 0 ends the old secret at once.' }),
      },
      resolve: (_, { connection_id, overlap_seconds }, context) =>
        actions.rotate(connection_id, overlap_seconds ?? null, context),
    }),
  )
  builder.mutationField('discard_raw_sources', (t) =>
    t.field({
      type: discarded,
      nullable: false,
      description:
        'Gives up raw sources that are pending, missing, unmatched, failed or not converted yet. Their content is deleted; their ids stay known.',
      args: { ids: t.arg({ type: ['uuid'], required: true, description: '1 to 1000.' }) },
      resolve: (_, { ids }, context) => actions.discard(ids, context),
    }),
  )
}
