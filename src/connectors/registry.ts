/**
 * Which versions of which connectors there are, and who approved them.
 *
 * A version is `submitted` when it is installed, until an admin makes it
 * `approved` or `rejected`; either may be decided anew. `withdrawn` is for good:
 * only installing it again submits it again. Only approved versions run; when
 * one stops being approved, its connections are switched off with the reason.
 */
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { bundleConnector, type ConnectorPackage } from './bundle.ts'
import { withMinimalSettings } from './converter-settings.ts'
import { missingCheck, missingFunctions } from './kinds.ts'
import { type Permission, type SettingItem, withSettings } from './manifest.ts'
import { permissionSentences } from './permission-sentences.ts'
import { createSandboxPool, type SandboxPool } from './sandbox/pool.ts'

export type ConnectorStatus = 'submitted' | 'approved' | 'rejected' | 'withdrawn'
export type Decision = 'approved' | 'rejected' | 'withdrawn'

export interface InstalledConnector {
  readonly id: string
  readonly implementation: string
  readonly version: string
  readonly status: ConnectorStatus
  /** What the person who approves it agrees to. */
  readonly permissions: readonly Permission[]
  /** Their labels are in the sentences of permissions that name settings. */
  readonly settings: readonly SettingItem[]
  readonly bundle_sha256: string
  readonly license: string | null
  /** False when this very package was already here. */
  readonly created: boolean
}

export interface InstallParts {
  readonly database: Database
  /** Where the code is loaded once, to see what it exports. @default one of its own, closed afterwards */
  readonly sandboxes?: SandboxPool
  /** @default bundleConnector: for folders of one's own; packages of others are bundled apart */
  readonly bundle?: (folder: string) => Promise<ConnectorPackage>
  /** Shown with the connector: `folder`, `tarball` or `npm:name@version`. @default folder */
  readonly source?: string
}

/**
 * Bundles a folder and submits it for review. A version is one content for
 * ever: the same again changes nothing, another content is a conflict.
 *
 * @throws SluiceError VALIDATION_FAILED (manifest or code), CONFLICT (this version has other content).
 * @example await installConnector({ database }, 'connectors/email')
 */
export async function installConnector(
  { database, sandboxes, bundle = bundleConnector, source = 'folder' }: InstallParts,
  folder: string,
): Promise<InstalledConnector> {
  const made = await inspected(await bundle(folder), sandboxes)
  const { implementation, version, permissions, settings } = made.manifest
  // A row that another process adds at this very moment is not yet seen by the first look, but by the second.
  const found = (await findOrAdd(database, made, source)) ?? (await findOrAdd(database, made, source))
  if (!found?.same) {
    throw new SluiceError(
      'CONFLICT',
      `${implementation}@${version} is already installed with other content. Raise "version" in the manifest.`,
    )
  }
  const { id, status, created } = found
  return {
    id,
    implementation,
    version,
    status,
    permissions,
    settings,
    bundle_sha256: made.sha256,
    license: made.license,
    created,
  }
}

interface InspectedPackage extends ConnectorPackage {
  readonly functions: readonly string[]
}

/** Loads the code in a sandbox. Settings may stand in the code instead of the manifest, as the extension guide has it. */
async function inspected(made: ConnectorPackage, given?: SandboxPool): Promise<InspectedPackage> {
  const sandboxes = given ?? createSandboxPool({ maxProcesses: 1 })
  try {
    const found = await sandboxes.inspect({ key: `install ${made.sha256}`, bundle: made.bundle, timeoutMs: 15_000 })
    if (!found.ok) throw refused(found.message)
    const functions = [...new Set(found.functions)].slice(0, 50).map((name) => name.slice(0, 100))
    const { kinds, inbound } = made.manifest
    const missing = [...missingFunctions(kinds, functions), ...missingCheck(inbound, functions)]
    if (missing.length > 0) throw refused(missing.join('\n'))
    return { ...made, manifest: withMinimalSettings(withSettings(made.manifest, found.settings)), functions }
  } finally {
    if (!given) await sandboxes.close()
  }
}

interface FoundConnector {
  readonly id: string
  readonly status: ConnectorStatus
  readonly created: boolean
  readonly same: boolean
}

/** A version that was uninstalled comes back with the same content, and is reviewed again. */
async function findOrAdd(
  { pool }: Database,
  { manifest, bundle, sha256, license, locales, logo, functions }: InspectedPackage,
  source: string,
): Promise<FoundConnector | undefined> {
  const { implementation, version, name, author, description } = manifest
  const { rows } = await pool.query<FoundConnector>(
    `with added as (
       insert into connectors as k
         (implementation, version, name, author, description, manifest, bundle, bundle_sha256, license, permissions,
          kinds, functions, locales, logo, source)
       values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9, $10, $11, $12, $13::jsonb, $14, $15)
       on conflict (implementation, version) do update
          set bundle = excluded.bundle, status = 'submitted', uninstalled_at = null, reviewed_at = null,
              review_note = null, source = excluded.source
        where k.uninstalled_at is not null and k.bundle_sha256 = excluded.bundle_sha256
          and k.manifest = excluded.manifest and k.locales = excluded.locales
          and k.logo is not distinct from excluded.logo
       returning id, status
     )
     select id, status, true as created, true as same from added
      union all
     select id, status, false,
            bundle_sha256 = $8 and manifest = $6::jsonb and locales = $13::jsonb and logo is not distinct from $14
       from connectors where implementation = $1 and version = $2 and not exists (select from added)`,
    [
      implementation,
      version,
      name,
      author,
      description,
      JSON.stringify(manifest),
      bundle,
      sha256,
      license,
      permissionSentences(manifest),
      manifest.kinds,
      functions,
      JSON.stringify(locales),
      logo,
      source,
    ],
  )
  return rows[0]
}

/**
 * An admin's decision. A version that is no longer approved stops its
 * connections, and they say why; approving it again lets them go on.
 *
 * @param note for the people who use it; shown with the connector and its connections.
 * @throws SluiceError NOT_FOUND, CONFLICT (withdrawn), VALIDATION_FAILED (note).
 */
export async function reviewConnector(
  { database }: { readonly database: Database },
  id: string,
  decision: Decision,
  note = '',
): Promise<void> {
  if (note.length > 1000) throw refused('note: write 1,000 characters at most.')
  const { rows } = await database.pool.query<{ reviewed: boolean }>(
    `with reviewed as (
       update connectors set status = $2::connector_status, reviewed_at = now(), review_note = nullif($3, '')
        where id = $1 and status <> 'withdrawn'
       returning id, implementation || '@' || version as name
     ), stopped as (
       update connections c
          set health = 'disabled', disabled_at = now(), probe_at = null, updated_at = now(),
              state_reason = 'The connector ' || r.name || ' was ' || $2 || coalesce(': ' || nullif(rtrim($3, '. '), ''), '')
                             || '. Upgrade this connection to an approved version.'
         from reviewed r
        where c.connector_id = r.id and $2 <> 'approved' and not (c.health = 'disabled' and c.probe_at is null)
     ), released as (
       update connections c
          set health = 'active', disabled_at = null, state_reason = null, consecutive_failures = 0,
              failing_since = null, updated_at = now()
         from reviewed r
        where c.connector_id = r.id and $2 = 'approved' and ${stoppedByReview('c')}
     )
     select exists (select from reviewed) as reviewed from connectors where id = $1`,
    [requireUuid(id, 'connector'), decision, note.trim()],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `There is no connector ${id}.`)
  if (!found.reviewed) {
    throw new SluiceError('CONFLICT', 'This version was withdrawn and cannot be reviewed. Install a newer version.')
  }
}

/** Whether a connection was switched off because of its connector's status, and not by its receiver. */
export function stoppedByReview(connection: string): string {
  return `(${connection}.health = 'disabled' and ${connection}.probe_at is null
           and ${connection}.state_reason like 'The connector %@% was %')`
}

/**
 * Takes a version's code away. The row stays, and with it what its runs and connections tell.
 *
 * @throws SluiceError NOT_FOUND, CONFLICT (connections still use it).
 */
export async function uninstallConnector({ database }: { readonly database: Database }, id: string): Promise<void> {
  const { rows } = await database.pool.query<{ name: string; used: number; removed: boolean }>(
    `with using_it as (
       select count(*)::int as used from connections c where c.connector_id = $1 and c.enabled and c.health <> 'disabled'
     ), removed as (
       update connectors k
          set bundle = '', status = 'withdrawn', uninstalled_at = coalesce(k.uninstalled_at, now())
         from using_it u
        where k.id = $1 and u.used = 0
       returning k.id
     )
     select k.implementation || '@' || k.version as name, u.used, exists (select from removed) as removed
       from connectors k cross join using_it u where k.id = $1`,
    [requireUuid(id, 'connector')],
  )
  const [found] = rows
  if (!found) throw new SluiceError('NOT_FOUND', `There is no connector ${id}.`)
  if (!found.removed) {
    throw new SluiceError(
      'CONFLICT',
      `${found.used} ${found.used === 1 ? 'connection uses' : 'connections use'} ${found.name}. Upgrade or disable them first, or withdraw the version.`,
    )
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** @throws SluiceError NOT_FOUND for what cannot be an id. */
export function requireUuid(
  id: string,
  what: string,
  hint = 'An id looks like 0198a0de-0000-7000-8000-000000000001.',
): string {
  if (uuid.test(id)) return id
  throw new SluiceError('NOT_FOUND', `There is no ${what} "${id}". ${hint}`)
}

function refused(message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', message)
}
