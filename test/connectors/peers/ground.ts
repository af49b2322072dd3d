/** What the tests of shipped connectors stand on: connections to peers, sessions with files, and their deliveries. */
import { randomUUID } from 'node:crypto'
import path from 'node:path'
import type { ConnectionCarrier } from '../../../src/connectors/carrier.ts'
import { connectorGround, type DeliveryOptions, unhurried } from '../../../src/connectors/ground.fixture.ts'
import type { SandboxPoolOptions } from '../../../src/connectors/sandbox/pool.ts'
import type { LeasedDelivery } from '../../../src/delivery/carrier.ts'
import { testStorage } from '../../ground/storage.ts'

export type ShippedGround = Awaited<ReturnType<typeof shippedGround>>

export const shippedFolder = path.join(import.meta.dirname, '../../../connectors')

export async function shippedGround() {
  const [ground, storage] = await Promise.all([connectorGround(), testStorage()])
  const carrier: ConnectionCarrier = ground.carrier({}, { objects: storage.files })

  return {
    database: ground.database,
    runs: ground.runs,

    /** Connects a shipped connector as it is. What it reaches comes from these settings alone. */
    connected: (name: string, settings: object): Promise<string> =>
      ground.connected(path.join(shippedFolder, name), { settings: { ...settings } }),

    /** What a connection may call. */
    async hosts(id: string): Promise<readonly string[]> {
      return (await ground.database.prisma.connection.findUniqueOrThrow({ where: { id } })).hosts
    },

    async delivery(connection: string, options: DeliveryOptions & { readonly files?: SampleFiles } = {}) {
      const { files = {}, ...rest } = options
      const delivery = await ground.delivery(connection, rest)
      await addFiles(delivery, files)
      return delivery
    },

    /** A worker with limits of its own. */
    carrier: (sandbox: SandboxPoolOptions): ConnectionCarrier => ground.carrier(sandbox, { objects: storage.files }),

    /** One attempt. The same delivery again is what happens when a worker dies between an answer and its settling. */
    async attempt(delivery: LeasedDelivery, attempt = 1, by = carrier) {
      const report = await by.deliver({ ...delivery, attempt }, unhurried)
      return { ...report, run: (await ground.runs(delivery)).at(-1) }
    },

    async close() {
      await ground.close()
      await storage.close()
    },
  }

  async function addFiles({ session_id }: LeasedDelivery, files: SampleFiles) {
    for (const [name, given] of Object.entries(files)) {
      const id = randomUUID()
      const object_key = `sessions/${session_id}/${id}`
      const isStored = typeof given !== 'object'
      if (isStored) await storage.files.put(object_key, Buffer.from(given))
      const state = isStored ? { status: 'stored' as const, size: Buffer.byteLength(given) } : given
      await ground.database.prisma.sessionFile.create({
        data: { id, session_id, name, type: 'application/pdf', object_key, ...state },
      })
    }
  }
}

/** Content by name, or what became of the file instead. */
export type SampleFiles = Readonly<Record<string, string | { readonly status: 'pending' | 'quarantined' }>>
