/** What the GraphQL actions of connectors do: admins keep the registry, editors keep their teams' connections. */
import type pg from 'pg'
import { requireOwn } from '../access/own.ts'
import { SluiceError } from '../errors.ts'
import { annotationsOfSession } from './annotations.ts'
import {
  type ConnectInput,
  type ConnectionParts,
  connect,
  previewUpgrade,
  type SettingsChange,
  type UpgradeInput,
  updateConnectionSettings,
  upgradeConnection,
} from './connections.ts'
import { parseFixtures } from './dry-run.ts'
import { parseNpmReference } from './npm-package.ts'
import { type Decision, type InstalledConnector, reviewConnector, uninstallConnector } from './registry.ts'
import { rerun } from './rerun.ts'
import type { DryRun } from './run.ts'
import type { ConnectorActions, NewConnection } from './schema.ts'
import { tarballLimits } from './tarball.ts'
import type { TaskDesk } from './task-desk.ts'
import type { ConnectionTest, DryRunTask, InstallTask, LabelTask, TestTask, ValidateTask } from './task-handlers.ts'

export interface ConnectorActionParts extends Pick<ConnectionParts, 'database' | 'sealer' | 'reach'> {
  readonly desk: TaskDesk
  /** Days that a grant still lasts after its first retrieval, where the team has not set its own. */
  readonly retentionAfterRetrievalDays: number
  /** Called when rows have changed. */
  readonly committed: () => void
}

const decisions: Readonly<Record<string, Decision>> = {
  approve: 'approved',
  reject: 'rejected',
  withdraw: 'withdrawn',
}

/** A reader of annotations waits no longer for labels; those that come later are kept for the next. */
const labelsMs = 3000
/** A download, a bundling, a first load. */
const installMs = 60_000

export function createConnectorActions({
  database,
  sealer,
  reach = {},
  desk,
  retentionAfterRetrievalDays,
  committed,
}: ConnectorActionParts): ConnectorActions {
  const { pool } = database
  const parts: ConnectionParts = {
    database,
    sealer,
    reach,
    validate: (question) => desk.ask<string | null>('validate', question satisfies ValidateTask, { timeoutMs: 20_000 }),
  }
  return {
    async install({ tarball, reference }) {
      const task = installTask(tarball ?? undefined, reference ?? undefined)
      const installed = await desk.ask<InstalledConnector>('install', task, { timeoutMs: installMs })
      committed()
      return installed
    },

    async review(id, decision, note) {
      const meant = Object.hasOwn(decisions, decision) ? decisions[decision] : undefined
      if (!meant) {
        throw new SluiceError('VALIDATION_FAILED', 'decision: write approve, reject or withdraw.', { path: 'decision' })
      }
      await reviewConnector({ database }, id, meant, note ?? '')
      committed()
      return { id, status: meant }
    },

    async uninstall(id) {
      await uninstallConnector({ database }, id)
      committed()
      return { id, status: 'withdrawn' }
    },

    async connect({ connector_id, config, pattern, ...object }: NewConnection, { principal }) {
      await requireOwn(pool, 'integration', object.integration_id, principal, 'integration_id')
      const made = await connect(parts, {
        ...object,
        connector: connector_id,
        config: (config ?? {}) as ConnectInput['config'],
        pattern: pattern ?? {},
        settings: settingsOf(object.settings ?? {}),
      })
      committed()
      return made
    },

    async updateSettings(change, { principal }) {
      await requireOwn(pool, 'connection', change.id, principal, 'id')
      const shown = await updateConnectionSettings(parts, change as SettingsChange)
      committed()
      return shown
    },

    async preview(id, connectorId, { principal }) {
      await requireOwn(pool, 'connection', id, principal, 'id')
      return previewUpgrade(parts, { id, connector_id: connectorId })
    },

    async upgrade(input, { principal }) {
      await requireOwn(pool, 'connection', input.id, principal, 'id')
      const result = await upgradeConnection(parts, input as UpgradeInput, principal.role === 'admin')
      committed()
      return result
    },

    async test(id, locale, { principal }) {
      await requireOwn(pool, 'connection', id, principal, 'id')
      return desk.ask<ConnectionTest>('test', { connection_id: id, locale: locale ?? 'en' } satisfies TestTask)
    },

    async dryRun({ connection_id, session_id, fixtures, kind }, { principal }) {
      parseFixtures(fixtures)
      if (kind != null && kind !== 'consumer' && kind !== 'modifier') {
        throw new SluiceError('VALIDATION_FAILED', 'kind must be consumer or modifier.', { path: 'kind' })
      }
      await requireOwn(pool, 'connection', connection_id, principal, 'connection_id')
      await requireOwn(pool, 'session', session_id, principal, 'session_id')
      const run = await desk.ask<DryRun>('dry_run', { connection_id, session_id, fixtures, kind } satisfies DryRunTask)
      committed()
      return run
    },

    async rerun(id, { principal }) {
      await requireOwn(pool, 'run', id, principal, 'id')
      const made = await rerun(pool, id)
      committed()
      return made
    },

    annotations: (session_id, locale, context) =>
      annotationsOfSession(
        {
          pool,
          retentionAfterRetrievalDays,
          askLabels: (task) => desk.ask('labels', task, { timeoutMs: labelsMs }),
        },
        { session_id, locale: locale ?? 'en' },
        context,
      ),

    async label(connector_id, key, locale) {
      await requireVisible(pool, connector_id)
      return desk.ask<string>('label', { connector_id, key, locale: locale ?? 'en' } satisfies LabelTask, {
        timeoutMs: 15_000,
      })
    },
  }
}

function installTask(tarball: string | undefined, reference: string | undefined): InstallTask {
  if ((tarball === undefined) === (reference === undefined)) {
    throw new SluiceError('VALIDATION_FAILED', 'Give either a tarball (in base64) or a reference (npm:name@version).')
  }
  if (reference !== undefined) {
    parseNpmReference(reference)
    return { reference }
  }
  const packed = tarball ?? ''
  if (packed.length > (tarballLimits.packed * 4) / 3 + 4) {
    throw new SluiceError('TOO_LARGE', `tarball: it may have ${tarballLimits.packed} bytes at most.`, {
      path: 'tarball',
    })
  }
  if (packed === '' || !/^[A-Za-z0-9+/]+={0,2}$/.test(packed)) {
    throw new SluiceError('VALIDATION_FAILED', 'tarball: write the file in base64, without spaces.', {
      path: 'tarball',
    })
  }
  return { tarball: packed }
}

function settingsOf(given: unknown): Readonly<Record<string, unknown>> {
  if (typeof given === 'object' && given !== null && !Array.isArray(given)) return given as Record<string, unknown>
  throw new SluiceError('VALIDATION_FAILED', 'settings: must be an object of keys and values.', { path: 'settings' })
}

async function requireVisible(pool: pg.Pool, id: string): Promise<void> {
  const { rows } = await pool.query(`select 1 from connectors where id = $1 and status = 'approved'`, [id])
  if (rows.length === 0) throw new SluiceError('NOT_FOUND', `There is no approved connector ${id}.`)
}
