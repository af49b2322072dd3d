/** `explain_event`: what would happen to an event, target by target, and why. */
import type pg from 'pg'
import type { Principal } from '../access/principal.ts'
import { reachOf } from '../access/reach.ts'
import { SluiceError } from '../errors.ts'
import { defaultEvents, parsePattern } from '../tables/event-shape.ts'
import { type Clause, decide } from './decide.ts'

/** Why an event does not reach a target. */
export type Hindrance =
  | 'no_destination'
  | 'integration_inactive'
  | 'disabled'
  | 'event_not_subscribed'
  | 'pattern_does_not_match'
  | 'no_deliveries'

export interface Reason {
  readonly code: Hindrance
  /** One sentence for an editor. */
  readonly message: string
}

export interface ExplainedTarget {
  /** Null of a draft that is no webhook yet. */
  readonly id: string | null
  /** It is the caller's draft. */
  readonly is_draft: boolean
  readonly kind: 'webhook' | 'connection'
  /** Null where it is the platform's and the caller is no admin. */
  readonly name: string | null
  readonly integration_id: string
  /** Slug of the integration. */
  readonly integration: string
  readonly is_platform: boolean
  /** The event is delivered to it. */
  readonly matches: boolean
  /** A session of such an event is shown to it before the event is announced: its connector is a modifier. */
  readonly modifies: boolean
  /** Empty when it matches. */
  readonly reasons: readonly Reason[]
  /** The comparisons of the pattern that decided, whichever way. Empty where the pattern is the platform's own. */
  readonly clauses: readonly Clause[]
  /** It matches, but deliveries to it wait or fail: what its health says. */
  readonly warning: string | null
}

/** What is known of one target of a team, for one flow. */
export interface TargetFacts {
  readonly id: string | null
  readonly is_draft?: boolean
  readonly kind: 'webhook' | 'connection'
  readonly name: string
  readonly integration_id: string
  readonly integration: string
  readonly integration_active: boolean
  readonly is_platform: boolean
  readonly enabled: boolean
  readonly health: string
  readonly state_reason: string | null
  readonly events: readonly string[] | null
  readonly pattern: unknown
  /** Of a connection: of its connector. */
  readonly kinds?: readonly string[] | null
  /** Of a modifier: it is approved, and takes sessions of this kind and schema. */
  readonly accepted?: boolean | null
  /** What the editor said of the destination; null when the integration is none of the flow. */
  readonly destination: Readonly<Record<string, unknown>> | null
}

export interface SampleEvent {
  readonly type: string
  readonly team: string
  readonly flow: string
  readonly kind: string
  /** The session's configuration. */
  readonly config: Readonly<Record<string, unknown>>
}

/** A webhook as somebody is about to make or change it. */
export interface Draft {
  /** The webhook that it changes, which it stands for; null for a new one. */
  readonly id: string | null
  readonly integration_id: string
  readonly name: string
  readonly enabled: boolean
  readonly events: readonly string[]
  readonly pattern: unknown
}

/** @param open whether the caller may see what belongs to the platform. */
export function explainTarget(event: SampleEvent, target: TargetFacts, open: boolean): ExplainedTarget {
  const { id, kind, name, integration_id, integration, is_platform } = target
  const config = { ...event.config, ...target.destination }
  const { truth, clauses } = decide(target.pattern, { ...event, config })
  const common = hindrances(event, target, truth === true)
  const reasons = [...common, ...undelivered(target)]
  const matches = reasons.length === 0
  const modifies =
    common.length === 0 &&
    (target.kinds?.includes('modifier') ?? false) &&
    target.accepted !== false &&
    target.health !== 'disabled' &&
    modifiedEvents.includes(event.type)
  const isHidden = is_platform && !open
  return {
    id,
    is_draft: target.is_draft ?? false,
    kind,
    name: isHidden ? null : name,
    integration_id,
    integration,
    is_platform,
    matches,
    modifies,
    reasons,
    clauses: isHidden ? [] : clauses,
    warning: matches && target.health === 'disabled' ? switchedOff(target, isHidden) : null,
  }
}

/** What modifiers see before others do. */
const modifiedEvents: readonly string[] = ['session.submitted', 'session.updated']

/** A connection gets deliveries only as a consumer. */
function undelivered({ kinds }: TargetFacts): readonly Reason[] {
  if (!kinds || kinds.includes('consumer')) return []
  const isModifier = kinds.includes('modifier')
  const what = isModifier ? 'changes sessions before they are announced' : 'brings sessions in'
  const message = `The connector of the connection ${what} (${kinds.join(', ')}), and takes no deliveries.`
  return [{ code: 'no_deliveries', message }]
}

function switchedOff({ kind, state_reason }: TargetFacts, isHidden: boolean): string {
  const why = isHidden || !state_reason ? '' : ` ${state_reason}`
  return `The ${kind} is switched off at present, because it kept failing or said that it is gone.${why}`
}

function hindrances(event: SampleEvent, target: TargetFacts, isMatch: boolean): readonly Reason[] {
  const { kind, integration } = target
  const events = target.events ?? defaultEvents
  const found: Reason[] = []
  if (target.destination === null) {
    found.push({
      code: 'no_destination',
      message: `"${integration}" is no destination of the flow "${event.flow}". Make it one (insert_destinations_one).`,
    })
  }
  if (!target.integration_active) {
    found.push({ code: 'integration_inactive', message: `The integration "${integration}" is disabled.` })
  }
  if (!target.enabled) found.push({ code: 'disabled', message: `The ${kind} is disabled.` })
  if (!events.includes(event.type)) {
    const message = `The ${kind} does not hear ${event.type}; its events are ${events.join(', ')}.`
    found.push({ code: 'event_not_subscribed', message })
  }
  if (!isMatch) {
    found.push({ code: 'pattern_does_not_match', message: `The pattern of the ${kind} does not match the event.` })
  }
  return found
}

/**
 * Every webhook and connection of the team, and those of the platform that
 * serve this flow or could. With a draft, it comes first.
 *
 * @throws SluiceError NOT_FOUND for a team that is not the caller's, or a flow or draft's integration that is not the
 *   team's; VALIDATION_FAILED for a draft whose pattern cannot be read.
 */
export async function explainEvent(
  pool: pg.Pool,
  event: SampleEvent,
  principal: Principal,
  draft: Draft | null = null,
): Promise<readonly ExplainedTarget[]> {
  if (draft) parsePattern(draft.pattern)
  const open = principal.role === 'admin'
  const { everywhere, teamIds } = reachOf(principal)
  const { rows } = await pool.query<{ readonly flow_id: string | null; readonly targets: readonly TargetFacts[] }>({
    name: 'explain-event',
    text: `
      with facts as (
        select w.id, false as is_draft, 'webhook' as kind, w.name, w.integration_id, w.enabled,
               w.state::text as health, w.state_reason, w.events, w.pattern, w.created_at,
               null::text[] as kinds, null as connector_status, null::jsonb as accepts
          from webhooks w
         where w.id is distinct from $6
        union all
        select c.id, false, 'connection', c.name, c.integration_id, c.enabled, c.health::text, c.state_reason,
               c.events, c.pattern, c.created_at, k.kinds::text[], k.status::text, k.manifest -> 'accepts'
          from connections c join connectors k on k.id = c.connector_id
        union all
        select $6::uuid, true, 'webhook', $8::text, $5::uuid, $9::boolean, 'active', null,
               $7::text[], $10::jsonb, now(), null, null, null
         where $5::uuid is not null
      )
      select f.id as flow_id, coalesce((
        select json_agg(json_build_object(
                 'id', x.id, 'is_draft', x.is_draft, 'kind', x.kind, 'name', x.name, 'integration_id', i.id, 'integration', i.slug,
                 'integration_active', i.status = 'active', 'is_platform', i.team_id is null, 'enabled', x.enabled,
                 'health', x.health, 'state_reason', x.state_reason, 'events', x.events, 'pattern', x.pattern,
                 'kinds', x.kinds, 'accepted', case when 'modifier' = any(x.kinds) then
                   x.connector_status = 'approved'
                   and (x.accepts -> 'kinds' is null or x.accepts -> 'kinds' ? $11)
                   and (x.accepts -> 'schemas' is null or coalesce((
                     select bool_or(f.schema_url = taken.schema
                              or (right(taken.schema, 1) = '*' and starts_with(f.schema_url, left(taken.schema, -1))))
                       from jsonb_array_elements_text(x.accepts -> 'schemas') as taken(schema)), false)) end,
                 'destination', d.config) order by not x.is_draft, d.id is null, i.slug, x.kind desc, x.created_at, x.id)
          from integrations i
          join facts x on x.integration_id = i.id
          left join destinations d on d.integration_id = i.id and d.flow_id = f.id
         where i.team_id = t.id or i.team_id is null), '[]') as targets
        from teams t
        left join flows f on f.team_id = t.id and f.slug = $2
       where t.slug = $1 and ($3 or t.id = any($4::uuid[]))`,
    values: [
      ...[event.team, event.flow, everywhere, teamIds],
      ...[draft?.integration_id, draft?.id, draft?.events, draft?.name, draft?.enabled],
      draft && JSON.stringify(draft.pattern),
      event.kind,
    ],
  })
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `You have no team "${event.team}". Check the slug.`, { path: 'team' })
  if (!found.flow_id) {
    throw new SluiceError('NOT_FOUND', `The team "${event.team}" has no flow "${event.flow}". Check the slug.`, {
      path: 'flow',
    })
  }
  if (draft && !found.targets.some((target) => target.is_draft && (open || !target.is_platform))) {
    const message = `The team "${event.team}" has no integration ${draft.integration_id}.`
    throw new SluiceError('NOT_FOUND', message, { path: 'draft.integration_id' })
  }
  return found.targets.map((target) => explainTarget(event, target, open))
}
