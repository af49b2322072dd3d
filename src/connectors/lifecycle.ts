/**
 * Tells connectors that a connection starts and stops in this worker. A connection is
 * - **unknown** until its first run is about to begin;
 * - **started** from then on: its `onStarting` is called, and that first run waits for it, 2 s at most;
 * - **stopped**, and unknown again, when it is disabled or gone, or another version of its connector took its place:
 *   then its `onStopping` is called. The end of the worker stops all of them, at the same time.
 *
 * What these functions throw is listed as a failed run of theirs, and keeps nothing from running. Connectors without
 * them, which are nearly all, cost one look at their names of functions for each version.
 */
import { randomUUID } from 'node:crypto'
import { messageOf } from '../errors.ts'
import { type Callee, type CallParts, callConnector } from './call.ts'
import { bundleCache } from './carrier.ts'
import { environmentSettings } from './environment.ts'
import { type RunCall, type RunLine, recordRun } from './record.ts'
import { createSandboxPool } from './sandbox/pool.ts'
import { scrubLines } from './scrub.ts'

export interface Lifecycle {
  /** Call before every run. Undefined when there is nothing to wait for. */
  starting(callee: Callee, teamId: string | null): Promise<void> | undefined
  /** Stops those of the given connections that are started. */
  stop(connectionIds: readonly string[]): Promise<void>
  /** Stops all, and the sandboxes. */
  close(): Promise<void>
}

export interface LifecycleOptions extends Omit<CallParts, 'sandboxes' | 'bundles' | 'lifecycle'> {
  /** For one call. @default 2000 */
  readonly callMs?: number
  /** How often it looks which connections were disabled, while any has an `onStopping`. @default 5000 */
  readonly lookMs?: number
}

/** The names that each has: ours, and the guide's. */
const names = {
  starting: ['onStarting', 'onFunnelStarting'],
  stopping: ['onStopping', 'onFunnelStopping'],
} as const

interface Started {
  readonly callee: Callee
  readonly teamId: string | null
  readonly bundle: string
  readonly begun: Promise<void>
  isBegun: boolean
  /** Name of its function; undefined without. */
  stopping: string | undefined
}

/**
 * @throws SluiceError CONFIGURATION when Deno is not installed.
 * @example
 * const lifecycle = createLifecycle({ database, sealer, egress, mailer, log, environment })
 * await lifecycle.starting(callee, teamId)
 * await lifecycle.close()
 */
export function createLifecycle({ callMs = 2000, lookMs = 5000, ...options }: LifecycleOptions): Lifecycle {
  const { pool } = options.database
  const { log } = options
  const sandboxes = createSandboxPool({ maxProcesses: 4, idleMs: 1000 })
  const parts: CallParts = { ...options, sandboxes, bundles: bundleCache(pool) }
  const started = new Map<string, Started>()
  /** By version of a connector, which keeps its functions for ever. */
  const functions = new Map<string, Promise<readonly string[]>>()
  let timer: NodeJS.Timeout | undefined
  let closed = false

  const functionsOf = (connectorId: string): Promise<readonly string[]> => {
    const known = functions.get(connectorId) ?? readFunctions(parts, connectorId)
    functions.set(connectorId, known)
    known.catch(() => functions.delete(connectorId))
    return known
  }
  const begin = async (entry: Started): Promise<void> => {
    const { callee, teamId } = entry
    try {
      const found = await functionsOf(callee.connector.id)
      const method = names.starting.find((name) => found.includes(name))
      const stopping = names.stopping.find((name) => found.includes(name))
      if (method) await notify(parts, { callee, teamId, method, callMs })
      entry.stopping = stopping
      if (stopping && !closed) timer ??= setInterval(() => void lookForDisabled(), lookMs).unref()
    } catch (error) {
      log.warn({ error: messageOf(error), connection: callee.connection.id }, 'a connector was not told that it starts')
    } finally {
      entry.isBegun = true
    }
  }
  const end = async (entry: Started): Promise<void> => {
    await entry.begun
    const { callee, teamId, stopping: method } = entry
    if (!method) return
    await notify(parts, { callee, teamId, method, callMs }).catch((error) =>
      log.warn({ error: messageOf(error), connection: callee.connection.id }, 'a connector was not told that it stops'),
    )
  }
  const stopAll = async (ids: readonly string[]): Promise<void> => {
    const leaving = ids.flatMap((id) => {
      const entry = started.get(id)
      started.delete(id)
      return entry ? [entry] : []
    })
    await Promise.all(leaving.map((entry) => end(entry)))
  }
  const lookForDisabled = async (): Promise<void> => {
    try {
      const ids = [...started].filter(([, { stopping }]) => stopping).map(([id]) => id)
      if (ids.length > 0) await stopAll(await disabledOf(parts, ids))
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'disabled connections could not be looked for')
    }
  }

  return {
    starting(callee, teamId) {
      const { id } = callee.connection
      const bundle = callee.connector.bundle_sha256
      const known = started.get(id)
      if (known?.bundle === bundle) return known.isBegun ? undefined : known.begun
      if (closed) return undefined
      // The version before it is told in its own time.
      if (known) void end(known)
      const { promise: begun, resolve } = Promise.withResolvers<void>()
      const entry: Started = { callee, teamId, bundle, begun, isBegun: false, stopping: undefined }
      started.set(id, entry)
      void begin(entry).finally(resolve)
      return begun
    },
    stop: stopAll,
    async close() {
      closed = true
      clearInterval(timer)
      await stopAll([...started.keys()])
      await sandboxes.close()
    },
  }
}

interface Notice {
  readonly callee: Callee
  readonly teamId: string | null
  readonly method: string
  readonly callMs: number
}

/** Only what fails leaves a run behind. */
async function notify(parts: CallParts, { callee, teamId, method, callMs }: Notice): Promise<void> {
  const { connection, connector } = callee
  const startedAt = new Date()
  const begun = performance.now()
  const log: RunLine[] = []
  const calls: RunCall[] = []
  const { outcome, scrub } = await callConnector(parts, callee, {
    method,
    parameters: [environmentSettings(parts.environment, connection.id, teamId)],
    input: {},
    team_id: teamId,
    call_id: randomUUID(),
    signal: new AbortController().signal,
    deadline: begun + callMs,
    log,
    calls,
  })
  if (outcome.ok) return
  await recordRun(parts.database.pool, {
    connection_id: connection.id,
    delivery_id: null,
    session_id: null,
    method,
    connector: `${connector.manifest.implementation}@${connector.manifest.version}`,
    revision: null,
    attempt: 1,
    succeeded: false,
    message: scrub(outcome.message),
    log: scrubLines(log, scrub),
    calls,
    started_at: startedAt,
    duration_ms: Math.round((performance.now() - begun) * 100) / 100,
    stateChange: undefined,
  })
}

async function readFunctions({ database }: CallParts, connectorId: string): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ functions: string[] }>(
    'select functions from connectors where id = $1',
    [connectorId],
  )
  return rows[0]?.functions ?? []
}

/** Those that will not run any more: switched off by hand, with their integration or connector, or deleted. */
async function disabledOf({ database }: CallParts, ids: readonly string[]): Promise<readonly string[]> {
  const { rows } = await database.pool.query<{ id: string }>({
    name: 'connectors: disabled ones of these',
    text: `
      select wanted.id from unnest($1::uuid[]) as wanted(id)
       where not exists (
         select from connections c
           join integrations i on i.id = c.integration_id and i.status = 'active'
           join connectors k on k.id = c.connector_id and k.status = 'approved'
          where c.id = wanted.id and c.enabled and not (c.health = 'disabled' and c.probe_at is null))`,
    values: [ids],
  })
  return rows.map(({ id }) => id)
}
