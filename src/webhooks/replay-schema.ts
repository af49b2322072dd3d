/** Sending deliveries again, and taking them off, in GraphQL. */
import type { Cancelled } from '../delivery/cancel.ts'
import type { MadeReplay, ReplayedDelivery, ReplayState } from '../delivery/replay.ts'
import type { Builder } from '../tables/builder.ts'
import type { ReplayActions } from './replay-actions.ts'

export function addReplays(builder: Builder, actions: ReplayActions): void {
  addReplayDelivery(builder, actions)
  addReplayDeliveries(builder, actions)
  addCancelReplay(builder, actions)
  addCancelDeliveries(builder, actions)
}

function addReplayDelivery(builder: Builder, actions: ReplayActions): void {
  const output = builder.objectRef<ReplayedDelivery>('replay_delivery_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      attempt: t.exposeInt('attempt', { nullable: false, description: 'The number of the attempt that comes next.' }),
    }),
  })
  builder.mutationField('replay_delivery', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Sends a delivery again that succeeded, is exhausted or was cancelled; under the same webhook-id.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.replayDelivery(id, context),
    }),
  )
}

function addReplayDeliveries(builder: Builder, actions: ReplayActions): void {
  const input = builder.inputType('replay_deliveries_input', {
    fields: (t) => ({
      webhook_id: t.field({ type: 'uuid' }),
      connection_id: t.field({ type: 'uuid' }),
      where: t.field({
        type: 'jsonb',
        description:
          'Which, in the form of deliveries(where); with missed, of session_events(where). All if not given.',
      }),
      from: t.field({ type: 'timestamptz', description: 'Events from this moment on.' }),
      to: t.field({ type: 'timestamptz', description: 'Events before this moment.' }),
      rate_per_second: t.float({ description: 'Released a second at most, 0.01 to 1000; 10 if not given.' }),
      missed: t.boolean({
        description:
          'Instead of deliveries: events that it hears, whose session it may see, and that it has no delivery of.',
      }),
      dry_run: t.boolean({ description: 'Counts, and sends nothing.' }),
    }),
  })
  const output = builder.objectRef<MadeReplay>('replay_deliveries_output').implement({
    fields: (t) => ({
      id: t.field({
        type: 'uuid',
        nullable: true,
        description: 'Of the replay, whose progress replays_by_pk shows; null of a dry run.',
        resolve: ({ id }) => id,
      }),
      total: t.exposeInt('total', { nullable: false }),
      skipped: t.exposeInt('skipped', {
        nullable: false,
        description: 'Of the total: the integration may no longer see the session.',
      }),
    }),
  })
  builder.mutationField('replay_deliveries', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Sends the final deliveries of a webhook or connection again, so many a second at most.',
      args: { object: t.arg({ type: input, required: true }) },
      resolve: (_, { object }, context) => actions.replayDeliveries(object, context),
    }),
  )
}

function addCancelReplay(builder: Builder, actions: ReplayActions): void {
  const output = builder.objectRef<ReplayState>('cancel_replay_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, resolve: ({ id }) => id }),
      status: t.exposeString('status', { nullable: false, description: 'cancelled, or finished when it was over.' }),
      total: t.exposeInt('total', { nullable: false }),
      released: t.exposeInt('released', {
        nullable: false,
        description: 'So many were released, and no more will be.',
      }),
      skipped: t.exposeInt('skipped', { nullable: false }),
    }),
  })
  builder.mutationField('cancel_replay', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Ends a replay. What it has released is still sent, unless cancel_deliveries stops it.',
      args: { id: t.arg({ type: 'uuid', required: true }) },
      resolve: (_, { id }, context) => actions.cancelReplay(id, context),
    }),
  )
}

function addCancelDeliveries(builder: Builder, actions: ReplayActions): void {
  const output = builder.objectRef<Cancelled>('cancel_deliveries_output').implement({
    fields: (t) => ({
      cancelled: t.exposeInt('cancelled', { nullable: false }),
      more: t.exposeBoolean('more', {
        nullable: false,
        description: 'There are more than one call cancels; call again.',
      }),
    }),
  })
  builder.mutationField('cancel_deliveries', (t) =>
    t.field({
      type: output,
      nullable: false,
      description: 'Cancels what waits, and takes what is exhausted off the list. Each can be replayed later.',
      args: {
        where: t.arg({ type: 'jsonb', required: true, description: 'In the form of deliveries(where); not empty.' }),
      },
      resolve: (_, { where }, context) => actions.cancelDeliveries(where, context),
    }),
  )
}
