/** Which connectors there are, who approved them, and how an integration is connected to one. */
import type { Sealer } from '../access/seal.ts'
import type { Database } from '../database/database.ts'
import type { Prisma } from '../database/generated/prisma/client.ts'
import { SluiceError } from '../errors.ts'
import { parsePattern } from '../tables/event-shape.ts'
import { bundleConnector } from './bundle.ts'
import type { Manifest, Permission } from './manifest.ts'
import { settingsPurpose } from './run.ts'
import { checkSettings } from './settings.ts'

export type ConnectorStatus = 'submitted' | 'approved' | 'rejected' | 'withdrawn'

export interface InstalledConnector {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly status: ConnectorStatus
  /** What the person who approves it agrees to. */
  readonly permissions: readonly Permission[]
  readonly bundle_sha256: string
  /** False when this very package was already here. */
  readonly created: boolean
}

/**
 * Bundles a folder and submits it for review. A version is one content for
 * ever: the same again changes nothing, another content is a conflict.
 *
 * @throws SluiceError VALIDATION_FAILED (manifest or code), CONFLICT (this version has other content).
 * @example await installConnector({ database }, 'connectors/email')
 */
export async function installConnector(
  { database }: { readonly database: Database },
  folder: string,
): Promise<InstalledConnector> {
  const { manifest, bundle, sha256 } = await bundleConnector(folder)
  const { implementation, version } = manifest
  // A row that another process adds at this very moment is not yet seen by the first look, but by the second.
  const found =
    (await findOrAdd(database, manifest, bundle, sha256)) ?? (await findOrAdd(database, manifest, bundle, sha256))
  if (!found?.same) {
    throw new SluiceError(
      'CONFLICT',
      `${implementation}@${version} is already installed with other content. Raise "version" in the manifest.`,
    )
  }
  const { id, status, created } = found
  return { id, implementation, version, status, permissions: manifest.permissions, bundle_sha256: sha256, created }
}

interface FoundConnector {
  readonly id: string
  readonly status: ConnectorStatus
  readonly created: boolean
  readonly same: boolean
}

async function findOrAdd(
  { pool }: Database,
  manifest: Manifest,
  bundle: string,
  sha256: string,
): Promise<FoundConnector | undefined> {
  const { implementation, version, name, author, description } = manifest
  const { rows } = await pool.query<FoundConnector>(
    `with added as (
       insert into connectors (implementation, version, name, author, description, manifest, bundle, bundle_sha256)
       values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8)
       on conflict (implementation, version) do nothing
       returning id, status
     )
     select id, status, true as created, true as same from added
      union all
     select id, status, false, bundle_sha256 = $8 and manifest = $6::jsonb
       from connectors where implementation = $1 and version = $2`,
    [implementation, version, name, author, description, JSON.stringify(manifest), bundle, sha256],
  )
  return rows[0]
}

/**
 * An admin's decision. Rejecting a connector that was approved stops its runs.
 *
 * @throws SluiceError NOT_FOUND, CONFLICT (withdrawn).
 */
export async function reviewConnector(
  { database }: { readonly database: Database },
  id: string,
  decision: 'approved' | 'rejected',
): Promise<void> {
  const { rows } = await database.pool.query<{ status: ConnectorStatus; reviewed: boolean }>(
    `with reviewed as (
       update connectors set status = $2::connector_status, reviewed_at = now()
        where id = $1 and status <> 'withdrawn'
       returning id
     )
     select status, exists (select from reviewed) as reviewed from connectors where id = $1`,
    [requireUuid(id, 'connector'), decision],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `There is no connector ${id}.`)
  if (!found.reviewed) {
    throw new SluiceError('CONFLICT', 'This version was withdrawn by its author and cannot be reviewed.')
  }
}

export interface ConnectInput {
  readonly integration_id: string
  /** `implementation@version`, or the connector's id. */
  readonly connector: string
  readonly name: string
  /** Values of the manifest's settings; PASSWORD ones are sealed. */
  readonly settings?: Readonly<Record<string, unknown>>
  /** Which events it gets; `{}` for all. */
  readonly pattern?: unknown
  /** Handed to every run, over the event's own config. */
  readonly config?: Readonly<Record<string, unknown>>
}

/**
 * Connects an integration to an approved connector.
 *
 * @returns the connection's id.
 * @throws SluiceError VALIDATION_FAILED, NOT_FOUND, CONFLICT (not approved, or not a consumer).
 */
export async function connect(
  { database, sealer }: { readonly database: Database; readonly sealer: Sealer },
  input: ConnectInput,
): Promise<{ readonly id: string }> {
  const { integration_id, name, pattern = {}, config = {} } = input
  if (name.trim() === '' || name.length > 200) {
    throw new SluiceError('VALIDATION_FAILED', 'name: write 1 to 200 characters.', { path: 'name' })
  }
  if (typeof config !== 'object' || config === null || Array.isArray(config)) {
    throw new SluiceError('VALIDATION_FAILED', 'config: must be an object.', { path: 'config' })
  }
  parsePattern(pattern)
  const connector = await findConnector(database, input.connector)
  const manifest = connector.manifest as unknown as Manifest
  const { settings, secrets } = checkSettings(manifest, input.settings ?? {})
  const integration = await database.prisma.integration.findUnique({
    where: { id: requireUuid(integration_id, 'integration') },
    select: { team_id: true },
  })
  if (!integration) throw new SluiceError('NOT_FOUND', `There is no integration ${integration_id}.`)
  const hasSecrets = Object.keys(secrets).length > 0
  return database.prisma.connection.create({
    data: {
      integration_id,
      team_id: integration.team_id,
      connector_id: connector.id,
      name: name.trim(),
      settings,
      sealed_settings: hasSecrets ? new Uint8Array(sealer.seal(JSON.stringify(secrets), settingsPurpose)) : null,
      pattern: pattern as Prisma.InputJsonValue,
      config: config as Prisma.InputJsonValue,
    },
    select: { id: true },
  })
}

async function findConnector(database: Database, which: string) {
  const at = which.lastIndexOf('@')
  // A scoped npm name begins with an @ of its own.
  const where =
    at > 0
      ? { implementation_version: { implementation: which.slice(0, at), version: which.slice(at + 1) } }
      : { id: requireUuid(which, 'connector', 'Write implementation@version or its id.') }
  const found = await database.prisma.connector.findUnique({
    where,
    select: { id: true, status: true, manifest: true, implementation: true, version: true },
  })
  if (!found)
    throw new SluiceError('NOT_FOUND', `There is no connector ${which}. Install it first.`, { path: 'connector' })
  const name = `${found.implementation}@${found.version}`
  if (found.status !== 'approved') {
    throw new SluiceError('CONFLICT', `${name} is ${found.status}. An admin must approve it first.`, {
      path: 'connector',
    })
  }
  if (!(found.manifest as unknown as Manifest).kinds.includes('consumer')) {
    throw new SluiceError('CONFLICT', `${name} is no consumer, so no session can be handed to it.`, {
      path: 'connector',
    })
  }
  return found
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function requireUuid(
  id: string,
  what: string,
  hint = 'An id looks like 0198a0de-0000-7000-8000-000000000001.',
): string {
  if (uuid.test(id)) return id
  throw new SluiceError('NOT_FOUND', `There is no ${what} "${id}". ${hint}`)
}
