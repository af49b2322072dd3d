/** Connects integrations to approved versions of connectors, sets their settings, and moves them to other versions. */
import type { Sealer } from '../access/seal.ts'
import type { Database } from '../database/database.ts'
import type { Prisma } from '../database/generated/prisma/client.ts'
import { SluiceError } from '../errors.ts'
import { defaultEvents } from '../tables/event-shape.ts'
import { settingsPurpose } from './call.ts'
import { checkConnectionRow, checkPlan } from './connection-rules.ts'
import { allowedHosts, hostIn, type ReachRules, refusalOf, settingsThatNameHosts } from './hosts.ts'
import type { Manifest } from './manifest.ts'
import { differenceOf, type UpgradeDifference } from './permission-sentences.ts'
import { type ConnectorStatus, requireUuid, stoppedByReview } from './registry.ts'
import { nextRun } from './schedule.ts'
import { checkSettings, completeSettings, named } from './settings.ts'

/** Settings that our own rules allow, for the connector to say what it thinks of them. */
export interface SettingsQuestion {
  readonly connector_id: string
  /** With defaults, and with secrets in the clear. */
  readonly values: Readonly<Record<string, unknown>>
  readonly locale: string
}

export interface ConnectionParts {
  readonly database: Database
  readonly sealer: Sealer
  /**
   * Asks the connector's own `validateSettings`, in a sandbox.
   *
   * @returns what is wrong, in the connector's words; null when nothing is.
   * @default not asked
   */
  readonly validate?: (question: SettingsQuestion) => Promise<string | null>
  /** Which hosts settings may name. @default public ones, over https */
  readonly reach?: ReachRules
}

export interface ConnectInput {
  readonly integration_id: string
  /** `implementation@version`, or the connector's id. */
  readonly connector: string
  readonly name: string
  /** Values of the manifest's settings; PASSWORD ones are sealed. */
  readonly settings?: Readonly<Record<string, unknown>> | null
  /** Which events it gets; `{}` for all. */
  readonly pattern?: unknown
  /** Handed to every run, over the event's own config. */
  readonly config?: Readonly<Record<string, unknown>> | null
  readonly events?: readonly string[] | null
  readonly ordered?: boolean | null
  readonly rate_per_second?: number | null
  readonly concurrency?: number | null
  readonly timeout_ms?: number | null
  readonly enabled?: boolean | null
  /** The flow whose sessions a producer makes. */
  readonly flow_id?: string | null
  /** Cron expression; without it a producer runs on demand. */
  readonly schedule?: string | null
  /** IANA name, for the schedule. @default 'UTC' */
  readonly time_zone?: string | null
  /** Modifiers of a session run in this order. @default 0 */
  readonly run_order?: number | null
  /** In which messages of the connector are wanted. @default 'en' */
  readonly locale?: string | null
}

/**
 * Connects an integration to an approved connector.
 *
 * @returns the connection's id.
 * @throws SluiceError VALIDATION_FAILED, NOT_FOUND, CONFLICT (not approved).
 */
export async function connect(parts: ConnectionParts, input: ConnectInput): Promise<{ readonly id: string }> {
  const { database, sealer } = parts
  const connector = await findConnector(database, input.connector)
  const row = {
    name: input.name.trim(),
    config: input.config ?? {},
    pattern: input.pattern ?? {},
    events: [...(input.events ?? defaultEvents)],
    ordered: input.ordered ?? false,
    rate_per_second: input.rate_per_second ?? null,
    concurrency: input.concurrency ?? usualConcurrency(connector.manifest),
    timeout_ms: input.timeout_ms ?? 60_000,
    schedule: input.schedule ?? null,
    time_zone: input.time_zone ?? 'UTC',
    run_order: input.run_order ?? 0,
  }
  checkConnectionRow(row)
  const integration = await database.prisma.integration.findUnique({
    where: { id: requireUuid(input.integration_id, 'integration') },
    select: { team_id: true },
  })
  if (!integration) {
    throw new SluiceError('NOT_FOUND', `There is no integration ${input.integration_id}.`, { path: 'integration_id' })
  }
  const flow_id = input.flow_id == null ? null : requireUuid(input.flow_id, 'flow')
  const flow = flow_id && (await database.prisma.flow.findUnique({ where: { id: flow_id }, select: { team_id: true } }))
  checkPlan({
    ...row,
    flow_id,
    kinds: connector.manifest.kinds,
    ...integration,
    flow_team_id: flow ? flow.team_id : null,
  })
  const kept = await checkedSettings(parts, connector, input.settings ?? {}, input.locale)
  return database.prisma.connection.create({
    data: {
      ...row,
      config: row.config as Prisma.InputJsonValue,
      pattern: row.pattern as Prisma.InputJsonValue,
      enabled: input.enabled ?? true,
      flow_id,
      next_run_at: nextRun(row, new Date()),
      integration_id: input.integration_id,
      team_id: integration.team_id,
      connector_id: connector.id,
      settings: kept.settings,
      hosts: [...kept.hosts],
      ...sealed(sealer, kept.secrets),
    },
    select: { id: true },
  })
}

export interface SettingsChange {
  readonly id: string
  /** What is left out stays as it is; null takes a value away. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly locale?: string | null
}

/** What people may see of a connection's settings. */
export interface ShownSettings {
  readonly id: string
  readonly settings: Readonly<Record<string, unknown>>
  /** Keys of secret ones that have a value. */
  readonly secret_settings: readonly string[]
  /** What it may call now. */
  readonly hosts: readonly string[]
}

/** @throws SluiceError VALIDATION_FAILED, NOT_FOUND, CONFLICT (somebody else changed it meanwhile). */
export async function updateConnectionSettings(parts: ConnectionParts, change: SettingsChange): Promise<ShownSettings> {
  const { database, sealer } = parts
  const connection = await findConnection(parts, change.id)
  const given = { ...connection.settings, ...connection.secrets, ...record(change.settings) }
  const kept = await checkedSettings(parts, connection.connector, given, change.locale)
  const secrets = sealed(sealer, kept.secrets)
  const { count } = await database.prisma.connection.updateMany({
    where: { id: connection.id, updated_at: connection.updated_at, connector_id: connection.connector.id },
    data: { settings: kept.settings, hosts: [...kept.hosts], ...secrets },
  })
  if (count === 0) throw changedMeanwhile()
  const { settings, hosts } = kept
  return { id: connection.id, settings, secret_settings: secrets.secret_settings, hosts }
}

export interface UpgradeInput {
  readonly id: string
  readonly connector_id: string
  /** Values for what the new version needs, as in an update of settings. */
  readonly settings?: Readonly<Record<string, unknown>> | null
  /** An admin agrees to what the new version may do beyond the old one. */
  readonly accept_widened?: boolean | null
  readonly locale?: string | null
}

export interface UpgradeResult {
  readonly id: string
  readonly upgraded: boolean
  /** Why it was not, and what happens next. */
  readonly message: string | null
  readonly difference: UpgradeDifference
}

/** @throws SluiceError NOT_FOUND, CONFLICT (another connector). */
export async function previewUpgrade(
  parts: ConnectionParts,
  { id, connector_id }: Pick<UpgradeInput, 'id' | 'connector_id'>,
): Promise<UpgradeDifference> {
  const connection = await findConnection(parts, id)
  const target = await findTarget(parts.database, connection, connector_id)
  return differenceOf(connection.connector.manifest, target.manifest, givenKeys(connection))
}

/**
 * Moves a connection to another version of its connector; an older one too.
 * Settings that the version no longer has are dropped, state is kept. What may
 * do more than before waits until an admin agrees.
 *
 * @param mayAccept whether the caller's agreement counts.
 * @throws SluiceError NOT_FOUND, CONFLICT (not approved, or another connector), VALIDATION_FAILED (settings).
 */
export async function upgradeConnection(
  parts: ConnectionParts,
  input: UpgradeInput,
  mayAccept: boolean,
): Promise<UpgradeResult> {
  const { pool } = parts.database
  const connection = await findConnection(parts, input.id)
  const target = await findTarget(parts.database, connection, input.connector_id)
  requireRunnable(target)
  const difference = differenceOf(connection.connector.manifest, target.manifest, givenKeys(connection))
  const { id } = connection
  if (difference.widens && !(mayAccept && input.accept_widened)) {
    await pool.query(
      'update connections set requested_connector_id = $2 where id = $1 and requested_connector_id is distinct from $2',
      [id, target.id],
    )
    const more = [...difference.permissions_added, ...difference.kinds_added.map((kind) => `Becomes a ${kind}`)]
    const who = mayAccept ? 'Repeat this with accept_widened: true to agree.' : 'An admin was asked to agree.'
    return { id, upgraded: false, message: `The new version may do more: ${more.join(', ')}. ${who}`, difference }
  }
  const known = new Set(target.manifest.settings.filter(({ type }) => type !== 'INTERNAL').map(({ key }) => key))
  const carried = Object.fromEntries(
    Object.entries({ ...connection.settings, ...connection.secrets }).filter(([key]) => known.has(key)),
  )
  const kept = await checkedSettings(parts, target, { ...carried, ...record(input.settings ?? {}) }, input.locale)
  const { sealed_settings, secret_settings } = sealed(parts.sealer, kept.secrets)
  const { rowCount } = await pool.query(
    `update connections c
        set connector_id = $3, requested_connector_id = null, settings = $4::jsonb, sealed_settings = $5,
            secret_settings = $6, hosts = $8, updated_at = now(),
            health = case when ${stoppedByReview('c')} then 'active' else c.health end,
            disabled_at = case when ${stoppedByReview('c')} then null else c.disabled_at end,
            failing_since = case when ${stoppedByReview('c')} then null else c.failing_since end,
            consecutive_failures = case when ${stoppedByReview('c')} then 0 else c.consecutive_failures end,
            state_reason = case when ${stoppedByReview('c')} then null else c.state_reason end
      where c.id = $1 and c.connector_id = $2 and date_trunc('milliseconds', c.updated_at) = $7
        and exists (select from connectors k where k.id = $3 and k.status = 'approved')`,
    [
      id,
      connection.connector.id,
      target.id,
      JSON.stringify(kept.settings),
      sealed_settings && Buffer.from(sealed_settings),
      secret_settings,
      connection.updated_at,
      kept.hosts,
    ],
  )
  if (rowCount === 0) throw changedMeanwhile()
  return { id, upgraded: true, message: null, difference }
}

interface Connector {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly status: ConnectorStatus
  readonly manifest: Manifest
  readonly functions: readonly string[]
}

interface FoundConnection {
  readonly id: string
  readonly updated_at: Date
  readonly settings: Readonly<Record<string, unknown>>
  readonly secrets: Readonly<Record<string, string>>
  readonly connector: Connector
}

const connectorFields = {
  id: true,
  implementation: true,
  version: true,
  status: true,
  manifest: true,
  functions: true,
} as const

async function findConnection({ database, sealer }: ConnectionParts, id: string): Promise<FoundConnection> {
  const found = await database.prisma.connection.findUnique({
    where: { id: requireUuid(id, 'connection') },
    select: {
      id: true,
      updated_at: true,
      settings: true,
      sealed_settings: true,
      connector: { select: connectorFields },
    },
  })
  if (!found) throw new SluiceError('NOT_FOUND', `There is no connection ${id}.`)
  return {
    ...found,
    settings: found.settings as Record<string, unknown>,
    secrets: openSettings(sealer, found.sealed_settings),
    connector: found.connector as unknown as Connector,
  }
}

/** @param sealed `connections.sealed_settings` */
export function openSettings(sealer: Sealer, sealedSettings: Uint8Array | null): Readonly<Record<string, string>> {
  return sealedSettings ? JSON.parse(sealer.open(sealedSettings, settingsPurpose)) : {}
}

async function findTarget(database: Database, { connector }: FoundConnection, id: string): Promise<Connector> {
  const target = (await database.prisma.connector.findUnique({
    where: { id: requireUuid(id, 'connector') },
    select: connectorFields,
  })) as unknown as Connector | null
  if (!target) throw new SluiceError('NOT_FOUND', `There is no connector ${id}. Install it first.`)
  if (target.implementation !== connector.implementation) {
    throw new SluiceError(
      'CONFLICT',
      `This connection uses ${connector.implementation}, and ${id} is ${target.implementation}. Connect it anew instead.`,
    )
  }
  return target
}

/** Somebody waits for a modifier, and what it makes of one session does not depend on another, unless it keeps state. */
function usualConcurrency({ kinds, settings }: Manifest): number {
  return kinds.every((kind) => kind === 'modifier') && !settings.some(({ type }) => type === 'INTERNAL') ? 4 : 1
}

async function findConnector(database: Database, which: string): Promise<Connector> {
  const at = which.lastIndexOf('@')
  // A scoped npm name begins with an @ of its own.
  const where =
    at > 0
      ? { implementation_version: { implementation: which.slice(0, at), version: which.slice(at + 1) } }
      : { id: requireUuid(which, 'connector', 'Write implementation@version or its id.') }
  const found = await database.prisma.connector.findUnique({ where, select: connectorFields })
  if (!found) {
    throw new SluiceError('NOT_FOUND', `There is no connector ${which}. Install it first.`, { path: 'connector' })
  }
  const connector = found as unknown as Connector
  requireRunnable(connector)
  return connector
}

function requireRunnable({ implementation, version, status }: Connector): void {
  const name = `${implementation}@${version}`
  if (status !== 'approved') {
    throw new SluiceError('CONFLICT', `${name} is ${status}. An admin must approve it first.`, { path: 'connector' })
  }
}

/** Our own rules first, then the connector's, which may rely on ours. */
async function checkedSettings(
  { validate, reach }: ConnectionParts,
  { id, manifest, functions }: Connector,
  given: Readonly<Record<string, unknown>>,
  locale: string | null | undefined,
) {
  const kept = checkSettings(manifest, given)
  const open = completeSettings(manifest, kept.settings, {})
  await checkReach(manifest, open, reach)
  // Empty for a version that was installed before exports were noted.
  if (validate && (functions.length === 0 || functions.includes('validateSettings'))) {
    const values = completeSettings(manifest, kept.settings, kept.secrets)
    const wrong = await validate({ connector_id: id, values, locale: locale ?? 'en' })
    if (wrong !== null) throw new SluiceError('VALIDATION_FAILED', wrong, { path: 'settings' })
  }
  return { ...kept, hosts: allowedHosts(manifest, open) }
}

/** @throws SluiceError VALIDATION_FAILED for a setting that names a host which no run could call. */
async function checkReach(
  manifest: Manifest,
  values: Readonly<Record<string, unknown>>,
  rules: ReachRules = {},
): Promise<void> {
  const faults: string[] = []
  for (const item of settingsThatNameHosts(manifest)) {
    const found = hostIn(values[item.key])
    const refusal = 'url' in found ? await refusalOf(found.url, rules) : undefined
    if (refusal) faults.push(`${named(item)}: ${refusal}`)
  }
  if (faults.length === 0) return
  throw new SluiceError('VALIDATION_FAILED', faults.join('\n'), { path: 'settings', details: { faults } })
}

function sealed(sealer: Sealer, secrets: Readonly<Record<string, string>>) {
  const keys = Object.keys(secrets).filter((key) => secrets[key] !== '')
  return {
    sealed_settings: keys.length > 0 ? new Uint8Array(sealer.seal(JSON.stringify(secrets), settingsPurpose)) : null,
    secret_settings: keys,
  }
}

function givenKeys({ settings, secrets }: FoundConnection): readonly string[] {
  return [...Object.keys(settings), ...Object.keys(secrets)]
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new SluiceError('VALIDATION_FAILED', 'settings: must be an object of keys and values.', { path: 'settings' })
}

function changedMeanwhile(): SluiceError {
  return new SluiceError('CONFLICT', 'The connection was changed at the same time. Look at it and try again.')
}
