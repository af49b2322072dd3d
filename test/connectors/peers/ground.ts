/** What the tests of shipped connectors stand on: connections to peers, sessions with files, and their deliveries. */
import { randomUUID } from 'node:crypto'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { ConnectionCarrier } from '../../../src/connectors/carrier.ts'
import { connectorGround, type DeliveryOptions, unhurried } from '../../../src/connectors/ground.fixture.ts'
import type { LeasedDelivery } from '../../../src/delivery/carrier.ts'
import { testStorage } from '../../ground/storage.ts'

export type ShippedGround = Awaited<ReturnType<typeof shippedGround>>

export const shippedFolder = path.join(import.meta.dirname, '../../../connectors')

export async function shippedGround() {
  const [ground, storage, folder] = await Promise.all([
    connectorGround(),
    testStorage(),
    mkdtemp(path.join(tmpdir(), 'sluice-shipped-')),
  ])
  const carrier: ConnectionCarrier = ground.carrier({}, { objects: storage.files })
  let copies = 0

  return {
    database: ground.database,
    runs: ground.runs,

    /** Connects a shipped connector whose manifest names these hosts too, as whoever installs it would have them named. */
    async connected(name: string, hosts: readonly string[], settings: object): Promise<string> {
      const root = path.join(folder, String(++copies))
      await cp(path.join(shippedFolder, name), root, { recursive: true })
      const file = path.join(root, 'connector.json')
      const manifest = JSON.parse(await readFile(file, 'utf8'))
      manifest.permissions.push(...hosts.map((url) => ({ socket: new URL(url).host })))
      await writeFile(file, JSON.stringify({ ...manifest, version: `1.0.0-test.${copies}` }))
      return ground.connected(root, { settings: { ...settings } })
    },

    async delivery(connection: string, options: DeliveryOptions & { readonly files?: SampleFiles } = {}) {
      const { files = {}, ...rest } = options
      const delivery = await ground.delivery(connection, rest)
      await addFiles(delivery, files)
      return delivery
    },

    /** One attempt. The same delivery again is what happens when a worker dies between an answer and its settling. */
    async attempt(delivery: LeasedDelivery, attempt = 1) {
      const report = await carrier.deliver({ ...delivery, attempt }, unhurried)
      return { ...report, run: (await ground.runs(delivery)).at(-1) }
    },

    async close() {
      await ground.close()
      await Promise.all([storage.close(), rm(folder, { recursive: true })])
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
