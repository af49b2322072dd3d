/** What the tests of connectors stand on: a team with a flow, an integration, sessions granted to it, and deliveries. */
import { randomBytes, randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { testMail } from '../../test/ground/mail.ts'
import { createSealer } from '../access/seal.ts'
import type { Database } from '../database/database.ts'
import type { LeasedDelivery } from '../delivery/carrier.ts'
import { loopbackCertificate } from '../egress/certificate.fixture.ts'
import { createEgress } from '../egress/egress.ts'
import { createMailer } from '../egress/mail.ts'
import { silentLog } from '../log.ts'
import { type ConnectionCarrier, createConnectionCarrier } from './carrier.ts'
import { type ConnectInput, connect } from './connections.ts'
import { createLifecycle, type Lifecycle, type LifecycleOptions } from './lifecycle.ts'
import { installConnector, reviewConnector } from './registry.ts'
import type { ObjectStore } from './run-files.ts'
import { createSandboxPool, type SandboxPoolOptions } from './sandbox/pool.ts'

export type ConnectorGround = Awaited<ReturnType<typeof connectorGround>>

export interface GroundOptions {
  readonly poolSize?: number
  /** Instead of the test's own mail server. */
  readonly smtpUrl?: string
  /** Instead of a database of its own: a migrated one, which is closed at the end. */
  readonly on?: Database
}

export interface RunRow {
  readonly status: string
  readonly message: string | null
  readonly log: { level: string; message: string }[]
  readonly calls: { kind: string; target: string; status: number | string; ms: number; bytes: number }[]
  readonly attempt: number
  readonly duration_ms: number
}

const environment = { serverContext: '/be/test', isProduction: false }

export async function connectorGround({ poolSize = 10, smtpUrl, on }: GroundOptions = {}) {
  const [ground, mail, folder] = await Promise.all([
    on ? { database: on, close: () => on.close() } : ownDatabase(poolSize),
    testMail(),
    mkdtemp(path.join(tmpdir(), 'sluice-connectors-')),
  ])
  const { database } = ground
  const sealer = createSealer(randomBytes(32).toString('base64'))
  const egress = createEgress({ allow: ['127.0.0.0/8'], ca: loopbackCertificate })
  const mailer = createMailer({ url: smtpUrl ?? mail.url, from: 'Sluice <no-reply@sluice.example>' })
  const carriers: ConnectionCarrier[] = []
  /** For looking at what is installed. */
  const sandboxes = createSandboxPool({ maxProcesses: 4, idleMs: 1000 })

  const team = await database.prisma.team.create({ data: { slug: 'camden', name: 'Camden & Co' } })
  const flow = await database.prisma.flow.create({
    data: { team_id: team.id, slug: 'apply', name: 'Apply for <planning>' },
  })
  const integration = await database.prisma.integration.create({
    data: { team_id: team.id, slug: 'office', name: 'Office' },
  })
  let versions = 0

  return {
    database,
    sealer,
    sandboxes,
    mail,
    team,
    flow,
    integration,

    carrier(
      sandbox?: SandboxPoolOptions,
      more: { readonly objects?: ObjectStore; readonly lifecycle?: Lifecycle } = {},
    ): ConnectionCarrier {
      const options = {
        database,
        sealer,
        egress,
        mailer,
        log: silentLog,
        retentionAfterRetrievalDays: 5,
        environment,
        sandbox,
      }
      const carrier = createConnectionCarrier({ ...options, ...more })
      carriers.push(carrier)
      return carrier
    },

    /** Of one worker. The caller closes it. */
    lifecycle(times: Pick<LifecycleOptions, 'callMs' | 'lookMs'> = {}): Lifecycle {
      // A sandbox may take longer to start here than a worker waits for it.
      const callMs = 30_000
      return createLifecycle({ database, sealer, egress, mailer, log: silentLog, environment, callMs, ...times })
    },

    /** Writes a package of one file; its manifest has a version of its own. */
    async package(code: string, manifest: object = {}): Promise<string> {
      const root = path.join(folder, String(++versions))
      await mkdir(root)
      const whole = {
        implementation: 'org.example.test',
        name: 'Test',
        author: 'Example Ltd',
        version: `1.0.${versions}`,
        description: 'Tests.',
        privacyPolicyUrl: 'https://example.org/privacy',
        ...manifest,
      }
      await writeFile(path.join(root, 'connector.json'), JSON.stringify(whole))
      await writeFile(path.join(root, 'index.ts'), code)
      return root
    },

    /** Installs, approves and connects a folder. */
    async connected(root: string, input: Partial<ConnectInput> = {}): Promise<string> {
      const { id } = await installConnector({ database, sandboxes }, root)
      await reviewConnector({ database }, id, 'approved')
      const whole = { integration_id: integration.id, connector: id, name: 'Test', ...input }
      return (await connect({ database, sealer, reach: { allow: ['127.0.0.0/8'] } }, whole)).id
    },

    /** A session that is granted to the integration, with its event and a delivery to the connection. */
    async delivery(connectionId: string, options: DeliveryOptions = {}): Promise<LeasedDelivery> {
      const {
        data = { applicant: 'Ada Lovelace' },
        granted = true,
        timeout_ms = 10_000,
        kind = 'application',
      } = options
      const expires_at = new Date(Date.now() + 30 * 86_400_000)
      const ids = { team_id: team.id, flow_id: flow.id }
      const session = await database.prisma.session.create({
        data: {
          id: randomUUID(),
          ...ids,
          kind,
          data,
          content_hash: new Uint8Array(32),
          expires_at,
          payment_id: 'pay-1',
        },
      })
      const session_id = session.id
      if (granted) {
        await database.prisma.sessionGrant.create({
          data: {
            session_id,
            integration_id: integration.id,
            team_id: team.id,
            expires_at,
            config: { region: 'north' },
          },
        })
      }
      const config = { region: 'unset', channel: 'web' }
      const event = await database.prisma.sessionEvent.create({
        data: { type: 'session.submitted', session_id, ...ids, payment_id: 'pay-1', config },
      })
      const bound = { team_id: team.id, integration_id: integration.id, session_id }
      const delivery = await database.prisma.delivery.create({
        data: { event_id: event.id, connection_id: connectionId, ...bound },
      })
      return {
        id: delivery.id,
        kind: 'connection',
        target_id: connectionId,
        target_version: '1',
        ...bound,
        attempt: 1,
        timeout_ms,
        concurrency: 1,
        event: { ...event, team: team.slug, flow: flow.slug },
      }
    },

    async runs(delivery: LeasedDelivery): Promise<RunRow[]> {
      const where = { delivery_id: delivery.id }
      return (await database.prisma.connectorRun.findMany({ where, orderBy: { id: 'asc' } })) as unknown as RunRow[]
    },

    async close(): Promise<void> {
      await Promise.all([...carriers, sandboxes].map((each) => each.close()))
      await Promise.all([egress.close(), mailer.close(), mail.close(), rm(folder, { recursive: true })])
      await ground.close()
    },
  }
}

/** Imported only where Vitest runs. */
async function ownDatabase(poolSize: number) {
  const { testDatabase } = await import('../../test/ground/database.ts')
  return testDatabase({ poolSize })
}

export interface DeliveryOptions {
  readonly data?: object
  readonly granted?: boolean
  readonly timeout_ms?: number
  readonly kind?: 'application' | 'booking'
}

/** A signal that nobody aborts. */
export const unhurried = { signal: new AbortController().signal }
