/** The two kinds of process of a deployment. Any number of each may run over one database. */
import { flushCompileCache } from 'node:module'
import { createSealer, type Sealer } from '../access/seal.ts'
import { checkSecretKey } from '../access/signing-keys.ts'
import { type Config, readConfig } from '../config.ts'
import { type Database, openDatabase } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { createFileStore, type FileStore } from '../files/store.ts'
import { createLog, type Log } from '../log.ts'
import { buildConsole } from './console.ts'
import { stopRequest } from './stop-request.ts'

type Env = Readonly<Record<string, string | undefined>>

/** What both roles are built from. */
export interface Parts {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly files: FileStore
  readonly log: Log
}

/** Serves until it is asked to stop. */
export function runGateway(env: Env): Promise<void> {
  return runRole('gateway', env, async (parts) => {
    const { startGateway } = await import('../gateway/gateway.ts')
    const gateway = await startGateway(parts)
    // `sluice start`, to which a gateway reports, has seen to it before.
    if (process.send) return gateway
    const webConsole = buildConsole((line) => parts.log.info(line))
    return {
      url: gateway.url,
      async close() {
        webConsole.stop()
        await gateway.close()
      },
    }
  })
}

/** Works until it is asked to stop. */
export function runWorker(env: Env): Promise<void> {
  return runRole('worker', env, async (parts) => (await import('../worker/worker.ts')).startWorker(parts))
}

async function runRole(
  name: string,
  env: Env,
  startRole: (parts: Parts) => Promise<{ readonly url?: string; close(): Promise<void> }>,
): Promise<void> {
  // From the first moment on: a stop that comes during the start is obeyed right after it.
  const stop = stopRequest()
  const config = readConfig(env)
  const log = createLog({ name, level: config.LOG_LEVEL })
  await migrate(config.DATABASE_URL)
  const { DATABASE_URL: url, DATABASE_POOL_SIZE: poolSize } = config
  const database = openDatabase({ url, poolSize, log, applicationName: `sluice ${name}` })
  try {
    const sealer = createSealer(config.SLUICE_SECRET_KEY)
    await checkSecretKey(database.pool, sealer)
    const role = await startRole({ config, database, sealer, files: createFileStore(config), log })
    log.info({ url: role.url }, `${name} is ready`)
    process.send?.({ type: 'ready', url: role.url })
    flushCompileCache()
    log.info({ reason: await stop.requested }, `${name} stops`)
    await role.close()
  } finally {
    await database.close()
    stop.dispose()
  }
  // A timer or socket that a library forgot may not keep the process.
  process.exit()
}
