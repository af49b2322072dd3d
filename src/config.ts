/**
 * Every environment variable that Sluice reads, checked once at start. A value
 * that cannot be used is named together with what it should look like; nothing
 * else in the code reads `process.env`.
 */
import { z } from 'zod'
import { SluiceError } from './errors.ts'

/** What a variable should look like, where its type says it better than the parser does. */
const wanted: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type' && issue.expected === 'number') return 'must be a number'
  if (issue.code === 'invalid_type' && issue.expected === 'int') return 'must be a whole number'
  if (issue.code === 'too_small' && issue.origin !== 'string')
    return `must be ${issue.inclusive ? '' : 'more than '}${issue.minimum}${issue.inclusive ? ' or more' : ''}`
  if (issue.code === 'too_big' && issue.origin !== 'string') return `must be ${issue.maximum} or less`
  if (issue.code === 'too_small') return 'must not be empty'
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.join(', ')}`
  if (issue.code === 'invalid_format' && issue.format === 'url')
    return 'must be a URL such as https://sluice.example.org'
  return undefined
}

/** Parses variables; what is wrong with one is said as `wanted` says it. */
export const readVariables = <T extends z.ZodType>(schema: T, given: unknown) =>
  schema.safeParse(given, { error: wanted })

const aPort = 'must be a port number, 0 to 65535'
export const port = z.coerce.number(aPort).int(aPort).min(0, aPort).max(65_535, aPort)
/** 0 is none. A Node process counts no further exactly than this, and nobody needs to. */
const limit = z.coerce.number().int().min(0).max(1e12)
const bytes = z.coerce.number().int().min(1)
const days = z.coerce.number().positive().max(3650)
const list = z.string().transform((text) =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter(Boolean),
)
/** What seals secrets at rest. */
export const secretKey = z.string().refine((text) => Buffer.from(text, 'base64').length === 32, {
  message: 'must be 32 random bytes in base64; make one with: openssl rand -base64 32',
})

/** One OpenID Connect issuer; docs/people.md explains each key. */
const oidcIssuer = z.strictObject({
  issuer: z.url(),
  audience: z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]),
  jwks_uri: z.url().optional(),
  roles: z
    .array(z.enum(['admin', 'editor', 'viewer']))
    .min(1)
    .default(['editor', 'viewer']),
  claims_namespace: z.string().min(1).default('https://hasura.io/jwt/claims'),
  link_by_email: z.boolean().default(true),
})

const oidcIssuers = z
  .string()
  .default('[]')
  .transform((text, context) => {
    let given: unknown
    try {
      given = JSON.parse(text)
    } catch {
      context.addIssue('must be JSON, such as [{"issuer":"https://login.example.org","audience":"sluice"}]')
      return z.NEVER
    }
    const parsed = z.array(oidcIssuer).safeParse(given)
    if (!parsed.success) {
      const [issue] = parsed.error.issues
      context.addIssue(`${issue?.path.join('.')}: ${issue?.message}`)
      return z.NEVER
    }
    const names = parsed.data.map(({ issuer }) => issuer)
    if (new Set(names).size < names.length) context.addIssue('names one issuer twice')
    return parsed.data
  })

const schema = z.object({
  /** Name of this environment; part of every API key, so that a staging key is refused in production. Lower-case letters and digits. */
  SLUICE_ENVIRONMENT: z
    .string()
    .regex(/^[a-z][a-z0-9]{0,15}$/, 'must be 1-16 lower-case letters or digits, such as production')
    .default('local'),
  /** PostgreSQL 14 or newer. `sluice start` without it runs an embedded one. */
  DATABASE_URL: z.string().regex(/^postgres(ql)?:\/\//, 'must look like postgres://user:password@host:5432/database'),
  DATABASE_POOL_SIZE: z.coerce.number().int().min(2).max(500).default(10),
  /** Seals webhook secrets, connector passwords and signing keys at rest. 32 bytes, base64. */
  SLUICE_SECRET_KEY: secretKey,
  GATEWAY_HOST: z.string().min(1).default('127.0.0.1'),
  GATEWAY_PORT: port.default(4000),
  /** Where clients reach the gateway; the issuer of its tokens. */
  PUBLIC_URL: z.url().optional(),
  /** Whose X-Forwarded-For is believed: how many proxies stand before the gateway, or their addresses as CIDRs. */
  TRUST_PROXY: z.string().default('0'),
  /** Largest request body in bytes. */
  MAX_BODY_BYTES: bytes.default(5 * 1024 * 1024),
  /** Who may ask for the GraphQL schema: everybody, nobody, or people and not machines. */
  INTROSPECTION: z.enum(['on', 'off', 'people']).default('on'),
  /** A JSON file of the only operations that may run, by id. */
  TRUSTED_DOCUMENTS: z.string().min(1).optional(),
  /** The most that one GraphQL operation may cost: fields, times the rows of the lists around them. */
  MAX_COST: z.coerce.number().int().min(1).default(1_000_000),
  /** Per principal and process; 0 is none. Operations in a minute: of an API credential, a person, an address without either. */
  LIMIT_REQUESTS_PER_MINUTE: limit.default(600_000),
  LIMIT_REQUESTS_PER_MINUTE_PEOPLE: limit.default(600_000),
  LIMIT_REQUESTS_PER_MINUTE_ANONYMOUS: limit.default(1_200),
  /** Cost of operations in a minute, by the rule of MAX_COST. */
  LIMIT_COST_PER_MINUTE: limit.default(1_000_000_000),
  /** At the same time: operations but subscriptions, sockets, operations of one socket, event streams. */
  LIMIT_CONCURRENT: limit.default(1_000),
  LIMIT_SOCKETS: limit.default(2_000),
  LIMIT_PER_SOCKET: limit.default(100),
  LIMIT_STREAMS: limit.default(1_000),
  /** Payloads that third parties send to one connection in a minute. */
  LIMIT_INBOUND_PER_MINUTE: limit.default(600),
  /** Largest payload that a connection is sent, in bytes, packed and unpacked. */
  INBOUND_MAX_BYTES: bytes.max(64 * 1024 * 1024).default(5 * 1024 * 1024),
  /** How long a sender that is answered with the result of the conversion waits for it, in seconds. */
  INBOUND_REPLY_SECONDS: z.coerce.number().min(1).max(240).default(25),
  /** Web pages that may call and open sockets: origins separated by commas, or * for all. */
  CORS_ORIGINS: list.default(['*']),
  S3_ENDPOINT: z.url(),
  /** What clients use in pre-signed links where it differs from S3_ENDPOINT. */
  S3_PUBLIC_ENDPOINT: z.url().optional(),
  S3_REGION: z.string().default('us-east-1'),
  S3_BUCKET: z.string().min(3).default('sluice'),
  S3_ACCESS_KEY: z.string().min(1),
  S3_SECRET_KEY: z.string().min(1),
  /** Kinds of file that sources may upload, of those in src/files/types.ts. */
  FILE_TYPES: list.default([
    'pdf',
    'png',
    'jpeg',
    'gif',
    'tiff',
    'webp',
    'heic',
    'xlsx',
    'docx',
    'geojson',
    'json',
    'csv',
    'txt',
  ]),
  /** Largest file in bytes. */
  MAX_FILE_BYTES: bytes.max(5 * 1024 ** 3).default(30 * 1024 * 1024),
  /** How long a link to upload, and a link to download, works, in seconds. */
  FILE_UPLOAD_SECONDS: z.coerce.number().int().min(60).max(86_400).default(3600),
  FILE_LINK_SECONDS: z.coerce.number().int().min(10).max(3600).default(300),
  /** How long an uploaded file waits for its session to be submitted, in days. */
  FILE_WAIT_DAYS: days.default(30),
  /** ClamAV's daemon; without it files are not scanned for viruses. */
  CLAMAV_URL: z
    .string()
    .regex(/^(tcp:\/\/|unix:)/, 'must look like tcp://host:3310 or unix:/run/clamav/clamd.ctl')
    .optional(),
  SMTP_URL: z.string().regex(/^smtps?:\/\//, 'must look like smtp://user:password@host:587'),
  /** Where the embedded mail catcher keeps mails; those of purged sessions are deleted there. Set by `sluice start`. */
  MAIL_FOLDER: z.string().min(1).optional(),
  MAIL_FROM: z.string().min(3).default('Sluice <no-reply@sluice.localhost>'),
  /** Networks that outbound calls may reach although they are not public, as CIDRs separated by commas. */
  EGRESS_ALLOW: list.default([]),
  /** Networks that outbound calls may never reach, as CIDRs separated by commas; stronger than EGRESS_ALLOW. */
  EGRESS_DENY: list.default([]),
  /** A forward proxy for outbound calls to everywhere but EGRESS_ALLOW. */
  EGRESS_PROXY: z
    .string()
    .regex(/^https?:\/\//, 'must look like http://user:password@proxy.example:3128')
    .optional(),
  /** The proxy gets names and decides alone, instead of addresses that were resolved and checked here. */
  EGRESS_PROXY_RESOLVES: z.stringbool().default(false),
  /** npm registry that admins may install connectors from; without it, packages are uploaded. */
  CONNECTOR_REGISTRY_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Deliveries that one worker process runs at once. */
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(1000).default(64),
  /** Where a worker, and where a gateway serves its metrics for Prometheus, at /metrics. Without a port it does not. */
  METRICS_PORT: port.optional(),
  GATEWAY_METRICS_PORT: port.optional(),
  METRICS_HOST: z.string().min(1).default('127.0.0.1'),
  /** How long a session stays available: days after submission, and days after an integration's first retrieval. */
  RETENTION_DAYS: days.default(30),
  RETENTION_AFTER_RETRIEVAL_DAYS: days.default(5),
  /** The most that a team may set of either. */
  RETENTION_MAX_DAYS: days.default(365),
  /** How long records are kept of what was done: failed attempts, runs, operational events, replays, deliveries of purged sessions. */
  HISTORY_DAYS: days.default(90),
  /** How long what a purge leaves of a session is kept, after the purge. */
  RECORD_DAYS: days.default(2555),
  /** A folder of JSON Schemas that are stored for every team at start. */
  SCHEMA_FOLDER: z.string().min(1).optional(),
  /** Life of an access token, in seconds. */
  TOKEN_SECONDS: z.coerce.number().int().min(30).max(86_400).default(900),
  /** Days after which a new key signs access tokens. */
  TOKEN_KEY_DAYS: z.coerce.number().min(1).max(3650).default(90),
  /** A person's sign-in ends when it is not used for so many days, and this many days after it began. */
  SIGN_IN_IDLE_DAYS: days.default(14),
  SIGN_IN_DAYS: days.default(90),
  /** How long the link of an invitation and of a password reset works. */
  INVITATION_DAYS: days.default(7),
  PASSWORD_RESET_MINUTES: z.coerce.number().int().min(5).max(1440).default(60),
  /** Whose people may come with a token of their own: OpenID Connect issuers, as a JSON list. */
  OIDC_ISSUERS: oidcIssuers,
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent']).default('info'),
})

/** Names of all these variables; `.env.example` explains each. */
export const configNames: readonly string[] = Object.keys(schema.shape)

export type OidcIssuerConfig = Readonly<z.infer<typeof oidcIssuer>>

export type Config = Readonly<z.infer<typeof schema>> & { readonly PUBLIC_URL: string }

/**
 * Reads the configuration of a gateway or worker process.
 *
 * @throws SluiceError CONFIGURATION that lists every variable that is missing or wrong.
 */
export function readConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const given = givenIn(env)
  const parsed = readVariables(schema, given)
  if (!parsed.success) {
    const isIncomplete = parsed.error.issues.some((issue) => given[issue.path.join('.')] === undefined)
    const lines = parsed.error.issues.map((issue) => {
      const name = issue.path.join('.')
      const missing = given[name] === undefined
      return `  ${name}: ${missing ? 'is missing' : issue.message}`
    })
    throw new SluiceError(
      'CONFIGURATION',
      `The configuration ${isIncomplete ? 'is not complete' : 'has errors'}:\n${lines.join('\n')}\nEvery variable is explained in .env.example. "npm start" needs none of them: it runs embedded parts.`,
    )
  }
  const config = parsed.data
  return { ...config, PUBLIC_URL: config.PUBLIC_URL ?? `http://localhost:${config.GATEWAY_PORT}` }
}

const egressPart = schema.pick({
  EGRESS_ALLOW: true,
  EGRESS_DENY: true,
  EGRESS_PROXY: true,
  EGRESS_PROXY_RESOLVES: true,
})

/**
 * What the configuration says of outbound calls; nothing else needs to be set.
 *
 * @throws SluiceError CONFIGURATION
 */
export function readEgressConfig(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<z.infer<typeof egressPart>> {
  const parsed = readVariables(egressPart, givenIn(env))
  if (parsed.success) return parsed.data
  const lines = parsed.error.issues.map((issue) => `  ${issue.path.join('.')}: ${issue.message}`)
  throw new SluiceError('CONFIGURATION', `The configuration has errors:\n${lines.join('\n')}`)
}

/** An empty variable is one that is not set. */
function givenIn(env: Readonly<Record<string, string | undefined>>): Readonly<Record<string, string | undefined>> {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''))
}
