/** What people look at first, over GraphQL: `activity` of a team, and how far the audit log is sealed. */
import type { AuditHead } from '../access/audit-head.ts'
import type { Role } from '../access/principal.ts'
import type { Builder } from '../tables/builder.ts'
import type { RequestContext } from '../tables/request-context.ts'
import {
  type Activity,
  type ActivityAsk,
  type ActivityBucket,
  mostWaiting,
  type OldestWaiting,
  type WaitingTarget,
} from './activity.ts'

export interface WatchActions {
  activity(ask: ActivityAsk, context: RequestContext): Promise<Activity>
  auditHead(context: RequestContext): Promise<AuditHead | null>
}

/** Adds them for people. */
export function addWatchActions(builder: Builder, role: Role, actions: WatchActions): void {
  if (role !== 'admin' && role !== 'editor' && role !== 'viewer') return
  addActivity(builder, actions)
  addAuditHead(builder, actions)
}

function addActivity(builder: Builder, actions: WatchActions): void {
  const bucket = builder.objectRef<ActivityBucket>('activity_bucket').implement({
    fields: (t) => ({
      at: t.field({ type: 'timestamptz', nullable: false, description: 'Its beginning.', resolve: ({ at }) => at }),
      sessions: t.exposeInt('sessions', { nullable: false, description: 'Submitted in it.' }),
      deliveries: t.exposeInt('deliveries', { nullable: false, description: 'Made in it.' }),
      exhausted: t.exposeInt('exhausted', { nullable: false, description: 'Of those deliveries, given up since.' }),
      runs: t.exposeInt('runs', { nullable: false, description: 'Connector runs that began in it; dry runs aside.' }),
      failed_runs: t.exposeInt('failed_runs', { nullable: false }),
    }),
  })
  const oldest = builder.objectRef<OldestWaiting>('oldest_waiting_output').implement({
    fields: (t) => ({
      id: t.field({ type: 'uuid', nullable: false, description: "The delivery's.", resolve: ({ id }) => id }),
      due_at: t.field({ type: 'timestamptz', nullable: false, resolve: (of) => of.due_at }),
      created_at: t.field({ type: 'timestamptz', nullable: false, resolve: (of) => of.created_at }),
      session_id: t.field({ type: 'uuid', nullable: true, resolve: (of) => of.session_id }),
      webhook_id: t.field({ type: 'uuid', nullable: true, resolve: (of) => of.webhook_id }),
      connection_id: t.field({ type: 'uuid', nullable: true, resolve: (of) => of.connection_id }),
    }),
  })
  const target = builder.objectRef<WaitingTarget>('waiting_target_output').implement({
    fields: (t) => ({
      id: t.field({
        type: 'uuid',
        nullable: false,
        description: 'Of a webhook or a connection.',
        resolve: ({ id }) => id,
      }),
      waiting: t.exposeInt('waiting', { nullable: false, description: `${mostWaiting} is that many or more.` }),
    }),
  })
  const activity = builder.objectRef<Activity>('activity_output').implement({
    fields: (t) => ({
      buckets: t.field({
        type: [bucket],
        nullable: { list: false, items: false },
        description: 'The oldest first, none left out; the last one is still filling.',
        resolve: ({ buckets }) => [...buckets],
      }),
      waiting_deliveries: t.exposeInt('waiting_deliveries', {
        nullable: false,
        description: `Not final yet, of the team's own webhooks and connections; ${mostWaiting} is that many or more.`,
      }),
      oldest_waiting: t.field({
        type: oldest,
        nullable: true,
        description: 'Of those, the one that has been due longest.',
        resolve: (of) => of.oldest_waiting,
      }),
      waiting_targets: t.field({
        type: [target],
        nullable: { list: false, items: false },
        description:
          "How much waits for each of the team's own webhooks and connections; those that nothing waits for are left out.",
        resolve: (of) => [...of.waiting_targets],
      }),
    }),
  })
  builder.queryField('activity', (t) =>
    t.field({
      type: activity,
      nullable: false,
      description:
        'How much a team has had to do, bucket by bucket, and what waits. Kept for 2 s; for 10 s beyond an hour, for 60 s beyond a day.',
      args: {
        team_id: t.arg({ type: 'uuid', required: true }),
        seconds: t.arg.int({ required: true, description: 'How far back: up to 31 days.' }),
        bucket_seconds: t.arg.int({
          required: true,
          description: '60 to 86400; buckets begin at multiples of it in UTC. At most 500 buckets.',
        }),
      },
      resolve: (_, ask, context) => actions.activity(ask, context),
    }),
  )
}

function addAuditHead(builder: Builder, actions: WatchActions): void {
  const head = builder.objectRef<AuditHead>('audit_head_output').implement({
    description: 'The newest sealed block of the audit log.',
    fields: (t) => ({
      number: t.exposeInt('number', { nullable: false }),
      head: t.exposeString('head', {
        nullable: false,
        description: 'Keep it elsewhere: `sluice audit verify --expect-head` finds by it what was cut off.',
      }),
      last_position: t.exposeString('last_position', {
        nullable: false,
        description: 'Entries up to this `position` are sealed.',
      }),
      sealed_at: t.field({ type: 'timestamptz', nullable: false, resolve: (of) => of.sealed_at.toISOString() }),
    }),
  })
  builder.queryField('audit_head', (t) =>
    t.field({
      type: head,
      nullable: true,
      description: 'How far the audit log is sealed; null before the first block. One chain for all teams.',
      resolve: (_, __, context) => actions.auditHead(context),
    }),
  )
}
