/** `sluice credential` and `sluice keys`: credentials and signing keys, for an operator at the database. */
import { styleText } from 'node:util'
import { Command } from 'commander'
import { createCredential, revokeCredential, rotateSecret } from '../access/credentials.ts'
import { createSealer } from '../access/seal.ts'
import { rotateSigningKeys } from '../access/signing-keys.ts'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { withDatabase } from './admin.ts'
import { secretKeyOf } from './installation.ts'

type Env = Readonly<Record<string, string | undefined>>

export function credentialCommand(env: Env): Command {
  const command = new Command('credential').description('make, rotate, revoke and list API credentials')
  command
    .command('create')
    .description('make a credential and show its secret, once')
    .requiredOption('--name <name>', 'who holds it')
    .option('--team <slug>', 'the team; without it, an integration of the platform or a source for every team')
    .option('--integration <slug>', 'the integration that it reads for; without it, it is a source, which submits')
    .option('--expires <time>', 'when it ends, such as 2027-01-31')
    .option('--from <addresses...>', 'addresses or CIDRs that it may be used from')
    .action((options) => withDatabase(env, (database) => create(database, environmentOf(env), options)))
  command
    .command('rotate <key>')
    .description('give a credential a new secret; the one before goes on for the overlap')
    .option('--overlap <seconds>', 'how long', '86400')
    .action((key, { overlap }) =>
      withDatabase(env, async (database) => {
        const seconds = Number(overlap)
        if (!(seconds >= 0 && seconds <= 30 * 86_400)) {
          throw new SluiceError('VALIDATION_FAILED', '--overlap must be between 0 and 2592000 seconds.')
        }
        const { secret, previousExpiresAt } = await rotateSecret(database, await idOf(database, key), seconds)
        console.log(`secret  ${secret}\n\nIt is not shown again.`)
        if (previousExpiresAt) console.log(`The secret before it ends at ${previousExpiresAt.toISOString()}.`)
      }),
    )
  command
    .command('revoke <key>')
    .description('end a credential with its tokens and connections, within a second')
    .action((key) =>
      withDatabase(env, async (database) => {
        const at = await revokeCredential(database, await idOf(database, key))
        console.log(`${key} ended at ${at.toISOString()}.`)
      }),
    )
  command
    .command('list')
    .description('list credentials and when their secrets were last used')
    .action(() => withDatabase(env, list))
  return command
}

export function keysCommand(env: Env): Command {
  const command = new Command('keys').description('the keys that sign access tokens, and the one that seals secrets')
  command
    .command('rotate')
    .description('make a new one: it is published now and signs ten minutes later; old tokens stay valid')
    .option('--now', 'a key has leaked: sign with the new one at once, and void every token')
    .action(({ now = false }: { now?: boolean }) =>
      withDatabase(env, async (database) => {
        const sealer = createSealer(await secretKeyOf(env))
        const kid = await rotateSigningKeys(database, sealer, { retireOld: now })
        console.log(`The new key is ${kid}.${now ? ' Every token from before is void within seconds.' : ''}`)
      }),
    )
  command
    .command('reseal')
    .description(
      'give the installation another SLUICE_SECRET_KEY: that of SLUICE_NEW_SECRET_KEY, or a new one, which is printed',
    )
    .action(() =>
      withDatabase(env, async (database) => {
        const { newSecretKey, reseal } = await import('./reseal.ts')
        const to = env.SLUICE_NEW_SECRET_KEY || newSecretKey()
        const count = await reseal({ database, from: await secretKeyOf(env), to, print: (line) => console.log(line) })
        console.log(`Sealed anew: ${count}. Start gateways and workers with the new key; people sign in again.`)
        if (!env.SLUICE_NEW_SECRET_KEY) console.log(`\nSLUICE_SECRET_KEY=${to}`)
      }),
    )
  return command
}

interface CreateOptions {
  readonly name: string
  readonly team?: string
  readonly integration?: string
  readonly expires?: string
  readonly from?: readonly string[]
}

async function create(database: Database, environment: string, options: CreateOptions): Promise<void> {
  const { name, team: slug, integration: integrationSlug, expires, from = [] } = options
  const expiresAt = expires === undefined ? null : new Date(expires)
  if (expiresAt && !(expiresAt.getTime() > Date.now())) {
    throw new SluiceError('VALIDATION_FAILED', '--expires must be a time to come, such as 2027-01-31.')
  }
  const team = slug === undefined ? null : await database.prisma.team.findUnique({ where: { slug } })
  if (slug !== undefined && !team) throw new SluiceError('NOT_FOUND', `There is no team "${slug}".`)
  const integration =
    integrationSlug === undefined
      ? null
      : await database.prisma.integration.findFirst({ where: { team_id: team?.id ?? null, slug: integrationSlug } })
  if (integrationSlug !== undefined && !integration) {
    throw new SluiceError('NOT_FOUND', `${slug ?? 'The platform'} has no integration "${integrationSlug}".`)
  }
  const { key, secret } = await createCredential(database, {
    role: integration ? 'consumer' : 'source',
    name,
    environment,
    teamId: team?.id ?? null,
    integrationId: integration?.id ?? null,
    expiresAt,
    allowedAddresses: from,
  })
  console.log(`key     ${key}\nsecret  ${secret}\n\nThe secret is not shown again.`)
}

/** Newest first. */
async function list({ pool }: Database): Promise<void> {
  const { rows } = await pool.query<Record<string, string | null>>(
    `select c.key_id, c.role::text, t.slug as team, i.slug as integration, c.name,
            case when c.revoked_at is not null then 'revoked' when c.expires_at <= now() then 'expired' else 'live' end as state,
            (select string_agg('…' || coalesce(s.ending, '?') || ' ' || coalesce('used ' || to_char(s.last_used_at, 'YYYY-MM-DD HH24:MI'), 'never used'), ', ' order by s.created_at)
               from api_secrets s where s.credential_id = c.id and (s.expires_at is null or s.expires_at > now())) as secrets
       from api_credentials c
       left join teams t on t.id = c.team_id
       left join integrations i on i.id = c.integration_id
      order by c.created_at desc`,
  )
  if (rows.length === 0) console.log('There are no credentials yet. Make one with: sluice credential create --help')
  for (const { key_id, role, team, integration, name, state, secrets } of rows) {
    console.log(
      `${styleText('bold', String(key_id))}  ${state}  ${role}  ${[team, integration].filter(Boolean).join('/')}  ${name}`,
    )
    console.log(`    ${secrets ?? 'no secret: signs with its own keys, or all have ended'}`)
  }
}

/** @throws SluiceError NOT_FOUND */
async function idOf({ prisma }: Database, key: string): Promise<string> {
  const found = await prisma.apiCredential.findUnique({ where: { key_id: key }, select: { id: true } })
  if (!found) throw new SluiceError('NOT_FOUND', `There is no credential ${key}. "sluice credential list" shows all.`)
  return found.id
}

/** The environment's name is part of the keys that it makes; the default is that of `npm start`. */
function environmentOf(env: Env): string {
  const environment = env.SLUICE_ENVIRONMENT || 'local'
  if (/^[a-z][a-z0-9]{0,15}$/.test(environment)) return environment
  throw new SluiceError('CONFIGURATION', 'SLUICE_ENVIRONMENT must be 1-16 lower-case letters or digits.')
}
