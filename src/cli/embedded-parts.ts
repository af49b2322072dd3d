/** Starts each embedded part that the environment does not replace, and fills in the environment of the roles. */
import { startEmbeddedPostgres, stopLeftoverPostgres } from '../database/embedded.ts'
import { startMailCatcher } from '../egress/mail-catcher.ts'
import { startEmbeddedS3 } from '../files/embedded-s3.ts'
import type { Log } from '../log.ts'
import { forPeople, type Home, keptSecretKey } from './home.ts'
import type { WantedPort } from './ports.ts'
import type { Settings } from './settings.ts'

export type Env = Readonly<Record<string, string | undefined>>

export interface EmbeddedPartsOptions {
  readonly env: Env
  readonly home: Home
  readonly settings: Settings
  readonly log: Log
  /** Told when a part is lost for good while everything else runs. */
  readonly onLost: (error: Error) => void
}

export interface EmbeddedParts {
  /** `env`, completed. */
  readonly env: Env
  /** Lines for people: what runs where. */
  readonly facts: readonly (readonly [what: string, where: string])[]
  /** Database last, so that whoever writes into it ends first. */
  stop(): Promise<void>
}

/** Networks of this machine itself. */
const loopback = '127.0.0.0/8,::1/128'

/** Only a local demo may call this machine's own addresses, because the demo's third parties live there. */
export function isDemo(env: Env): boolean {
  return (env.SLUICE_ENVIRONMENT || 'local') === 'local'
}

const isEmbedded = (env: Env) => ({ postgres: !env.DATABASE_URL, s3: !env.S3_ENDPOINT, mail: !env.SMTP_URL })

/** The ports that will be listened on, to be checked together before anything starts. */
export function wantedPorts(env: Env, settings: Settings): readonly WantedPort[] {
  const { postgres, s3, mail } = isEmbedded(env)
  const host = '127.0.0.1'
  const want = (what: string, variable: keyof Settings) => ({ what, variable, host, port: Number(settings[variable]) })
  return [
    {
      what: 'the gateway',
      variable: 'GATEWAY_PORT',
      host: env.GATEWAY_HOST || host,
      port: Number(env.GATEWAY_PORT || 4000),
    },
    ...(postgres ? [want('the embedded Postgres', 'EMBEDDED_POSTGRES_PORT')] : []),
    ...(s3 ? [want('the embedded S3', 'EMBEDDED_S3_PORT')] : []),
    ...(mail ? [want('the embedded mail catcher', 'EMBEDDED_SMTP_PORT')] : []),
  ]
}

/** What an owner of this home that was killed may have left running. */
export async function stopLeftovers({ env, home, log }: Pick<EmbeddedPartsOptions, 'env' | 'home' | 'log'>) {
  if (isEmbedded(env).postgres) await stopLeftoverPostgres({ folder: home.postgres, log })
}

/** @throws SluiceError CONFIGURATION; whatever had started by then is stopped. */
export async function startEmbeddedParts(options: EmbeddedPartsOptions): Promise<EmbeddedParts> {
  const { env, home } = options
  const embedded = isEmbedded(env)
  const started = await Promise.allSettled([
    embedded.postgres ? startPostgres(options) : undefined,
    embedded.s3 ? startS3(options) : undefined,
    embedded.mail ? startMail(options) : undefined,
  ])
  const parts = started.flatMap((result) => (result.status === 'fulfilled' && result.value ? [result.value] : []))
  const stop = async () => {
    for (const part of parts.toReversed()) await part.stop()
  }
  const failed = started.find((result) => result.status === 'rejected')
  if (failed) {
    await stop()
    throw failed.reason
  }
  return {
    env: {
      ...env,
      SLUICE_HOME: home.folder,
      SLUICE_SECRET_KEY: env.SLUICE_SECRET_KEY || (await keptSecretKey(home)),
      ...(isDemo(env) ? { EGRESS_ALLOW: env.EGRESS_ALLOW ?? loopback } : {}),
      ...Object.assign({}, ...parts.map((part) => part.env)),
    },
    facts: [
      ...(embedded.postgres ? [] : [['Postgres', 'DATABASE_URL'] as const]),
      ...(embedded.s3 ? [] : [['S3', `${env.S3_ENDPOINT}`] as const]),
      ...(embedded.mail ? [] : [['Mail', 'SMTP_URL'] as const]),
      ...parts.map((part) => part.fact),
    ],
    stop,
  }
}

interface Part {
  readonly env: Env
  readonly fact: readonly [what: string, where: string]
  stop(): Promise<void>
}

/** Postgres is a process of its own, so it may die alone; it is started again on the same port, once a minute at most. */
async function startPostgres({ home, settings, log, onLost }: EmbeddedPartsOptions): Promise<Part> {
  let port = settings.EMBEDDED_POSTGRES_PORT
  let stopping = false
  const start = async () => {
    const server = await startEmbeddedPostgres({ folder: home.postgres, port, log, durable: true })
    port = server.port
    const startedAt = Date.now()
    server.ended.then(async () => {
      if (stopping) return
      const error = new Error(`The embedded Postgres ended; its log is ${server.logFile}.`)
      if (Date.now() - startedAt < 60_000) return onLost(error)
      log.warn(`${error.message} Starting it again.`)
      current = start()
      current.catch(onLost)
    })
    return server
  }
  let current = start()
  const { url, data, passwordFile } = await current
  return {
    env: { DATABASE_URL: url },
    fact: [
      'Postgres',
      `postgres://sluice@127.0.0.1:${port}/sluice, data in ${forPeople(data)}, password in ${forPeople(passwordFile)}`,
    ],
    async stop() {
      stopping = true
      await current.then((server) => server.stop()).catch(() => undefined)
    },
  }
}

async function startS3({ env, home, settings }: EmbeddedPartsOptions): Promise<Part> {
  const bucket = env.S3_BUCKET || 'sluice'
  const server = await startEmbeddedS3({ folder: home.files, port: settings.EMBEDDED_S3_PORT, bucket })
  return {
    env: {
      S3_ENDPOINT: server.endpoint,
      S3_BUCKET: bucket,
      S3_ACCESS_KEY: server.accessKey,
      S3_SECRET_KEY: server.secretKey,
    },
    fact: ['S3', `${server.endpoint}, files in ${forPeople(home.files)}`],
    stop: server.close,
  }
}

async function startMail({ home, settings }: EmbeddedPartsOptions): Promise<Part> {
  const catcher = await startMailCatcher({ folder: home.mail, port: settings.EMBEDDED_SMTP_PORT })
  return {
    env: { SMTP_URL: catcher.url, MAIL_FOLDER: home.mail },
    fact: ['Mail', `${catcher.url} delivers nothing, every mail lands in ${forPeople(home.mail)}`],
    stop: catcher.close,
  }
}
