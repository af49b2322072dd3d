/**
 * Command `start`: everything on one machine, in this order, and stopped in the
 * opposite one:
 *
 * home and ports → embedded parts → migration → gateway and worker, and meanwhile the demo's data.
 *
 * If the console has to be built, that runs beside all of these.
 *
 * Gateway and worker are processes of their own, as in a real deployment. They
 * end with this process whatever happens to it, and so does Postgres.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { flushCompileCache } from 'node:module'
import path from 'node:path'
import { styleText } from 'node:util'
import { createSealer } from '../access/seal.ts'
import { readConfig } from '../config.ts'
import { openDatabase } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import type { SluiceError } from '../errors.ts'
import { createLog, type Log } from '../log.ts'
import { buildConsole } from './console.ts'
import {
  type EmbeddedParts,
  type Env,
  isDemo,
  startEmbeddedParts,
  stopLeftovers,
  wantedPorts,
} from './embedded-parts.ts'
import { forPeople, type Home, homeAt, makeHome, takeHome } from './home.ts'
import { type KeptProcess, keepRunning } from './keep-running.ts'
import { humanLine } from './log-lines.ts'
import { requireFreePorts } from './ports.ts'
import { version } from './program.ts'
import type { DemoFile } from './seed.ts'
import { readSettings } from './settings.ts'
import { stopRequest } from './stop-request.ts'

const main = path.join(import.meta.dirname, '../main.ts')

/** @throws SluiceError when it cannot start, or a process that it runs keeps ending. Whatever ran is stopped by then. */
export async function start(env: Env): Promise<void> {
  const stop = stopRequest()
  const failure = Promise.withResolvers<never>()
  failure.promise.catch(() => undefined)
  const settings = readSettings(env)
  const home = homeAt(settings.SLUICE_HOME)
  const log = createLog({ name: 'start', level: env.LOG_LEVEL === 'debug' ? 'debug' : 'warn' })
  await makeHome(home)
  const { wasLeftBehind, release } = await takeHome(home)

  let parts: EmbeddedParts | undefined
  const roles: KeptProcess[] = []
  const webConsole = buildConsole((line) => console.log(line))
  const stopAll = async () => {
    webConsole.stop()
    await Promise.all(roles.map((role) => role.stop()))
    await parts?.stop()
    await release()
  }
  const unlessStopped = <T>(work: Promise<T>) =>
    Promise.race([work, failure.promise, stop.requested.then(() => Promise.reject(stopped))])

  try {
    if (wasLeftBehind) await stopLeftovers({ env, home, log })
    await requireFreePorts(wantedPorts(env, settings), wasLeftBehind ? 10_000 : 0)
    parts = await startEmbeddedParts({ env, home, settings, log, onLost: failure.reject })
    await unlessStopped(migrateOnce(parts.env))
    for (const name of ['gateway', 'worker']) {
      roles.push(startRole(name, { env: parts.env, home, onFailed: failure.reject }))
    }
    const rolesReady = Promise.all(roles.map((role) => role.ready))
    const [[gateway]] = await unlessStopped(Promise.all([rolesReady, seed({ env: parts.env, home, log })]))
    flushCompileCache()
    const hasConsole = await unlessStopped(webConsole.done)
    await announce({ parts, home, gatewayUrl: gateway?.url, hasConsole })
    await unlessStopped(new Promise(() => undefined))
  } catch (error) {
    if (error !== stopped) throw error
    console.log(`\nStopping (${await stop.requested}).`)
  } finally {
    forceOnSecondSignal(roles)
    await stopAll()
    stop.dispose()
  }
  console.log('Everything is stopped; the data is kept.')
  process.exit()
}

const stopped = Symbol('asked to stop')

interface StartOptions {
  readonly env: Env
  readonly home: Home
}

/** Once for everybody: the roles find nothing left to do. */
async function migrateOnce(env: Env): Promise<void> {
  const applied = await migrate(readConfig(env).DATABASE_URL)
  if (applied.length > 0) console.log(`Migrated the database: ${applied.join(', ')}`)
}

/** Puts the demo's team and credentials into the database of a demo installation. */
async function seed({ env, home, log }: StartOptions & { readonly log: Log }): Promise<void> {
  if (!isDemo(env)) return
  const config = readConfig(env)
  const { seedDemo } = await import('./seed.ts')
  const database = openDatabase({ url: config.DATABASE_URL, poolSize: 2, log, applicationName: 'sluice start' })
  try {
    await seedDemo({ database, sealer: createSealer(config.SLUICE_SECRET_KEY), config, home: home.folder, log })
  } finally {
    await database.close()
  }
}

function startRole(
  name: string,
  { env, home, onFailed }: StartOptions & { readonly onFailed: (error: SluiceError) => void },
): KeptProcess {
  return keepRunning({
    name,
    args: [main, name],
    env: { ...env },
    logFile: path.join(home.logs, `${name}.log`),
    onLine(line) {
      const text = humanLine(name, line)
      if (text) console.error(text)
    },
    onRestart: (reason) => console.error(`${name}: ${reason}`),
    onFailed,
  })
}

/**
 * Ctrl-C a second time ends everything at once. One Ctrl-C may arrive twice: from
 * the terminal, and passed on by npm. So only a signal one second later counts.
 */
function forceOnSecondSignal(roles: readonly KeptProcess[]): void {
  const since = Date.now()
  const force = () => {
    if (Date.now() - since < 1000) return
    for (const role of roles) role.kill()
    // Postgres notices that its parent is gone and shuts down.
    process.exit(130)
  }
  process.on('SIGINT', force).on('SIGTERM', force)
}

/** The password is shown to a person at a terminal, and written to no log. */
function signInHint({ email, password }: DemoFile['editor'], home: Home): string {
  const where = process.stdout.isTTY ? `password ${password}` : `its password is in ${forPeople(home.demo)}`
  return `sign in as ${email}, ${where}`
}

async function announce(options: {
  readonly parts: EmbeddedParts
  readonly home: Home
  readonly gatewayUrl: string | undefined
  readonly hasConsole: boolean
}): Promise<void> {
  const { parts, home, gatewayUrl = '', hasConsole } = options
  const demo = existsSync(home.demo) ? (JSON.parse(await readFile(home.demo, 'utf8')) as Partial<DemoFile>) : {}
  const consoleUrl = demo.console ?? `${gatewayUrl}/console`
  const facts: (readonly [string, unknown])[] = [
    ['Console', hasConsole ? consoleUrl : `${consoleUrl} (not built; the reason is above)`],
    ['', hasConsole && demo.editor ? signInHint(demo.editor, home) : undefined],
    ['GraphQL', demo.graphql ?? `${gatewayUrl}/graphql`],
    ['WebSocket', demo.ws ?? `${gatewayUrl.replace(/^http/, 'ws')}/graphql`],
    ['REST', demo.rest ?? `${gatewayUrl}/v1`],
    ['REST docs', demo.docs ?? `${gatewayUrl}/docs`],
    ...parts.facts,
    ['Logs', forPeople(home.logs)],
    ['Credentials', existsSync(home.demo) ? `${forPeople(home.demo)} (of the demo; only you can read it)` : undefined],
  ]
  const seconds = (performance.now() / 1000).toFixed(1)
  const lines = facts.filter(([, where]) => where).map(([what, where]) => `  ${what.padEnd(12)} ${where}`)
  console.log(
    [
      styleText('bold', `Sluice ${version()} is ready in ${seconds} s.`),
      ...lines,
      '',
      ...(parts.env.EGRESS_ALLOW
        ? [`  Outbound calls may reach ${parts.env.EGRESS_ALLOW}, besides the public internet (EGRESS_ALLOW).`]
        : []),
      existsSync(home.demo)
        ? '  Next: "npm run demo" in another terminal. Ctrl-C stops everything; "npm run reset" starts over.'
        : '  Ctrl-C stops everything; "npm run reset" starts over. The demo is made only where SLUICE_ENVIRONMENT is "local".',
    ].join('\n'),
  )
}
