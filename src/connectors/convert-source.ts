/**
 * Converts one raw source: asks the connector what it is and what it becomes, takes the session in, and writes down what
 * came of it. Each step can be repeated: a worker that is killed in between leaves a lease that ends, and the next one
 * finds the session that the first one made.
 */
import { createHash } from 'node:crypto'
import { messageOf, SluiceError } from '../errors.ts'
import { isTrip, parseBooking, parseTrip } from '../travel/parse.ts'
import { type CallParts, callConnector } from './call.ts'
import { type ClaimedSource, giveSourceBack, type SourceOutcome, settleSource } from './conversion-claims.ts'
import { bookingKey, type ConvertedSession, readConversion, readMetadata } from './conversion-result.ts'
import { annotationWarnings, type ExtensionResult, partedBooking, sharedParts } from './extension-data.ts'
import { type Intake, type TakenIn, takeIn } from './intake.ts'
import { mayHave } from './producing.ts'
import { batchLimits } from './raw-sources.ts'
import { type RunCall, type RunLine, recordRun } from './record.ts'
import type { RunFailure } from './sandbox/process.ts'
import { scrubLines } from './scrub.ts'
import { changedState, completeState } from './settings.ts'
import { ticketFeeWarnings } from './ticket-fee-warnings.ts'
import type { Turns } from './turns.ts'
import { matchInbound } from './two-phase.ts'

export interface ConvertParts extends CallParts {
  readonly turns: Turns
  readonly intake: Intake
}

/** How often a conversion is begun that never ends, because its worker is killed or the database is away. */
const mostAttempts = 5
const firstRetryMs = 5000
/** The names that the function has: ours, and the guide's. */
const converters = ['convertRawSource', 'convertRawSourceToTripData']

/** What came of one: `matched` is a payload that belonged to another row, or waits for an editor. */
export type ConversionOutcome = SourceOutcome['status'] | 'matched' | 'given back'

/** @throws only for defects of ours, and of the database; then it is tried again later. */
export async function convertSource(
  parts: ConvertParts,
  claimed: ClaimedSource,
  signal: AbortSignal,
): Promise<ConversionOutcome> {
  const { pool } = parts.database
  const { connection, connector, source } = claimed
  if (source.attempt_count > mostAttempts) {
    const message = `Its conversion was begun ${mostAttempts} times and never ended. Look at the worker's log, then convert it again.`
    await settleSource(pool, claimed, { status: 'failed', message })
    return 'failed'
  }
  const deadline = performance.now() + connection.timeout_ms
  const keepsState = connector.manifest.settings.some(({ type }) => type === 'INTERNAL')
  const endTurn = keepsState ? await parts.turns.take(connection.id, deadline, signal) : undefined
  try {
    if (!keepsState || endTurn) return await convertInTurn(parts, claimed, signal, deadline)
    await giveSourceBack(pool, claimed, { afterMs: signal.aborted ? 0 : 1000, uncount: true })
    return 'given back'
  } finally {
    await endTurn?.()
  }
}

/** After an error that is not the connector's: later, and ever later. */
export function retryAfter(attempt: number): number {
  return firstRetryMs * 2 ** Math.min(attempt - 1, 6)
}

async function convertInTurn(
  parts: ConvertParts,
  claimed: ClaimedSource,
  signal: AbortSignal,
  deadline: number,
): Promise<ConversionOutcome> {
  const { pool } = parts.database
  const { connection, connector, source } = claimed
  const begun = { at: new Date(), ms: performance.now() }
  const kept = await presentState(parts, connection.id)
  const began = completeState(connector.manifest, kept)
  const talk = new Talk(parts, claimed, { state: began, signal, deadline })
  const found = await conversionOf(parts, claimed, talk, { signal, deadline }).catch(failureOf)
  if (found === 'settled') return 'matched'
  if (found === 'aborted') {
    await giveSourceBack(pool, claimed, { afterMs: 0, uncount: true })
    return 'given back'
  }
  const { outcome, taken, extension } = found
  const notes = [...(extension?.fault ? [extension.fault] : []), ...(found.warnings ?? [])]
  const at = new Date().toISOString()
  const log = [...talk.log, ...notes.map((message) => ({ at, level: 'warn' as const, message }))]
  const { saved, fault } = await recordRun(pool, {
    connection_id: connection.id,
    delivery_id: null,
    session_id: taken?.session_id ?? null,
    raw_source_id: source.id,
    method: found.method,
    connector: `${connector.implementation}@${connector.version}`,
    revision: taken?.revision ?? null,
    attempt: source.attempt_count,
    succeeded: outcome.status !== 'failed' && !found.isListedAsFailed,
    message: outcome.message === null ? null : talk.scrub(outcome.message),
    log: scrubLines(log, talk.scrub),
    calls: talk.calls,
    started_at: begun.at,
    duration_ms: Math.round((performance.now() - begun.ms) * 100) / 100,
    stateChange: outcome.status === 'failed' ? undefined : changedState(kept, began, talk.state),
    extensionChange: taken ? extension?.change : undefined,
  })
  const message = outcome.message === null ? null : talk.scrub(outcome.message)
  const told: SourceOutcome = saved ? { ...outcome, message } : { ...outcome, status: 'failed', message: fault ?? null }
  await settleSource(pool, claimed, told)
  return told.status
}

interface Converted {
  readonly outcome: SourceOutcome
  /** The function that the run is listed under. */
  readonly method: string
  readonly taken?: TakenIn
  readonly extension?: ExtensionResult | undefined
  readonly warnings?: readonly string[]
  readonly isListedAsFailed?: boolean
}

type Verdict = Converted | 'settled' | 'aborted'

/** What a connector did wrong: it, or what it made, is told. */
class SourceFailed extends Error {
  readonly failure: RunFailure | undefined
  readonly method: string
  readonly metadata: SourceOutcome['metadata']
  constructor(message: string, method: string, failure?: RunFailure, metadata?: SourceOutcome['metadata']) {
    super(message)
    this.failure = failure
    this.method = method
    this.metadata = metadata
  }
}

function failureOf(error: unknown): Verdict {
  if (!(error instanceof SourceFailed)) throw error
  if (error.failure === 'aborted') return 'aborted'
  return {
    method: error.method,
    outcome: { status: 'failed', message: error.message, ...(error.metadata ? { metadata: error.metadata } : {}) },
  }
}

/** Calls of one conversion: they share a log, the noted calls, and the state, which each leaves to the next. */
class Talk {
  readonly log: RunLine[] = []
  readonly calls: RunCall[] = []
  state: Readonly<Record<string, unknown>>
  scrub: (text: string) => string = (text) => text
  readonly #call: (method: string, parameters: readonly unknown[]) => ReturnType<typeof callConnector>

  constructor(
    parts: ConvertParts,
    claimed: ClaimedSource,
    { state, signal, deadline }: { state: Readonly<Record<string, unknown>>; signal: AbortSignal; deadline: number },
  ) {
    this.state = state
    this.#call = (method, parameters) =>
      callConnector(parts, claimed, {
        method,
        parameters,
        input: this.input(claimed),
        team_id: claimed.source.team_id,
        call_id: claimed.source.id,
        source_id: claimed.source.id,
        signal,
        deadline,
        log: this.log,
        calls: this.calls,
      })
  }

  input({ connection, source }: ClaimedSource) {
    return {
      config: connection.config,
      state: this.state,
      delivery: { id: source.id, attempt: source.attempt_count },
    }
  }

  /** Its answer; undefined when there is no such function. @throws SourceFailed */
  async ask(method: string, parameters: readonly unknown[]): Promise<{ readonly value: unknown } | undefined> {
    const { outcome, scrub } = await this.#call(method, parameters)
    this.scrub = scrub
    if (!outcome.ok && outcome.failure === 'absent') return undefined
    if (!outcome.ok) throw new SourceFailed(scrub(outcome.message), method, outcome.failure)
    this.state = outcome.state
    return outcome
  }
}

async function conversionOf(
  parts: ConvertParts,
  claimed: ClaimedSource,
  talk: Talk,
  { signal, deadline }: { readonly signal: AbortSignal; readonly deadline: number },
): Promise<Verdict> {
  const { flow, source } = claimed
  if (!flow) {
    throw new SourceFailed(
      'Choose the flow whose sessions it makes: set flow_id of the connection, then convert it again.',
      'convertRawSource',
    )
  }
  let external_id = source.external_id
  if (source.origin === 'inbound') {
    const team_id = source.team_id
    const match = await matchInbound(parts, claimed, source, { team_id, input: talk.input(claimed), signal, deadline })
    if (match.outcome === 'settled') return 'settled'
    if (match.outcome === 'failed') throw new SourceFailed(match.message, 'validatePayload', match.failure)
    external_id = match.external_id
  }
  const bytes = new Uint8Array(source.content)
  const described = mayHave(claimed, 'extractMetadata')
    ? await checked('extractMetadata', () =>
        talk.ask('extractMetadata', [bytes]).then((answer) => readMetadata(answer?.value)),
      )
    : undefined
  if (described?.isIntermediate) {
    return {
      method: 'extractMetadata',
      outcome: { status: 'discarded', message: 'It is a step on the way.', metadata: described },
    }
  }
  const method = converters.find((name) => mayHave(claimed, name)) ?? 'convertRawSource'
  try {
    const answer = (await talk.ask(method, [bytes])) ?? (await talk.ask(converters[1] ?? '', [bytes]))
    if (!answer) throw new SourceFailed('The connector has no function convertRawSource.', method)
    return await checked(method, () =>
      sessionOf(parts, claimed, talk, { method, external_id, metadata: described, value: answer.value }),
    )
  } catch (error) {
    // What people see of it stays with a source that could not be converted.
    if (!(error instanceof SourceFailed)) throw error
    throw new SourceFailed(error.message, error.method, error.failure, described)
  }
}

interface Answer {
  readonly method: string
  readonly external_id: string | null
  readonly metadata: SourceOutcome['metadata']
  readonly value: unknown
}

async function sessionOf(
  parts: ConvertParts,
  claimed: ClaimedSource,
  talk: Talk,
  { method, external_id, metadata, value }: Answer,
): Promise<Converted> {
  const { connector, source } = claimed
  const result = readConversion(value)
  const { message, isListedAsFailed } = result
  const updated = updatedOf(result.updated)
  const said = { message, metadata, updated }
  if (!result.session) {
    return { method, isListedAsFailed, outcome: { ...said, status: isListedAsFailed ? 'failed' : 'discarded' } }
  }
  const { session, extension } = checkedSession(connector.implementation, result.session)
  const key = await keyOf(parts, claimed, talk, { given: result.key ?? external_id ?? undefined, session })
  if (key === null)
    return { method, outcome: { ...said, status: 'discarded', message: 'isModifyAllowedFrom discarded it.' } }
  const taken = await takeIn({ pool: parts.database.pool, intake: parts.intake }, claimed, source, {
    session,
    key,
    extension: extension?.change,
  })
  const isOutdated = taken.as === 'outdated'
  const isWritten = taken.as === 'new' || taken.as === 'revision'
  return {
    method,
    taken,
    // What was taken in has it already, and others may have written over it since.
    extension: isOutdated ? undefined : isWritten && extension ? { ...extension, change: undefined } : extension,
    isListedAsFailed,
    warnings: [
      ...annotationWarnings(connector.implementation, partsOf(result.session.data), {
        id: taken.session_id,
        kind: session.kind,
        data: session.data,
      }),
      ...ticketFeeWarnings(session),
    ],
    outcome: {
      ...said,
      status: isOutdated ? 'discarded' : 'converted',
      message: isOutdated ? 'A later source has said what this session is.' : (message ?? toldOf(taken)),
      session_id: taken.session_id,
      session_key: key,
      result_sha256: isOutdated ? undefined : taken.result_sha256,
    },
  }
}

function toldOf({ status }: TakenIn): string | null {
  return status === 'invalid'
    ? 'The session does not follow its schema, so nobody is told of it: see its problems.'
    : null
}

function updatedOf(content: Buffer | undefined): SourceOutcome['updated'] {
  if (content === undefined) return undefined
  if (content.length > batchLimits.sourceBytes) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `updatedRawSource has ${content.length} bytes, and ${batchLimits.sourceBytes} are the most.`,
    )
  }
  return { content, sha256: createHash('sha256').update(content).digest('hex') }
}

/**
 * Bookings are checked as such, whatever the flow asks for. The connector's own extension data, and the shared one, is
 * kept beside them; what the source wrote of others stays where it is.
 */
function checkedSession(
  implementation: string,
  session: ConvertedSession,
): { readonly session: ConvertedSession; readonly extension?: ExtensionResult } {
  if (session.kind !== 'booking') return { session }
  if (isTrip(session.data)) {
    parseTrip(session.data)
    return { session }
  }
  parseBooking(session.data)
  const given = session.data.extensionData
  if (typeof given !== 'object' || given === null) return { session }
  const isOurs = (part: string) => part === implementation || sharedParts.includes(part)
  const others = Object.fromEntries(Object.entries(given).filter(([part]) => !isOurs(part)))
  const original = Object.keys(others).length > 0 ? { extensionData: others } : undefined
  const { booking, ...extension } = partedBooking(implementation, session.data, others, original)
  return { session: { ...session, data: booking }, extension }
}

function partsOf({ extensionData }: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return typeof extensionData === 'object' && extensionData !== null ? (extensionData as Record<string, unknown>) : {}
}

/**
 * The key under which the session is found again; undefined for one of its own.
 *
 * @returns null when the connector threw the source away.
 */
async function keyOf(
  parts: ConvertParts,
  claimed: ClaimedSource,
  talk: Talk,
  { given, session }: { readonly given: string | undefined; readonly session: ConvertedSession },
): Promise<string | undefined | null> {
  const decides = claimed.connector.functions.includes('isModifyAllowedFrom')
  const key = given ?? (session.kind === 'booking' ? bookingKey(session.data, { withDomain: !decides }) : undefined)
  const domain = session.data.sourceDomain
  if (!decides || key === undefined || typeof domain !== 'string') return key
  const present = await presentDomain(parts, claimed, key)
  if (present === undefined || present === domain) return key
  try {
    const answer = await talk.ask('isModifyAllowedFrom', [domain])
    return answer?.value === false ? `${domain}/${key}`.slice(0, 500) : key
  } catch (error) {
    // The guide's DiscardPayloadException.
    if (error instanceof SourceFailed && error.failure === 'threw') return null
    throw error
  }
}

/** Where the booking comes from that a source of this key would change; undefined when there is none. */
async function presentDomain(
  { database }: ConvertParts,
  { connection, source }: ClaimedSource,
  key: string,
): Promise<string | undefined> {
  const { rows } = await database.pool.query<{ domain: string | null }>(
    `select s.data ->> 'sourceDomain' as domain
       from raw_sources r join sessions s on s.id = r.session_id
      where r.connection_id = $1 and r.session_key = $2 and r.id <> $3 and s.purged_at is null
      order by r.position desc limit 1`,
    [connection.id, key, source.id],
  )
  return rows[0]?.domain ?? undefined
}

/** What is wrong with what a connector made is its failure; whatever else goes wrong is ours. */
async function checked<Value>(method: string, work: () => Promise<Value>): Promise<Value> {
  try {
    return await work()
  } catch (error) {
    const isTheirs =
      error instanceof SluiceError &&
      ['VALIDATION_FAILED', 'CONFLICT', 'GONE', 'NOT_FOUND', 'FORBIDDEN', 'TOO_LARGE'].includes(error.code)
    throw isTheirs ? new SourceFailed(messageOf(error), method) : error
  }
}

async function presentState(
  { database }: ConvertParts,
  connectionId: string,
): Promise<Readonly<Record<string, unknown>>> {
  const { rows } = await database.pool.query<{ state: Record<string, unknown> }>({
    name: 'connections: state',
    text: 'select state from connections where id = $1',
    values: [connectionId],
  })
  return rows[0]?.state ?? {}
}
