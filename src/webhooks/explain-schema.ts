/** `explain_event` in GraphQL. */
import { SluiceError } from '../errors.ts'
import type { Builder } from '../tables/builder.ts'
import { defaultEvents, eventTypes } from '../tables/event-shape.ts'
import type { Clause } from './decide.ts'
import type { Draft, ExplainedTarget, Reason } from './explain.ts'
import type { WebhookActions } from './schema.ts'

export function addExplain(builder: Builder, actions: WebhookActions): void {
  const clause = builder.objectRef<Clause>('explained_clause').implement({
    description: 'One comparison of a pattern.',
    fields: (t) => ({
      path: t.exposeString('path', { nullable: false, description: 'Its place: pattern._or[1].flow.' }),
      operator: t.exposeString('operator', { nullable: false }),
      expected: t.field({ type: 'jsonb', resolve: ({ expected }) => expected }),
      got: t.field({ type: 'jsonb', description: 'What the event has there.', resolve: ({ got }) => got }),
    }),
  })
  const reason = builder.objectRef<Reason>('explained_reason').implement({
    fields: (t) => ({
      code: t.exposeString('code', {
        nullable: false,
        description:
          'no_destination, integration_inactive, disabled, event_not_subscribed, pattern_does_not_match or no_deliveries.',
      }),
      message: t.exposeString('message', { nullable: false }),
    }),
  })
  const target = builder.objectRef<ExplainedTarget>('explained_target').implement({
    description: 'A webhook or connection, and whether an event would reach it.',
    fields: (t) => ({
      id: t.field({
        type: 'uuid',
        nullable: true,
        description: 'Null of a draft that is no webhook yet.',
        resolve: ({ id }) => id,
      }),
      is_draft: t.exposeBoolean('is_draft', { nullable: false }),
      kind: t.exposeString('kind', { nullable: false, description: 'webhook or connection.' }),
      name: t.exposeString('name', { nullable: true, description: 'Null where it is the platform’s own matter.' }),
      integration_id: t.field({ type: 'uuid', nullable: false, resolve: ({ integration_id }) => integration_id }),
      integration: t.exposeString('integration', { nullable: false, description: 'Slug of its integration.' }),
      is_platform: t.exposeBoolean('is_platform', { nullable: false }),
      matches: t.exposeBoolean('matches', { nullable: false, description: 'The event is delivered to it.' }),
      modifies: t.exposeBoolean('modifies', {
        nullable: false,
        description: 'It is a modifier, and a session of such an event is shown to it before the event is announced.',
      }),
      reasons: t.field({
        type: [reason],
        nullable: { list: false, items: false },
        description: 'Everything that keeps the event from it; empty when it matches.',
        resolve: ({ reasons }) => [...reasons],
      }),
      clauses: t.field({
        type: [clause],
        nullable: { list: false, items: false },
        description: 'The comparisons of its pattern that decided, whichever way.',
        resolve: ({ clauses }) => [...clauses],
      }),
      warning: t.exposeString('warning', {
        nullable: true,
        description: 'It matches, but is switched off at present.',
      }),
    }),
  })
  const draftInput = builder.inputType('explain_draft_input', {
    description: 'A webhook as somebody is about to make or change it.',
    fields: (t) => ({
      id: t.field({ type: 'uuid', description: 'The webhook that it changes; left out for a new one.' }),
      integration_id: t.field({ type: 'uuid', required: true }),
      name: t.string(),
      enabled: t.boolean({ description: 'true if not given.' }),
      events: t.stringList({ description: 'session.submitted if not given.' }),
      pattern: t.field({ type: 'jsonb', description: '{} if not given.' }),
    }),
  })
  builder.queryField('explain_event', (t) =>
    t.field({
      type: [target],
      nullable: { list: false, items: false },
      description: 'Which webhooks and connections an event would reach, and why not the others. Nothing is sent.',
      args: {
        team: t.arg.string({ required: true, description: 'Slug of the team.' }),
        flow: t.arg.string({ required: true, description: 'Slug of the flow.' }),
        type: t.arg.string({ description: 'session.submitted if not given.' }),
        kind: t.arg.string({ description: 'application (if not given) or booking.' }),
        config: t.arg({ type: 'jsonb', description: "The session's configuration; {} if not given." }),
        draft: t.arg({ type: draftInput, description: 'A webhook to try before it is stored. It comes first.' }),
      },
      async resolve(_, { team, flow, type, kind, config, draft }, context) {
        const given = config ?? {}
        if (typeof given !== 'object' || Array.isArray(given)) throw invalid('config', 'must be a JSON object')
        const event = {
          team,
          flow,
          type: oneOf('type', type ?? 'session.submitted', eventTypes),
          kind: oneOf('kind', kind ?? 'application', ['application', 'booking']),
          config: given as Record<string, unknown>,
        }
        return [...(await actions.explain(event, draft ? draftOf(draft) : null, context))]
      },
    }),
  )
}

interface DraftInput {
  readonly id?: string | null
  readonly integration_id: string
  readonly name?: string | null
  readonly enabled?: boolean | null
  readonly events?: readonly string[] | null
  readonly pattern?: unknown
}

function draftOf({ id, integration_id, name, enabled, events, pattern }: DraftInput): Draft {
  return {
    id: id ?? null,
    integration_id,
    name: name ?? '',
    enabled: enabled ?? true,
    events: (events ?? defaultEvents).map((type) => oneOf('draft.events', type, eventTypes)),
    pattern: pattern ?? {},
  }
}

function oneOf(path: string, value: string, known: readonly string[]): string {
  if (known.includes(value)) return value
  throw invalid(path, `must be one of ${known.join(', ')}`)
}

function invalid(path: string, rule: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${rule}.`, { path })
}
