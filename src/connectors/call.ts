/**
 * Calls one function of a connector for one of its connections: settings with their secrets, the bundle, the
 * capabilities, the sandbox. What every kind of run has in common, whatever it is called with and whatever comes of it.
 */
import type { Sealer } from '../access/seal.ts'
import type { Database } from '../database/database.ts'
import type { Egress } from '../egress/egress.ts'
import type { Mailer } from '../egress/mail.ts'
import type { Log } from '../log.ts'
import { createCapabilities } from './capabilities.ts'
import { type Environment, environmentSettings } from './environment.ts'
import { type ExtensionChange, extensionChange } from './extension-data.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Manifest } from './manifest.ts'
import type { RunCall, RunLine } from './record.ts'
import type { RemoteDoors } from './remote-calls.ts'
import { connectionStore, type ObjectStore, sessionFiles } from './run-files.ts'
import type { SandboxPool } from './sandbox/pool.ts'
import { CallRefused, type RunOutcome } from './sandbox/process.ts'
import type { RunInput } from './sandbox/protocol.ts'
import { createScrubber } from './scrub.ts'
import { completeSettings } from './settings.ts'

/** What a process that runs connectors has. */
export interface CallParts {
  readonly database: Database
  readonly sealer: Sealer
  readonly egress: Egress
  /** How mailboxes and file servers are opened. @default through `egress` */
  readonly doors?: RemoteDoors
  readonly mailer: Mailer
  readonly log: Log
  /** The file storage; without it connectors get no files. */
  readonly objects?: ObjectStore
  readonly sandboxes: SandboxPool
  /** Source of the connector's bundle, by its hash. */
  readonly bundles: (connectorId: string, sha256: string) => Promise<string>
  readonly environment: Environment
  /** Tells a connection that it starts, before its first call. @default it is not told */
  readonly lifecycle?: Pick<Lifecycle, 'starting'> | undefined
}

/** Of a connection and its connector, what a call needs. Columns in the database's words. */
export interface Callee {
  readonly connection: {
    readonly id: string
    readonly settings: Readonly<Record<string, unknown>>
    readonly sealed_settings: Buffer | null
  }
  readonly connector: {
    readonly id: string
    readonly manifest: Manifest
    readonly bundle_sha256: string
  }
}

export interface ConnectorCall {
  /** Name of the exported function. @default 'consume' */
  readonly method?: string
  /** What it is called with, before the context; or what makes it of the settings, secrets and all. */
  readonly parameters?: readonly unknown[] | ((settings: Readonly<Record<string, unknown>>) => readonly unknown[])
  /** The context beside `settings` and the capabilities. With `extensionData`, what the function changes of it is told. */
  readonly input: Omit<RunInput, 'settings'>
  /** Whose data it is: the guide's account. */
  readonly team_id: string | null
  /** The session whose files it may open; without it there are none. */
  readonly session_id?: string
  /** The raw source that it is made for, where there is no session yet. */
  readonly source_id?: string
  /** Stays the same when the call is repeated: mails carry it. */
  readonly call_id: string
  readonly signal: AbortSignal
  /** By `performance.now()`. */
  readonly deadline: number
  /** What else it may ask of the host in this call, by kind; an error that is no `CallRefused` is told as INTERNAL. */
  readonly answers?: Readonly<Record<string, (argument: unknown) => Promise<unknown>>>
  /** It answers from what it is given: whatever else it asks of the host is refused. @default false */
  readonly isQuestion?: boolean
  /** Filled while it runs. */
  readonly log: RunLine[]
  readonly calls: RunCall[]
}

export interface CallResult {
  /** A failure also where the extension data that it left cannot be kept. */
  readonly outcome: RunOutcome
  /** What it changed of `input.extensionData`: for `recordRun`, or `merge_extension_data`. Undefined for nothing. */
  readonly extensionChange: ExtensionChange | undefined
  /** Takes the connection's secrets out of a text. */
  readonly scrub: (text: string) => string
}

/** What seals the PASSWORD settings of a connection. */
export const settingsPurpose = 'connection settings'

/** Calls of the host that are kept in the run's row. */
const keptCalls = 200

/** For questions about settings and labels, which are answered from what is given. */
export async function refuseCall(): Promise<never> {
  throw new CallRefused('BLOCKED', 'Nothing can be called here. Use testConnection to try the other side.')
}

/** Never throws for what a connector does. Lines of `log` are as the connector wrote them: `scrubLines` before they are kept. */
export async function callConnector(
  parts: CallParts,
  callee: Callee,
  {
    method,
    parameters,
    input,
    team_id,
    session_id,
    source_id,
    call_id,
    signal,
    deadline,
    answers = {},
    isQuestion = false,
    log,
    calls,
  }: ConnectorCall,
): Promise<CallResult> {
  const starting = parts.lifecycle?.starting(callee, team_id)
  if (starting) await starting
  const { connection, connector } = callee
  const secrets: Record<string, string> = connection.sealed_settings
    ? JSON.parse(parts.sealer.open(connection.sealed_settings, settingsPurpose))
    : {}
  const scrub = createScrubber(Object.values(secrets))
  const bundle = await parts.bundles(connector.id, connector.bundle_sha256)
  const { pool } = parts.database
  let over: AbortController | undefined
  let capabilities: ReturnType<typeof createCapabilities> | undefined
  // Made at the first call: many runs make none.
  const call = (kind: string, argument: unknown): Promise<unknown> => {
    if (isQuestion) return refuseCall()
    over ??= new AbortController()
    capabilities ??= createCapabilities({
      manifest: connector.manifest,
      settings: completeSettings(connector.manifest, connection.settings, {}),
      files:
        parts.objects && session_id
          ? sessionFiles({
              pool,
              objects: parts.objects,
              connection_id: connection.id,
              session_id,
              delivery_id: call_id,
            })
          : undefined,
      store:
        parts.objects &&
        connectionStore({
          pool,
          objects: parts.objects,
          connection_id: connection.id,
          origin_id: session_id ?? source_id,
        }),
      egress: parts.egress,
      ...(parts.doors ? { doors: parts.doors } : {}),
      mailer: parts.mailer,
      log: parts.log,
      deliveryId: call_id,
      deadline,
      signal: AbortSignal.any([over.signal, signal]),
      scrub,
      note: (each) => {
        if (calls.length < keptCalls) calls.push(each)
      },
    })
    return capabilities(kind, argument)
  }
  const settings = {
    ...completeSettings(connector.manifest, connection.settings, secrets),
    ...environmentSettings(parts.environment, connection.id, team_id),
  }
  try {
    const outcome = await parts.sandboxes.run({
      key: `${connection.id} ${connector.bundle_sha256}`,
      bundle,
      ...(method === undefined ? {} : { method }),
      ...(parameters === undefined
        ? {}
        : { parameters: typeof parameters === 'function' ? parameters(settings) : parameters }),
      timeoutMs: Math.max(1, deadline - performance.now()),
      signal,
      input: { ...input, settings },
      host: {
        call: (kind, argument) =>
          (Object.hasOwn(answers, kind) ? answers[kind]?.(argument) : undefined) ?? call(kind, argument),
        log: (level, message) => log.push({ at: new Date().toISOString(), level, message }),
      },
    })
    const left = outcome.ok && input.extensionData ? outcome.extensionData : undefined
    const { change, refused, fault } = extensionChange(
      connector.manifest.implementation,
      input.extensionData ?? {},
      left,
    )
    for (const message of refused) log.push({ at: new Date().toISOString(), level: 'warn', message })
    if (fault !== undefined) {
      return { outcome: { ok: false, failure: 'threw', message: fault }, extensionChange: undefined, scrub }
    }
    return { outcome, extensionChange: change, scrub }
  } finally {
    over?.abort()
  }
}
