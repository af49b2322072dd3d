/** What a worker does for gateways: installs packages, asks connectors about settings and labels, tests connections. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { LeasedDelivery } from '../delivery/carrier.ts'
import { SluiceError } from '../errors.ts'
import { keepLabels } from './annotations.ts'
import { bundleApart } from './bundle-apart.ts'
import { type Callee, type CallResult, type ConnectorCall, callConnector, refuseCall } from './call.ts'
import { bundleCache } from './carrier.ts'
import { parseFixtures } from './dry-run.ts'
import { type LocaleTexts, labelIn, textsFor } from './locales.ts'
import type { Manifest } from './manifest.ts'
import { fetchNpmPackage, parseNpmReference } from './npm-package.ts'
import { type InstalledConnector, installConnector } from './registry.ts'
import { type DryRun, type RunParts, runDry } from './run.ts'
import { createSandboxPool } from './sandbox/pool.ts'
import type { RunHost, RunOutcome } from './sandbox/process.ts'
import { createScrubber } from './scrub.ts'
import { unpackTarball } from './tarball.ts'
import type { TaskHandlers } from './task-runner.ts'
import { createTurns } from './turns.ts'

export interface InstallTask {
  /** A tarball in base64. */
  readonly tarball?: string | undefined
  /** `npm:name@version` */
  readonly reference?: string | undefined
}

export interface ValidateTask {
  readonly connector_id: string
  readonly values: Readonly<Record<string, unknown>>
  readonly locale: string
}

export interface LabelTask {
  readonly connector_id: string
  readonly key: string
  readonly locale: string
}

/** Several keys of one version, whose labels are kept. */
export interface LabelsTask {
  readonly connector_id: string
  readonly keys: readonly string[]
  readonly locale: string
}

export interface TestTask {
  readonly connection_id: string
  readonly locale: string
}

export interface AccountTask {
  readonly connector_id: string
  /** An inbound payload, in base64. */
  readonly content: string
}

/** The setting, and its value, by which an inbound payload names its connection; null when it names none. */
export interface Account {
  readonly key: string
  readonly value: string
}

export interface ConnectionTest {
  readonly ok: boolean
  /** What the connector says, secrets taken out. */
  readonly message: string | null
  /** Whether it has a `testConnection`; without, only its settings were checked. */
  readonly tested: boolean
  readonly duration_ms: number
}

export interface DryRunTask {
  readonly connection_id: string
  readonly session_id: string
  readonly fixtures: unknown
  /** What the connector is called as. By default a consumer, if it is one. */
  readonly kind?: 'consumer' | 'modifier' | null
}

export type TaskParts = Pick<
  RunParts,
  'database' | 'sealer' | 'egress' | 'mailer' | 'log' | 'environment' | 'retentionAfterRetrievalDays'
> & {
  /** Where npm packages come from; undefined when the operator allows none. */
  readonly registry: string | undefined
}

const questionMs = 10_000
/** Answers and messages of connectors that are shown. */
const mostWords = 2000

/** Sandboxes of their own, so that a person's question does not wait for deliveries. */
export function createTaskHandlers(parts: TaskParts): { handlers: TaskHandlers; close(): Promise<void> } {
  const { database } = parts
  const sandboxes = createSandboxPool({ maxProcesses: 4, idleMs: 5000 })
  const bundles = bundleCache(database.pool)
  const runParts: RunParts = {
    ...parts,
    sandboxes,
    bundles,
    turns: createTurns(database.pool),
    stateful: new Map(),
  }

  const install = async ({ tarball, reference }: InstallTask): Promise<InstalledConnector> => {
    const packed = reference
      ? await fetchNpmPackage(parts.egress, parts.registry, parseNpmReference(reference))
      : Buffer.from(tarball ?? '', 'base64')
    const folder = await mkdtemp(path.join(await realpath(tmpdir()), 'sluice-package-'))
    try {
      const root = await unpackTarball(packed, folder)
      return await installConnector({ database, sandboxes, bundle: bundleApart, source: reference ?? 'tarball' }, root)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  const call = async (
    connector: ConnectorRow,
    question: { readonly method: string; readonly parameters: readonly unknown[]; readonly host?: RunHost },
    signal: AbortSignal,
  ): Promise<RunOutcome> =>
    sandboxes.run({
      key: `question ${connector.id} ${connector.bundle_sha256}`,
      bundle: await bundles(connector.id, connector.bundle_sha256),
      input: {},
      host: silent,
      timeoutMs: questionMs,
      signal,
      ...question,
    })

  const validate = async (task: ValidateTask, signal: AbortSignal): Promise<string | null> => {
    const connector = await findConnector(database.pool, task.connector_id)
    const parameters = [task.values, task.locale]
    const secrets = Object.values(task.values).filter((each) => typeof each === 'string')
    return complaintOf(
      await call(connector, { method: 'validateSettings', parameters }, signal),
      createScrubber(secrets.filter((each) => each.length >= 8)),
    )
  }

  const label = async ({ connector_id, key, locale }: LabelTask, signal: AbortSignal): Promise<string> => {
    const connector = await findConnector(database.pool, connector_id)
    return (await labelFrom(connector, key, locale, signal)).label
  }

  const labelFrom = async (
    connector: ConnectorRow,
    key: string,
    locale: string,
    signal: AbortSignal,
  ): Promise<{ readonly label: string; readonly isSaid: boolean }> => {
    const outcome = await call(connector, { method: 'getLabelForKey', parameters: [key, locale] }, signal)
    const said = outcome.ok && typeof outcome.value === 'string' ? outcome.value.slice(0, 500) : undefined
    const { manifest, locales } = connector
    const label = said ?? labelIn(manifest, textsFor(locales, locale, manifest.defaultLocale), key) ?? key
    return { label, isSaid: outcome.ok || outcome.failure === 'absent' }
  }

  /** One after the other: it is one process that is asked. What it did not say in time is asked again another time. */
  const labels = async (
    { connector_id, keys, locale }: LabelsTask,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, string>>> => {
    const connector = await findConnector(database.pool, connector_id)
    const said: [string, string][] = []
    for (const key of keys) {
      const { label: found, isSaid } = await labelFrom(connector, key, locale, signal)
      if (signal.aborted) break
      if (isSaid) said.push([key, found])
    }
    const found = Object.fromEntries(said)
    await keepLabels(database.pool, { connector_id, locale }, found)
    return found
  }

  const account = async ({ connector_id, content }: AccountTask, signal: AbortSignal): Promise<Account | null> => {
    const connector = await findConnector(database.pool, connector_id)
    const parameters = [new Uint8Array(Buffer.from(content, 'base64'))]
    const outcome = await call(connector, { method: 'getAccountMetadata', parameters }, signal)
    // Whose it is cannot be said, by whatever the sender sent: that is an answer.
    if (!outcome.ok) return null
    const { settingItemKey: key, settingItemValue: value } = Object(outcome.value) as Record<string, unknown>
    return typeof key === 'string' && (typeof value === 'string' || typeof value === 'number')
      ? { key, value: String(value) }
      : null
  }

  const test = async ({ connection_id, locale }: TestTask, signal: AbortSignal): Promise<ConnectionTest> => {
    const begun = performance.now()
    const found = await findConnection(database.pool, connection_id)
    const { connector } = found
    if (connector.status !== 'approved') {
      const message = `The connector ${connector.implementation}@${connector.version} is ${connector.status}. An admin must approve it before it runs.`
      return { ok: false, tested: false, message, duration_ms: 0 }
    }
    // As it would be in a run, but for mails, and for files, of which there are none without a session.
    const ask = (question: Pick<ConnectorCall, 'method' | 'isQuestion'>, ms: number): Promise<CallResult> =>
      callConnector({ ...runParts, mailer: noMail }, found, {
        ...question,
        parameters: (settings) => [settings, locale],
        input: {},
        team_id: found.connection.team_id,
        call_id: connection_id,
        signal,
        deadline: performance.now() + ms,
        log: [],
        calls: [],
      })
    const answered = (ok: boolean, tested: boolean, message: string | null): ConnectionTest => ({
      ok,
      tested,
      message: message?.slice(0, mostWords) ?? null,
      duration_ms: Math.round(performance.now() - begun),
    })
    const asked = await ask({ method: 'validateSettings', isQuestion: true }, questionMs)
    const complaint = complaintOf(asked.outcome, asked.scrub)
    if (complaint !== null) return answered(false, false, complaint)
    const { outcome, scrub } = await ask({ method: 'testConnection' }, questionMs * 2)
    if (outcome.ok) return answered(true, true, typeof outcome.value === 'string' ? scrub(outcome.value) : null)
    if (outcome.failure !== 'absent') return answered(false, true, scrub(outcome.message))
    return answered(true, false, 'The settings are valid. This connector has no test of its own; try a dry run.')
  }

  const dryRun = async (task: DryRunTask, signal: AbortSignal): Promise<DryRun> => {
    const fixtures = parseFixtures(task.fixtures)
    const delivery = await pretendDelivery(database.pool, task.connection_id, task.session_id)
    const run = await runDry(runParts, delivery, fixtures, signal, task.kind ?? undefined)
    if (!run) throw new SluiceError('NOT_FOUND', `There is no connection ${task.connection_id}.`)
    return run
  }

  return {
    handlers: { install, validate, label, labels, account, test, dry_run: dryRun },
    close: () => sandboxes.close(),
  }
}

interface ConnectorRow {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly status: string
  readonly manifest: Manifest
  readonly locales: Readonly<Record<string, LocaleTexts>>
  readonly bundle_sha256: string
}

const connectorColumns = `jsonb_build_object('id', k.id, 'implementation', k.implementation, 'version', k.version,
  'status', k.status, 'manifest', k.manifest, 'locales', k.locales, 'bundle_sha256', k.bundle_sha256) as connector`

async function findConnector(pool: RunParts['database']['pool'], id: string): Promise<ConnectorRow> {
  const { rows } = await pool.query<{ connector: ConnectorRow }>(
    `select ${connectorColumns} from connectors k where k.id = $1 and k.uninstalled_at is null`,
    [id],
  )
  if (!rows[0]) throw new SluiceError('NOT_FOUND', `There is no connector ${id}. It may have been uninstalled.`)
  return rows[0].connector
}

interface ConnectionRow extends Callee {
  readonly connection: Callee['connection'] & { readonly team_id: string | null }
  readonly connector: ConnectorRow
}

async function findConnection(pool: RunParts['database']['pool'], id: string): Promise<ConnectionRow> {
  const { rows } = await pool.query<ConnectionRow['connection'] & Pick<ConnectionRow, 'connector'>>(
    `select c.id, c.team_id, c.settings, c.sealed_settings, ${connectorColumns}
       from connections c join connectors k on k.id = c.connector_id where c.id = $1`,
    [id],
  )
  if (!rows[0]) throw new SluiceError('NOT_FOUND', `There is no connection ${id}.`)
  const { connector, ...connection } = rows[0]
  return { connection, connector }
}

/** What the engine would hand over, of the session's newest event. Its id is of no row. */
async function pretendDelivery(
  pool: RunParts['database']['pool'],
  connection_id: string,
  session_id: string,
): Promise<LeasedDelivery> {
  const { rows } = await pool.query<Omit<LeasedDelivery, 'id' | 'kind'>>(
    `select c.id as target_id, '' as target_version, s.team_id, c.integration_id, s.id as session_id, 1 as attempt,
            least(c.timeout_ms, 25000) as timeout_ms, 1 as concurrency,
            jsonb_build_object('id', coalesce(e.id, s.id), 'type', coalesce(e.type, 'session.submitted'),
              'session_id', s.id, 'team', t.slug, 'flow', f.slug, 'payment_id', s.payment_id,
              'config', coalesce(e.config, s.config), 'created_at', coalesce(e.created_at, s.submitted_at)) as event
       from connections c
      cross join sessions s
       join teams t on t.id = s.team_id
       join flows f on f.id = s.flow_id
       left join lateral (select * from session_events e where e.session_id = s.id order by e.position desc limit 1) e on true
      where c.id = $1 and s.id = $2`,
    [connection_id, session_id],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', 'There is no such connection or session.')
  return { ...found, id: randomUUID(), kind: 'connection' }
}

/** A connector says no by throwing, or by returning a text. */
function complaintOf(outcome: RunOutcome, scrub: (text: string) => string): string | null {
  if (!outcome.ok) return outcome.failure === 'absent' ? null : scrub(outcome.message).slice(0, mostWords)
  return typeof outcome.value === 'string' && outcome.value.trim() !== ''
    ? scrub(outcome.value.trim()).slice(0, mostWords)
    : null
}

/** Questions are answered from what is given. */
const silent: RunHost = { call: refuseCall, log: () => undefined }

const noMail = {
  async send(): Promise<never> {
    throw new SluiceError('VALIDATION_FAILED', 'A test of a connection sends no mail.')
  },
  close: async () => undefined,
}
