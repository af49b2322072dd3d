/** What the tests of producers stand on: a gateway, workers beside it, and connectors of a few lines. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { createSandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { createFileStore } from '../../src/files/store.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts, type Worker, type WorkerParts } from '../../src/worker/worker.ts'
import { buildWorld, type GraphQLAnswer } from '../ground/world.ts'

export type ProductionGround = Awaited<ReturnType<typeof productionGround>>

export interface SourceRow {
  readonly id: string
  readonly status: string
  readonly message: string | null
  readonly unique_id: string
  readonly session_id: string | null
  readonly session_key: string | null
  readonly repeats: number
  readonly attempt_count: number
}

export async function productionGround() {
  const world = await buildWorld()
  const { database, config, sealer, camden } = world
  const folder = await mkdtemp(path.join(tmpdir(), 'sluice-production-'))
  const sandboxes = createSandboxPool({ maxProcesses: 2, idleMs: 1000 })
  const workers = new Set<Worker>()
  const token = async (person: { readonly email: string; readonly password: string }) => {
    const { data } = await world.graphql<{ sign_in: { token: string } }>(
      'mutation ($email: String!, $password: String!) { sign_in(email: $email, password: $password) { token } }',
      { variables: person },
    )
    return `Bearer ${data.sign_in.token}`
  }
  const editor = await token(camden.editor)
  let versions = 0

  const ask = <T = Record<string, unknown>>(query: string, variables: object = {}, authorization = editor) =>
    world.graphql<T>(query, { variables: variables as Record<string, unknown>, authorization })

  return {
    world,
    editor,
    token,
    ask,

    /** What an operation gives; an error of it fails the test. */
    async get<T = Record<string, unknown>>(query: string, variables: object = {}): Promise<T> {
      const { data, errors }: GraphQLAnswer<T> = await ask<T>(query, variables)
      if (errors) throw new Error(errors[0]?.message)
      return data
    },

    /** Writes a package of one file, and installs and approves it. */
    async installed(code: string, manifest: object = {}): Promise<string> {
      const root = path.join(folder, String(++versions))
      await mkdir(root)
      const whole = {
        implementation: 'org.example.producer',
        name: 'Producer',
        author: 'Example Ltd',
        version: `1.0.${versions}`,
        description: 'Tests.',
        privacyPolicyUrl: 'https://example.org/privacy',
        kinds: ['producer'],
        ...manifest,
      }
      await writeFile(path.join(root, 'connector.json'), JSON.stringify(whole))
      await writeFile(path.join(root, 'index.ts'), code)
      return this.approved(root)
    },

    async approved(root: string): Promise<string> {
      const { id } = await installConnector({ database, sandboxes }, root)
      await reviewConnector({ database }, id, 'approved')
      return id
    },

    /** Straight into the table: a gateway would ask a worker what the connector thinks of its settings. */
    async connected(connectorId: string, columns: Readonly<Record<string, unknown>> = {}): Promise<string> {
      const { id } = await database.prisma.connection.create({
        data: {
          integration_id: camden.granted.id,
          team_id: camden.id,
          connector_id: connectorId,
          name: 'Producer',
          flow_id: camden.flow.id,
          ...columns,
        },
        select: { id: true },
      })
      return id
    },

    async worker(production: WorkerParts['production'] = {}): Promise<Worker> {
      const worker = await startWorkerParts({
        config,
        database,
        sealer,
        files: createFileStore(config),
        log: silentLog,
        schedules: [],
        carriers: () => [],
        production: {
          ...production,
          runs: { pollMs: 50, ...production.runs },
          conversions: { pollMs: 50, ...production.conversions },
        },
      })
      workers.add(worker)
      return {
        async close() {
          workers.delete(worker)
          await worker.close()
        },
      }
    },

    async sources(connection: string): Promise<SourceRow[]> {
      const { rows } = await database.pool.query<SourceRow>(
        'select * from raw_sources where connection_id = $1 order by position',
        [connection],
      )
      return rows
    },

    async close() {
      await Promise.all([...workers].map((worker) => worker.close()))
      await Promise.all([sandboxes.close(), rm(folder, { recursive: true })])
      await world.close()
    },
  }
}
