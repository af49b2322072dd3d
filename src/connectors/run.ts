/**
 * One run of a connection for one delivery: wait for its turn if it keeps state,
 * read the session through the integration's grant, wait for its turn in the
 * session's trip, run the connector in its sandbox, store what came of it.
 */
import type { Database } from '../database/database.ts'
import type { LeasedDelivery } from '../delivery/carrier.ts'
import { SluiceError } from '../errors.ts'
import { type CallParts, callConnector } from './call.ts'
import { dryDoors, dryEgress, dryMailer, type Fixture, type Withheld } from './dry-run.ts'
import {
  annotationWarnings,
  type ExtensionChange,
  type ExtensionData,
  givenData,
  partedBooking,
  withChange,
} from './extension-data.ts'
import { jsonDifference, type Operation } from './json-difference.ts'
import { modificationOf } from './modification.ts'
import { type RunCall, type RunLine, recordRun } from './record.ts'
import { type Retrieval, retrieveForRun } from './retrieve.ts'
import type { RunFailure, RunOutcome } from './sandbox/process.ts'
import type { RunInput } from './sandbox/protocol.ts'
import { scrubLines } from './scrub.ts'
import type { Consumer, Trip } from './sdk.ts'
import { changedState, completeState } from './settings.ts'
import { retrieveTrip, tripOfRun } from './trip.ts'
import type { Turns } from './turns.ts'
import { verdictOf } from './verdict.ts'

/** What runs for deliveries need beyond a call. */
export interface RunParts extends CallParts {
  readonly turns: Turns
  /** Remembers which connections keep state: those take turns. */
  readonly stateful: Map<string, boolean>
  readonly retentionAfterRetrievalDays: number
}

export interface RunResult {
  readonly succeeded: boolean
  /** One sentence, secrets taken out; null for a success that has nothing to say. */
  readonly message: string | null
  /** Trying again cannot help. */
  readonly final: boolean
  /** The sandbox's word for the failure, if it came so far. */
  readonly failure: RunFailure | undefined
}

export const maxStateBytes = 64 * 1024
/** Makes one run. What the connector does wrong is a result; only a defect of ours, or of the database, is thrown. */
export async function runConnection(
  parts: RunParts,
  delivery: LeasedDelivery,
  signal: AbortSignal,
): Promise<RunResult> {
  const deadline = performance.now() + delivery.timeout_ms
  const takesTurns =
    parts.stateful.get(delivery.target_id) ?? (await keepsState(parts.database.pool, delivery.target_id))
  const endTurn = takesTurns ? await parts.turns.take(delivery.target_id, deadline, signal) : undefined
  if (takesTurns && !endTurn) {
    return failed('The run did not get its turn in time: earlier runs of this connection took too long.', 'timeout')
  }
  try {
    return await runInTurn(parts, delivery, signal, deadline, takesTurns)
  } finally {
    await endTurn?.()
  }
}

/** Asked once a process for each connection; every run renews the answer. */
async function keepsState(pool: Database['pool'], connectionId: string): Promise<boolean> {
  const { rows } = await pool.query<{ keeps: boolean }>(
    `select k.manifest @> '{"settings": [{"type": "INTERNAL"}]}' as keeps
       from connections c join connectors k on k.id = c.connector_id where c.id = $1`,
    [connectionId],
  )
  return rows[0]?.keeps ?? false
}

async function runInTurn(
  parts: RunParts,
  delivery: LeasedDelivery,
  signal: AbortSignal,
  deadline: number,
  isAlone: boolean,
): Promise<RunResult> {
  const { pool } = parts.database
  const found = await retrieveForRun(pool, {
    connection_id: delivery.target_id,
    session_id: delivery.session_id,
    delivery_id: delivery.id,
    attempt: delivery.attempt,
    retentionAfterRetrievalDays: parts.retentionAfterRetrievalDays,
  })
  if (!found) return failed('The connection no longer exists.', undefined, true)
  const trip = found.session?.trip
  if (!trip || isAlone) return runFound(parts, delivery, found, signal, deadline)
  // A mark that one run leaves in the trip is seen by the next: of a connection with state, runs are alone already.
  const endTurn = await parts.turns.take(`${delivery.target_id} ${trip.id}`, deadline, signal)
  if (!endTurn) {
    return failed(
      'The run did not get its turn in time: earlier runs for bookings of this trip took too long.',
      'timeout',
    )
  }
  try {
    return await runFound(parts, delivery, found, signal, deadline)
  } finally {
    await endTurn()
  }
}

async function runFound(
  parts: RunParts,
  delivery: LeasedDelivery,
  found: Retrieval,
  signal: AbortSignal,
  deadline: number,
): Promise<RunResult> {
  const { pool } = parts.database
  const begun = performance.now()
  const startedAt = new Date()
  const kept = found.connection.state
  const state = completeState(found.connector.manifest, kept)
  parts.stateful.set(delivery.target_id, Object.keys(state).length > 0)

  const log: RunLine[] = []
  const calls: RunCall[] = []
  const { outcome, scrub, result, extensionChange } = await attempt(parts, delivery, found, state, {
    log,
    calls,
    signal,
    deadline,
  })
  if (outcome && !outcome.ok && outcome.failure === 'aborted') return result
  const stateChange = outcome?.ok && !isTooLarge(outcome.state) ? changedState(kept, state, outcome.state) : undefined
  const { saved, fault } = await recordRun(pool, {
    connection_id: delivery.target_id,
    delivery_id: delivery.id,
    session_id: delivery.session_id,
    attempt: delivery.attempt,
    connector: nameOf(found),
    revision: found.session?.revision ?? null,
    succeeded: result.succeeded,
    message: result.message,
    log: scrubLines(log, scrub),
    calls,
    started_at: startedAt,
    duration_ms: Math.round((performance.now() - begun) * 100) / 100,
    stateChange,
    extensionChange,
  })
  return saved ? result : failed(fault ?? '')
}

export interface DryRun {
  /** Of the row in `connector_runs`. */
  readonly id: string
  readonly succeeded: boolean
  readonly message: string | null
  readonly log: readonly RunLine[]
  readonly calls: readonly RunCall[]
  /** In full: what would have been sent. */
  readonly withheld: readonly Withheld[]
  /** Of a modifier: what it would change of the session's data; null of a consumer. */
  readonly changes: readonly Operation[] | null
  readonly duration_ms: number
}

/**
 * Runs a connection on a session without any effect outside: requests are
 * answered from fixtures or refused, mails are kept, files are out of reach,
 * changed state is forgotten. It reads through the grant and is audited, but
 * starts no clock. The run's row is marked `dry_run`.
 *
 * @param delivery as the engine would hand it over; its id belongs to no row.
 * @param kind what to call it as, where its connector is both. @default 'consumer', if it is one
 * @returns undefined when there is no such connection.
 * @throws SluiceError VALIDATION_FAILED when its connector is not of that kind.
 */
export async function runDry(
  parts: RunParts,
  delivery: LeasedDelivery,
  fixtures: readonly Fixture[],
  signal: AbortSignal,
  kind?: 'consumer' | 'modifier',
): Promise<DryRun | undefined> {
  const begun = performance.now()
  const deadline = begun + delivery.timeout_ms
  const startedAt = new Date()
  const found = await retrieveForRun(parts.database.pool, {
    connection_id: delivery.target_id,
    session_id: delivery.session_id,
    delivery_id: delivery.id,
    attempt: 1,
    retentionAfterRetrievalDays: parts.retentionAfterRetrievalDays,
    isDry: true,
  })
  if (!found) return undefined
  const withheld: Withheld[] = []
  const { objects: _, ...inside } = parts
  const dry: RunParts = {
    ...inside,
    egress: dryEgress(fixtures, withheld),
    doors: dryDoors(withheld),
    mailer: dryMailer(withheld),
  }
  const log: RunLine[] = []
  const calls: RunCall[] = []
  const state = completeState(found.connector.manifest, found.connection.state)
  const context = { log, calls, signal, deadline, isDry: true }
  const { kinds, implementation } = found.connector.manifest
  if (kind && !kinds.includes(kind)) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `The connector ${implementation} is no ${kind}: it is ${kinds.join(', ')}.`,
      {
        path: 'kind',
      },
    )
  }
  const isModifier = kind === 'modifier' || (!kind && kinds.includes('modifier') && !kinds.includes('consumer'))
  const { scrub, result, changes } = isModifier
    ? await tryModifier(dry, delivery, found, state, context)
    : { ...(await attempt(dry, delivery, found, state, context)), changes: null }
  const run = {
    succeeded: result.succeeded,
    message: result.message,
    log: scrubLines(log, scrub),
    calls,
    duration_ms: Math.round((performance.now() - begun) * 100) / 100,
  }
  const { id } = await recordRun(parts.database.pool, {
    ...run,
    connection_id: delivery.target_id,
    delivery_id: null,
    session_id: delivery.session_id,
    attempt: 1,
    connector: nameOf(found),
    revision: found.session?.revision ?? null,
    started_at: startedAt,
    stateChange: undefined,
    isDry: true,
  })
  return { id, ...run, changes, withheld: withheld.map((each) => scrubbed(each, scrub)) }
}

/** What a modifier would change, without changing it. */
async function tryModifier(
  parts: RunParts,
  delivery: LeasedDelivery,
  found: Retrieval,
  state: Readonly<Record<string, unknown>>,
  { log, calls, signal, deadline }: AttemptContext,
): Promise<Pick<Attempt, 'scrub' | 'result'> & { readonly changes: readonly Operation[] | null }> {
  const { session } = found
  if (!session) return { scrub: unchanged, result: refusal(found), changes: null }
  const { session: _, ...input } = inputOf(delivery, found, session, state)
  const isBooking = session.kind === 'booking'
  const { outcome, scrub } = await callConnector(parts, found, {
    method: 'modify',
    parameters: [session.data],
    input: {
      ...input,
      trip: session.trip,
      extensionData: givenData(session.kind, session.data, session.connector_data),
      extendsBooking: isBooking,
    },
    team_id: delivery.team_id,
    session_id: delivery.session_id,
    call_id: delivery.id,
    ...{ signal, deadline, log, calls },
  })
  if (!outcome.ok) return { scrub, result: failed(scrub(outcome.message), outcome.failure), changes: null }
  const { data, succeeded, message } = modificationOf(outcome.value)
  const { implementation } = found.connector.manifest
  const wanted = data && isBooking ? partedBooking(implementation, data, {}, session.data).booking : data
  return {
    scrub,
    result: { succeeded, message: message === null ? null : scrub(message), final: false, failure: undefined },
    changes: wanted ? jsonDifference(session.data, wanted) : [],
  }
}

/** A connection's secrets are not for whoever may try it. */
function scrubbed({ target, headers, body, ...rest }: Withheld, scrub: (text: string) => string): Withheld {
  return {
    ...rest,
    target: scrub(target),
    headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, scrub(value)])),
    body: body === null ? null : scrub(body),
  }
}

function nameOf({ connector }: Retrieval): string {
  return `${connector.implementation}@${connector.version}`
}

interface AttemptContext {
  readonly log: RunLine[]
  readonly calls: RunCall[]
  readonly signal: AbortSignal
  readonly deadline: number
  /** No clock starts. @default false */
  readonly isDry?: boolean
}

interface Attempt {
  readonly outcome: RunOutcome | undefined
  readonly extensionChange: ExtensionChange | undefined
  readonly scrub: (text: string) => string
  readonly result: RunResult
}

async function attempt(
  parts: RunParts,
  delivery: LeasedDelivery,
  found: Retrieval,
  state: Readonly<Record<string, unknown>>,
  { log, calls, signal, deadline, isDry = false }: AttemptContext,
): Promise<Attempt> {
  const { session, connector } = found
  if (!session) return { outcome: undefined, extensionChange: undefined, scrub: unchanged, result: refusal(found) }
  const { trip, connector_data } = session.trip
    ? await withTrip(parts, delivery, session, session.trip, isDry)
    : { trip: null, connector_data: session.connector_data }
  const extensionData = givenData(session.kind, session.data, connector_data)
  const { outcome, scrub, extensionChange } = await callConnector(parts, found, {
    input: {
      ...inputOf(delivery, found, session, state),
      trip,
      extensionData,
      extendsBooking: session.kind === 'booking',
    },
    team_id: delivery.team_id,
    session_id: delivery.session_id,
    call_id: delivery.id,
    signal,
    deadline,
    log,
    calls,
  })
  if (outcome.ok) {
    const { implementation } = connector.manifest
    const described = { id: delivery.session_id, kind: session.kind, data: session.data }
    for (const message of annotationWarnings(implementation, withChange(extensionData, extensionChange), described)) {
      log.push({ at: new Date().toISOString(), level: 'warn', message })
    }
  }
  return { outcome, extensionChange, scrub, result: judged(outcome, scrub) }
}

/** The trip, and the session's extension data as runs before this one left it. */
async function withTrip(
  parts: RunParts,
  delivery: LeasedDelivery,
  session: NonNullable<Retrieval['session']>,
  trip: NonNullable<NonNullable<Retrieval['session']>['trip']>,
  isDry: boolean,
): Promise<{ readonly trip: Trip; readonly connector_data: ExtensionData | null }> {
  const found = await retrieveTrip(parts.database.pool, {
    connection_id: delivery.target_id,
    session_id: delivery.session_id,
    trip_id: trip.id,
    delivery_id: delivery.id,
    attempt: delivery.attempt,
    retentionAfterRetrievalDays: parts.retentionAfterRetrievalDays,
    isDry,
  })
  const self = found.members.find(({ id }) => id === delivery.session_id)
  return {
    trip: tripOfRun(trip, found, { id: delivery.session_id, data: session.data }),
    connector_data: self ? self.connector_data : session.connector_data,
  }
}

function inputOf(
  delivery: LeasedDelivery,
  { connection }: Retrieval,
  session: NonNullable<Retrieval['session']>,
  state: Readonly<Record<string, unknown>>,
): Omit<RunInput, 'settings'> {
  const { event } = delivery
  const eventConfig = { ...(event.config as Record<string, never>), ...(session.grant_config as Record<string, never>) }
  const sessionEvent: Parameters<Consumer>[0]['event'] = {
    id: delivery.session_id,
    type: event.type,
    kind: session.kind,
    team: event.team,
    teamName: session.team_name,
    flow: event.flow,
    flowName: session.flow_name,
    paymentID: event.payment_id,
    config: eventConfig,
    schemaUrl: session.schema_url,
    revision: session.revision,
    submittedAt: session.submitted_at.toISOString(),
  }
  return {
    session: session.data,
    event: sessionEvent,
    config: { ...eventConfig, ...connection.config },
    state,
    delivery: { id: delivery.id, attempt: delivery.attempt },
  }
}

/** Why the statement gave no session. */
function refusal({ connection, connector, accepted }: Retrieval): RunResult {
  const name = `${connector.implementation}@${connector.version}`
  if (!connection.integration_active) return failed('The integration is disabled.')
  if (!connection.enabled) return failed('The connection is disabled.')
  if (connector.status !== 'approved') {
    return failed(`The connector ${name} is ${connector.status}. An admin must approve it before it runs.`)
  }
  if (!accepted)
    return failed(`The connector ${name} does not accept sessions of this kind or schema.`, undefined, true)
  return failed(
    'The integration has no live grant for this session: none was made, or it was revoked, has expired, or the session was purged.',
    undefined,
    true,
  )
}

function judged(outcome: RunOutcome, scrub: (text: string) => string): RunResult {
  if (!outcome.ok) return failed(scrub(outcome.message), outcome.failure)
  if (isTooLarge(outcome.state)) return failed(`The connector's state is larger than ${maxStateBytes} bytes.`)
  const { message, ...verdict } = verdictOf(outcome.value)
  return { ...verdict, message: message === null ? null : scrub(message).slice(0, 4000), failure: undefined }
}

function isTooLarge(state: unknown): boolean {
  return Buffer.byteLength(JSON.stringify(state)) > maxStateBytes
}

function failed(message: string, failure?: RunFailure, final = false): RunResult {
  return { succeeded: false, message, final, failure }
}

const unchanged = (text: string) => text
