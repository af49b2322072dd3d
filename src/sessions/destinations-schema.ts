/** GraphQL actions about destinations: what may be one, and taking one back. */
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import type { Withdrawn } from './destinations.ts'
import type { AvailableIntegration, Misfit } from './destinations-available.ts'

export interface DestinationActions {
  available(flowId: string, context: RequestContext): Promise<readonly AvailableIntegration[]>
  remove(id: string, withdrawGrants: boolean, context: RequestContext): Promise<Withdrawn>
  withdraw(
    grant: { readonly session_id: string; readonly integration_id: string },
    context: RequestContext,
  ): Promise<Withdrawn>
}

/** Adds them for the roles that choose destinations. */
export function addDestinationActions(builder: Builder, role: Role, actions: DestinationActions): void {
  if (role !== 'admin' && role !== 'editor') return
  const misfit = builder.objectRef<Misfit>('available_misfit').implement({
    description: 'One thing that does not fit.',
    fields: (t) => ({
      code: t.exposeString('code', {
        nullable: false,
        description: 'integration_disabled, kind_not_taken or schema_not_taken.',
      }),
      connector: t.exposeString('connector', {
        nullable: true,
        description: 'Name of the connector of the integration that it is about.',
      }),
      takes: t.stringList({
        nullable: { list: false, items: false },
        description: 'Kinds or schemas that it takes.',
        resolve: ({ takes }) => [...takes],
      }),
      has: t.stringList({
        nullable: { list: false, items: false },
        description: 'Kinds or schemas of the flow; none where it names no schema.',
        resolve: ({ has }) => [...has],
      }),
    }),
  })
  const available = builder.objectRef<AvailableIntegration>('available_integration').implement({
    description: 'What may become a destination of a flow.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      slug: t.exposeString('slug', { nullable: false, description: "A connector's is its implementation." }),
      name: t.exposeString('name', { nullable: false }),
      description: t.exposeString('description', { nullable: true }),
      kind: t.exposeString('kind', { nullable: false, description: 'integration or connector.' }),
      is_platform: t.exposeBoolean('is_platform', { nullable: false }),
      available: t.exposeBoolean('available', { nullable: false }),
      reason: t.exposeString('reason', { nullable: true, description: 'Why it does not fit, or not in full.' }),
      misfits: t.field({
        type: [misfit],
        nullable: { list: false, items: false },
        description: 'What `reason` says, for programs.',
        resolve: ({ misfits }) => [...misfits],
      }),
      is_destination: t.exposeBoolean('is_destination', { nullable: false, description: 'It is one already.' }),
    }),
  })
  const withdrawn = builder.objectRef<Withdrawn>('withdrawn_output').implement({
    fields: (t) => ({
      grants: t.exposeInt('grants', { nullable: false, description: 'Sessions that are closed to it now.' }),
      deliveries: t.exposeInt('deliveries', {
        nullable: false,
        description: 'Deliveries that were waiting and will not be made.',
      }),
    }),
  })
  builder.queryField('available_integrations', (t) =>
    t.field({
      type: [available],
      nullable: { list: false, items: false },
      description:
        'Integrations of the team and the platform, and approved connectors: whether they fit the data of a flow.',
      args: { flow_id: t.arg({ type: 'uuid', required: true }) },
      resolve: async (_, { flow_id }, context) => [...(await actions.available(flow_id, context))],
    }),
  )
  builder.mutationField('remove_destination', (t) =>
    t.field({
      type: withdrawn,
      nullable: false,
      description:
        'Ends a destination. Future sessions do not go there; with withdraw_grants, past ones are closed to it.',
      args: {
        id: t.arg({ type: 'uuid', required: true }),
        withdraw_grants: t.arg.boolean({ required: true }),
      },
      resolve: (_, { id, withdraw_grants }, context) => actions.remove(id, withdraw_grants, context),
    }),
  )
  builder.mutationField('withdraw_grant', (t) =>
    t.field({
      type: withdrawn,
      nullable: false,
      description: 'Closes one session to one integration, and cancels what is waiting to be sent to it.',
      args: {
        session_id: t.arg({ type: 'uuid', required: true }),
        integration_id: t.arg({ type: 'uuid', required: true }),
      },
      resolve: (_, grant, context) => actions.withdraw(grant, context),
    }),
  )
}
