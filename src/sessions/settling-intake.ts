/**
 * The door to settling: whoever writes a session asks here whether modifiers are to see it before anybody else hears of
 * it. Where none matches, it is announced at once, as if there were no modifiers.
 */
import type pg from 'pg'
import { type Announcement, announceTo, type EventType, type SessionFacts, sessionFacts } from './announce.ts'
import { misfitOf } from './destinations-available.ts'
import type { NewRevision } from './pending-revisions.ts'
import { type EventFacts, type FlowDestination, matchingTargets, type Target } from './targets.ts'

const updated = 'session.updated'

/** Ids of the connections whose modifiers are to see a session first: pattern, type of event, kind and schema match. */
export function modifiersFor(
  event: EventFacts,
  schemaUrl: string | null,
  destinations: readonly FlowDestination[],
  targets: readonly Target[],
): readonly string[] {
  const modifiers = targets.filter(({ kind }) => kind === 'modifier')
  if (modifiers.length === 0) return []
  const flow = { schema_url: schemaUrl, kinds: [event.kind] }
  return matchingTargets(event, destinations, modifiers)
    .filter(({ accepts }) => misfitOf(accepts ?? {}, flow) === null)
    .map(({ id }) => id)
}

/** Who hears of an update that is not written yet, and whether modifiers are to see it first. */
export interface UpdateHeard {
  readonly facts: SessionFacts
  readonly modifiers: readonly string[]
  /** For modifiers, or behind an update that waits for them. */
  readonly waits: boolean
}

/**
 * Holds the session's row until the transaction ends.
 *
 * @returns undefined when there is no such session.
 */
export async function factsOfUpdate(
  client: Pick<pg.ClientBase, 'query'>,
  { id, config, schemaUrl }: Pick<NewRevision, 'id' | 'config' | 'schemaUrl'>,
): Promise<UpdateHeard | undefined> {
  const [found] = await sessionFacts(client, updated, [id], new Date(), true)
  if (!found) return undefined
  const facts = { ...found, config, schema_url: schemaUrl }
  const modifiers = modifiersFor({ ...facts, type: updated }, schemaUrl, facts.grants, facts.targets)
  return { facts, modifiers, waits: modifiers.length > 0 || facts.settling !== null }
}

/**
 * Announces an event of a session that was written and nobody has heard of, or leaves that to the settling engine, with a
 * row in `session_settlings`. An update of a session that waits already joins it: there is one announcement, of what it
 * says in the end.
 *
 * @param client of the transaction that wrote the session, which holds its row.
 * @returns undefined while it settles.
 */
export async function announceOrSettle(
  client: Pick<pg.ClientBase, 'query'>,
  type: EventType,
  id: string,
): Promise<Announcement | undefined> {
  const [facts] = await sessionFacts(client, type, [id], new Date())
  if (!facts) return undefined
  const heard = facts.settling === 'session.submitted' ? 'session.submitted' : type
  const modifiers = modifiersFor({ ...facts, type: heard }, facts.schema_url, facts.grants, facts.targets)
  if (modifiers.length === 0 && facts.settling === null) return (await announceTo(client, type, [facts]))[0]
  await startSettling(client, { id, type: heard, modifiers })
  return undefined
}

async function startSettling(
  client: Pick<pg.ClientBase, 'query'>,
  {
    id,
    type,
    modifiers,
  }: Pick<SessionFacts, 'id'> & { readonly type: EventType; readonly modifiers: readonly string[] },
): Promise<void> {
  await client.query(
    `with hidden as (
       update sessions set status = 'settling' where id = $1 and $2 = 'session.submitted' and status = 'submitted'
     )
     insert into session_settlings as x (session_id, event_type, connection_ids) values ($1, $2, $3)
     on conflict (session_id) do update
        set event_type = excluded.event_type, connection_ids = excluded.connection_ids, version = x.version + 1, attempts = 0`,
    [id, type, modifiers],
  )
}
