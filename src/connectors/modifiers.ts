/**
 * Runs modifiers: what the settling engine (`sessions/settling.ts`) asks, answered by the sandbox. The two rooms do not
 * know each other; the worker hands one to the other.
 *
 * Settings, bundle and manifest of a connection are kept while its row does not change, so a warm call costs no
 * statement. Only connections that keep state read and save it around each call, in turns.
 */
import { createHash } from 'node:crypto'
import { type CallParts, callConnector } from './call.ts'
import {
  annotationWarnings,
  combined,
  type ExtensionChange,
  type ExtensionData,
  givenData,
  partedBooking,
  withChange,
} from './extension-data.ts'
import { createGate, type Gate } from './gate.ts'
import type { Manifest } from './manifest.ts'
import { type ModificationResult, modificationOf } from './modification.ts'
import { type RunCall, type RunLine, recordRun } from './record.ts'
import { maxStateBytes } from './run.ts'
import type { RunOutcome } from './sandbox/process.ts'
import { scrubLines } from './scrub.ts'
import { changedState, completeState } from './settings.ts'
import type { Turns } from './turns.ts'

export interface ModifierParts extends CallParts {
  readonly turns: Turns
}

/** One question to one modifier. Columns in the database's words. */
export interface ModifyQuestion {
  readonly modifier: {
    readonly id: string
    /** Changes with the connection and with its connector. */
    readonly version: string
    readonly timeout_ms: number
    readonly concurrency: number
    /** What the editor said of this destination. */
    readonly grant_config: Readonly<Record<string, unknown>>
    /** `implementation@version` */
    readonly connector: string
  }
  readonly session_id: string
  readonly session: {
    readonly team_id: string
    readonly team: string
    readonly team_name: string
    readonly flow: string
    readonly flow_name: string
    readonly kind: 'application' | 'booking'
    readonly payment_id: string | null
    readonly config: Readonly<Record<string, unknown>>
    readonly schema_url: string | null
    /** ISO 8601. */
    readonly submitted_at: string
    readonly trip: { readonly id: string; readonly reference: string; readonly title: string | null } | null
  }
  readonly type: string
  readonly revision: number
  readonly data: unknown
  /** `sessions.connector_data`, as far as it has come. */
  readonly extension: unknown
  readonly attempt: number
}

export interface ModifyAnswer {
  /** The whole data as the modifier wants it; undefined for no change. */
  readonly data?: unknown
  /** It failed, and trying again shortly may help. */
  readonly again: boolean
  /** A row of `connector_runs` to be stored; undefined when it is stored already. */
  readonly run: ModifyRun | undefined
  readonly extension?: ExtensionChange
}

export interface ModifyRun {
  readonly connection_id: string
  readonly attempt: number
  readonly status: 'succeeded' | 'failed'
  readonly message: string | null
  readonly log: readonly RunLine[]
  readonly calls: readonly RunCall[]
  readonly connector: string
  readonly revision: number
  readonly started_at: string
  readonly duration_ms: number
}

export interface ModifierRuns {
  modify(question: ModifyQuestion, signal: AbortSignal): Promise<ModifyAnswer>
  combine(first: unknown, second: unknown): unknown
  apply(extension: unknown, change: unknown): unknown
}

/** Connections whose settings are kept in memory. */
const keptCallees = 500
const mostWords = 4000

/** @example const modifiers = createModifierRuns({ ...callParts, turns }) */
export function createModifierRuns(parts: ModifierParts): ModifierRuns {
  const callees = new Map<string, Promise<Callee | undefined>>()
  const gates = new Map<string, Gate>()

  const calleeOf = ({ id, version }: ModifyQuestion['modifier']): Promise<Callee | undefined> => {
    const key = `${id} ${version}`
    const known = callees.get(key)
    if (known) return known
    const found = readCallee(parts, id)
    const [oldest] = callees.keys()
    if (callees.size >= keptCallees && oldest !== undefined) callees.delete(oldest)
    callees.set(key, found)
    found.catch(() => callees.delete(key))
    return found
  }

  const gateOf = (id: string): Gate => {
    const known = gates.get(id)
    if (known) return known
    if (gates.size >= keptCallees) for (const [each, gate] of gates) if (gate.isEmpty) gates.delete(each)
    const made = createGate()
    gates.set(id, made)
    return made
  }

  return {
    async modify(question, signal) {
      const { modifier } = question
      let begun = performance.now()
      let startedAt = new Date()
      const deadline = begun + modifier.timeout_ms
      const log: RunLine[] = []
      const calls: RunCall[] = []
      const runOf = (result: Pick<ModificationResult, 'succeeded' | 'message'>): ModifyRun => ({
        connection_id: modifier.id,
        attempt: question.attempt,
        status: result.succeeded ? 'succeeded' : 'failed',
        message: result.message,
        log,
        calls,
        connector: modifier.connector,
        revision: question.revision,
        started_at: startedAt.toISOString(),
        duration_ms: Math.round((performance.now() - begun) * 100) / 100,
      })
      const failed = (message: string): ModifyAnswer => ({ again: true, run: runOf({ succeeded: false, message }) })
      try {
        const callee = await calleeOf(modifier)
        if (!callee) return { again: false, run: undefined }
        const leave = await gateOf(modifier.id).enter(callee.keepsState ? 1 : modifier.concurrency, deadline, signal)
        if (!leave)
          return failed('The run did not get its turn in time: earlier runs of this connection took too long.')
        // What it waited for its turn is not of the run.
        begun = performance.now()
        startedAt = new Date()
        try {
          const call = { question, callee, deadline, signal, log, calls, runOf }
          return callee.keepsState ? await callInTurn(parts, call) : await callOnce(parts, call)
        } finally {
          leave()
        }
      } catch (error) {
        if (signal.aborted) return { again: false, run: undefined }
        parts.log.error({ err: error, connection: modifier.id }, 'a modifier could not be run')
        return failed('The run failed for a reason of this installation, which is in its log.')
      }
    },
    combine: (first, second) => combined(first as ExtensionChange | undefined, second as ExtensionChange | undefined),
    apply: (extension, change) => withChange((extension ?? {}) as ExtensionData, change as ExtensionChange | undefined),
  }
}

interface Callee {
  readonly connection: {
    readonly id: string
    readonly settings: Readonly<Record<string, unknown>>
    readonly sealed_settings: Buffer | null
    readonly config: Readonly<Record<string, unknown>>
  }
  readonly connector: { readonly id: string; readonly manifest: Manifest; readonly bundle_sha256: string }
  readonly keepsState: boolean
}

async function readCallee({ database }: ModifierParts, id: string): Promise<Callee | undefined> {
  const { rows } = await database.pool.query<
    Callee['connection'] & { connector_id: string; manifest: Manifest; bundle_sha256: string }
  >({
    name: 'connectors: read modifier',
    text: `select c.id, c.settings, c.sealed_settings, c.config, k.id as connector_id, k.manifest, k.bundle_sha256
             from connections c join connectors k on k.id = c.connector_id where c.id = $1`,
    values: [id],
  })
  const [row] = rows
  if (!row) return undefined
  const { connector_id, manifest, bundle_sha256, ...connection } = row
  return {
    connection,
    connector: { id: connector_id, manifest, bundle_sha256 },
    keepsState: manifest.settings.some(({ type }) => type === 'INTERNAL'),
  }
}

interface OneCall {
  readonly question: ModifyQuestion
  readonly callee: Callee
  readonly deadline: number
  readonly signal: AbortSignal
  readonly log: RunLine[]
  readonly calls: RunCall[]
  runOf(result: Pick<ModificationResult, 'succeeded' | 'message'>): ModifyRun
}

async function callOnce(parts: ModifierParts, call: OneCall): Promise<ModifyAnswer> {
  const { result, extension } = await ask(parts, call, {})
  const change = extension ? { extension } : {}
  return { data: result.data, again: result.again, run: call.runOf(result), ...change }
}

/** State begins as the run before left it, and is saved with the run, before the next run's turn. */
async function callInTurn(parts: ModifierParts, call: OneCall): Promise<ModifyAnswer> {
  const { question, callee, deadline, signal } = call
  const { pool } = parts.database
  const { id } = callee.connection
  const endTurn = await parts.turns.take(id, deadline, signal)
  if (!endTurn) {
    const message = 'The run did not get its turn in time: earlier runs of this connection took too long.'
    return { again: true, run: call.runOf({ succeeded: false, message }) }
  }
  try {
    const { rows } = await pool.query<{ state: Record<string, unknown> }>({
      name: 'connectors: read state',
      text: 'select state from connections where id = $1',
      values: [id],
    })
    const kept = rows[0]?.state
    if (!kept) return { again: false, run: undefined }
    const state = completeState(callee.connector.manifest, kept)
    const { result, outcome, extension } = await ask(parts, call, state)
    if (signal.aborted) return { again: false, run: undefined }
    const { connection_id, connector, attempt, log, calls, duration_ms, started_at, ...run } = call.runOf(result)
    const { saved } = await recordRun(pool, {
      ...{ connection_id, connector, attempt, log, calls, duration_ms },
      delivery_id: null,
      session_id: question.session_id,
      method: 'modify',
      succeeded: run.status === 'succeeded',
      message: run.message,
      revision: question.revision,
      started_at: new Date(started_at),
      stateChange: outcome.ok ? changedState(kept, state, outcome.state) : undefined,
    })
    if (!saved) return { again: true, run: undefined }
    const change = extension ? { extension } : {}
    return { data: result.data, again: result.again, run: undefined, ...change }
  } finally {
    await endTurn()
  }
}

async function ask(
  parts: ModifierParts,
  { question, callee, deadline, signal, log, calls }: OneCall,
  state: Readonly<Record<string, unknown>>,
): Promise<{ result: ModificationResult; outcome: RunOutcome; extension: ExtensionChange | undefined }> {
  const { session, session_id, data, modifier } = question
  const extensionData = givenData(session.kind, data, question.extension)
  const eventConfig = { ...session.config, ...modifier.grant_config }
  const call_id = callId(question)
  const { outcome, scrub, extensionChange } = await callConnector(parts, callee, {
    method: 'modify',
    parameters: [data],
    input: {
      event: {
        id: session_id,
        type: question.type,
        kind: session.kind,
        team: session.team,
        teamName: session.team_name,
        flow: session.flow,
        flowName: session.flow_name,
        paymentID: session.payment_id,
        config: eventConfig,
        schemaUrl: session.schema_url,
        revision: question.revision,
        submittedAt: session.submitted_at,
      },
      trip: session.trip,
      config: { ...eventConfig, ...callee.connection.config },
      state,
      delivery: { id: call_id, attempt: question.attempt },
      extensionData,
      extendsBooking: session.kind === 'booking',
    },
    team_id: session.team_id,
    session_id,
    call_id,
    signal,
    deadline,
    log,
    calls,
  })
  log.splice(0, log.length, ...scrubLines(log, scrub))
  const said = judged(outcome, scrub)
  const { implementation } = callee.connector.manifest
  const parted =
    said.data && session.kind === 'booking'
      ? partedBooking(implementation, said.data, extensionData, data)
      : { booking: said.data, change: undefined, refused: [], fault: undefined }
  const warn = (message: string) => log.push({ at: new Date().toISOString(), level: 'warn', message: scrub(message) })
  for (const message of parted.refused) warn(message)
  if (parted.fault !== undefined) {
    const result = { data: undefined, succeeded: false, again: false, message: parted.fault }
    return { result, outcome, extension: undefined }
  }
  const result = { ...said, data: parted.booking }
  const extension = combined(extensionChange, parted.change)
  if (result.succeeded && extension) {
    const described = { id: session_id, kind: session.kind, data: result.data ?? data }
    for (const message of annotationWarnings(implementation, withChange(extensionData, extension), described)) {
      warn(message)
    }
  }
  return { result, outcome, extension }
}

function judged(outcome: RunOutcome, scrub: (text: string) => string): ModificationResult {
  const none = { data: undefined, succeeded: false } as const
  if (!outcome.ok) {
    if (outcome.failure === 'absent') {
      return { ...none, again: false, message: 'The connector is a modifier, but its code has no function "modify".' }
    }
    return { ...none, again: true, message: scrub(outcome.message).slice(0, mostWords) }
  }
  if (Buffer.byteLength(JSON.stringify(outcome.state)) > maxStateBytes) {
    return { ...none, again: false, message: `The connector's state is larger than ${maxStateBytes} bytes.` }
  }
  const { message, ...result } = modificationOf(outcome.value)
  return { ...result, message: message === null ? null : scrub(message).slice(0, mostWords) }
}

/** The same whenever this modifier is asked about this content, so that receivers can tell a repetition. */
function callId({ modifier, session_id, revision }: ModifyQuestion): string {
  const hex = createHash('sha256').update(`${modifier.id} ${session_id} ${revision}`).digest('hex')
  // RFC 9562, version 8: made of something of our own.
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`
}
