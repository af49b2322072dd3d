/**
 * A producer's run: calls `getRawSources` until there is no more, and keeps what it brings. Sources are stored before the
 * state of the call that fetched them, so a worker that is killed in between fetches them again and knows them by their
 * ids: nothing is lost, and nothing is taken twice.
 */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { messageOf, SluiceError } from '../errors.ts'
import { type CallParts, callConnector } from './call.ts'
import type { ProducingConnection } from './producing.ts'
import { batchLimits, isId, keptSource, knownIds, type ProducedSource, readBatch, storeSources } from './raw-sources.ts'
import { type RunCall, type RunLine, recordRun, stateConflict } from './record.ts'
import { CallRefused } from './sandbox/process.ts'
import type { RunSummary } from './scheduled-runs.ts'
import { scrubLines } from './scrub.ts'
import { changedState, completeState } from './settings.ts'
import type { Turns } from './turns.ts'
import { storePending } from './two-phase.ts'

export interface FetchParts extends CallParts {
  readonly turns: Turns
  /** Called when there are sources to convert. */
  readonly stored: () => void
}

/** Calls of one run; with batches of the largest size, 100,000 sources. */
export const mostBatches = 100
/** Ids of one question to `known`. */
const mostAsked = 10_000

/** @throws only for defects of ours, and of the database. */
export async function fetchSources(
  parts: FetchParts,
  producer: ProducingConnection,
  signal: AbortSignal,
): Promise<RunSummary> {
  if (!producer.flow) {
    return { succeeded: false, message: 'Choose the flow whose sessions it makes: set flow_id of the connection.' }
  }
  const total = { added: 0, repeated: 0, pending: 0 }
  for (let batch = 1; ; batch++) {
    const result = await inTurn(parts, producer, signal, (deadline) => fetchBatch(parts, producer, signal, deadline))
    total.added += result.added
    total.repeated += result.repeated
    total.pending += result.pending
    if (result.added > 0) parts.stored()
    const told = toldOf(total)
    if (result.fault !== undefined) return { succeeded: false, message: `${result.fault} ${told}` }
    if (!result.more || signal.aborted) return { succeeded: true, message: told }
    if (batch === mostBatches) {
      return {
        succeeded: false,
        message: `It was called ${mostBatches} times and still has more. ${told} The next run goes on.`,
      }
    }
  }
}

interface BatchResult {
  readonly added: number
  readonly repeated: number
  readonly pending: number
  readonly more: boolean
  /** Why the run ends here; a sentence. */
  readonly fault?: string
}

const nothing = { added: 0, repeated: 0, pending: 0, more: false }

/** Who keeps state runs alone, over all workers, beginning with what the run before it left. */
async function inTurn(
  { turns }: FetchParts,
  { connection, connector }: ProducingConnection,
  signal: AbortSignal,
  work: (deadline: number) => Promise<BatchResult>,
): Promise<BatchResult> {
  const deadline = performance.now() + connection.timeout_ms
  if (!connector.manifest.settings.some(({ type }) => type === 'INTERNAL')) return work(deadline)
  const end = await turns.take(connection.id, deadline, signal)
  if (!end)
    return { ...nothing, fault: 'It did not get its turn in time: other runs of this connection took too long.' }
  try {
    return await work(deadline)
  } finally {
    await end()
  }
}

async function fetchBatch(
  parts: FetchParts,
  producer: ProducingConnection,
  signal: AbortSignal,
  deadline: number,
): Promise<BatchResult> {
  const { pool } = parts.database
  const { connection, connector, flow } = producer
  const begun = { at: new Date(), ms: performance.now() }
  const kept = await presentState(pool, connection.id)
  const state = completeState(connector.manifest, kept)
  const log: RunLine[] = []
  const calls: RunCall[] = []
  const call_id = randomUUID()
  const team_id = connection.team_id ?? flow?.team_id ?? null
  const input = { config: connection.config, state, delivery: { id: call_id, attempt: 1 } }
  const common = { team_id, call_id, signal, deadline, log, calls }
  const { outcome, scrub } = await callConnector(parts, producer, {
    ...common,
    method: 'getRawSources',
    input,
    answers: { known: (ids) => answerKnown(pool, connection.id, ids) },
  })
  if (!outcome.ok && outcome.failure === 'aborted') return nothing
  const taken = outcome.ok
    ? await take(parts, producer, outcome.value, { ...common, input }).catch(faultOf)
    : {
        ...nothing,
        fault: outcome.failure === 'absent' ? 'The connector has no getRawSources.' : scrub(outcome.message),
      }
  const { added, repeated, pending, fault } = taken
  const succeeded = fault === undefined
  const { saved } = await recordRun(pool, {
    connection_id: connection.id,
    delivery_id: null,
    session_id: null,
    method: 'getRawSources',
    connector: `${connector.implementation}@${connector.version}`,
    revision: null,
    attempt: 1,
    succeeded,
    message: fault ?? toldOf({ added, repeated, pending }),
    log: scrubLines(log, scrub),
    calls,
    started_at: begun.at,
    duration_ms: Math.round((performance.now() - begun.ms) * 100) / 100,
    // Without its state, the next run asks for the same again, and what was stored is known by then.
    stateChange: succeeded && outcome.ok ? changedState(kept, state, outcome.state) : undefined,
  })
  return saved ? taken : { ...taken, more: false, fault: stateConflict }
}

/** Keeps what is right of a batch; what is wrong is told. */
async function take(
  parts: FetchParts,
  producer: ProducingConnection,
  returned: unknown,
  call: Parameters<typeof storePending>[3],
): Promise<BatchResult> {
  const { pool } = parts.database
  const { sources, more } = readBatch(returned)
  const phased = producer.connector.manifest.kinds.includes('two-phase-producer')
    ? await storePending(parts, producer, sources, call)
    : { pending: 0, known: 0, matched: 0, direct: sources, faults: [] }
  const faults = [...phased.faults]
  const right = phased.direct.flatMap((each: ProducedSource) => {
    const source = keptSource(each)
    if (!('fault' in source)) return source
    faults.push(`Source ${sources.indexOf(each) + 1} of ${sources.length} was left out: ${source.fault}.`)
    return []
  })
  const team_id = producer.connection.team_id ?? producer.flow?.team_id ?? ''
  const { added, repeated } = await storeSources(pool, { connection_id: producer.connection.id, team_id }, right)
  return {
    added: added + phased.matched,
    repeated: repeated + phased.known,
    pending: phased.pending,
    more,
    ...(faults.length > 0 ? { fault: shortened(faults) } : {}),
  }
}

function shortened(faults: readonly string[]): string {
  const rest = faults.length - 5
  return [...faults.slice(0, 5), ...(rest > 0 ? [`So were ${rest} more.`] : [])].join(' ')
}

/** What the connector did wrong is told; anything else is thrown on. */
function faultOf(error: unknown): BatchResult {
  if (error instanceof SluiceError && error.code === 'VALIDATION_FAILED') return { ...nothing, fault: messageOf(error) }
  throw error
}

async function answerKnown(pool: pg.Pool, connectionId: string, ids: unknown): Promise<readonly string[]> {
  if (!Array.isArray(ids) || ids.length > mostAsked || !ids.every(isId)) {
    throw new CallRefused(
      'INVALID',
      `known asks for a list of ${mostAsked} ids at most, each a text of 1 to ${batchLimits.idLength} characters.`,
    )
  }
  return knownIds(pool, connectionId, ids)
}

async function presentState(pool: pg.Pool, connectionId: string): Promise<Readonly<Record<string, unknown>>> {
  const { rows } = await pool.query<{ state: Record<string, unknown> }>('select state from connections where id = $1', [
    connectionId,
  ])
  return rows[0]?.state ?? {}
}

function toldOf({ added, repeated, pending }: { added: number; repeated: number; pending: number }): string {
  const parts = [`${added} new`, ...(pending > 0 ? [`${pending} waited for`] : []), `${repeated} seen before`]
  const count = added + repeated + pending
  return `${count} ${count === 1 ? 'source' : 'sources'}: ${parts.join(', ')}.`
}
