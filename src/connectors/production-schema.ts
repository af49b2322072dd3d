/** GraphQL actions of producers and raw sources, for admins and editors. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'

export interface ConvertAgain {
  readonly ids?: readonly string[] | null | undefined
  readonly connection_id?: string | null | undefined
  readonly status?: string | null | undefined
}

export interface RawSourceContent {
  readonly id: string
  readonly mime: string | null
  /** In bytes. */
  readonly size: number
  /** Hex. */
  readonly sha256: string | null
  /** Base64. */
  readonly content: string
}

export interface ProductionActions {
  run(id: string, context: RequestContext): Promise<{ readonly id: string }>
  convert(which: ConvertAgain, context: RequestContext): Promise<{ readonly count: number }>
  content(id: string, context: RequestContext): Promise<RawSourceContent>
}

export function addProductionActions(builder: Builder, role: Role, actions: ProductionActions): void {
  if (role !== 'admin' && role !== 'editor') return
  const requested = builder.objectRef<{ readonly id: string }>('run_connection_output').implement({
    fields: (t) => ({ id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }) }),
  })
  const converted = builder.objectRef<{ readonly count: number }>('convert_raw_sources_output').implement({
    fields: (t) => ({ count: t.exposeInt('count', { nullable: false, description: 'How many will be converted.' }) }),
  })
  const content = builder.objectRef<RawSourceContent>('raw_source_content_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      mime: t.exposeString('mime', { nullable: true }),
      size: t.exposeInt('size', { nullable: false, description: 'In bytes.' }),
      sha256: t.exposeString('sha256', { nullable: true, description: 'Of the content, hex.' }),
      content: t.exposeString('content', { nullable: false, description: 'The content, in base64.' }),
    }),
  })
  builder.mutationField('run_connection', (t) =>
    t.field({
      type: requested,
      nullable: false,
      description:
        'Has a worker run a producer, or a modifier with a schedule, now. What came of it stands in last_run_status and connector_runs.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.run(id, context),
    }),
  )
  builder.mutationField('convert_raw_sources', (t) =>
    t.field({
      type: converted,
      nullable: false,
      description:
        'Has raw sources converted again, after the connector or its settings were put right: those named, or those of a connection with a status. A session that they made is revised.',
      args: {
        ids: t.arg({ type: ['uuid'], description: 'At most 1,000.' }),
        connection_id: t.arg({ type: 'uuid' }),
        status: t.arg.string({ description: 'failed (if not given), discarded, converted or unmatched.' }),
      },
      resolve: (_, { ids, connection_id, status }, context) =>
        actions.convert({ ids: ids ?? null, connection_id: connection_id ?? null, status: status ?? null }, context),
    }),
  )
  builder.mutationField('raw_source_content', (t) =>
    t.field({
      type: content,
      nullable: false,
      description: 'What came in, as it came. Recorded in the audit log.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.content(id, context),
    }),
  )
}
