/**
 * People who come with a token of their own organisation's OpenID Connect issuer.
 * It is used as it is, as a Bearer token, until it ends.
 *
 * What a token gives, once its signature, issuer, audience and times are right:
 * 1. With Hasura's claims: the roles and teams that they name, as far as the
 *    operator lets this issuer give them (`roles`).
 * 2. Without: the person who is linked to its subject, with the roles of their
 *    memberships, again as far as `roles` goes. The first token of a subject links
 *    the person with the same address, if the issuer says that it verified it.
 *
 * A person who is disabled here is refused either way.
 */
import { createHash } from 'node:crypto'
import { decodeJwt, type JWTPayload, type JWTVerifyGetKey, jwtVerify } from 'jose'
import type { PoolClient } from 'pg'
import type { OidcIssuerConfig } from '../config.ts'
import { type Database, inTransaction } from '../database/database.ts'
import type { Egress } from '../egress/egress.ts'
import { SluiceError } from '../errors.ts'
import { claimedRoles } from './oidc-claims.ts'
import { createOidcKeys } from './oidc-keys.ts'
import { readPerson } from './people.ts'
import type { Principal, Role } from './principal.ts'
import type { Tokens } from './tokens.ts'

export interface OidcOptions {
  readonly database: Database
  readonly egress: Egress
  readonly issuers: readonly OidcIssuerConfig[]
  /** See `createOidcKeys`. */
  readonly cooldownMs?: number
}

/** Symmetric ones would let whoever knows a public key sign with it. */
const algorithms = ['RS256', 'ES256', 'EdDSA']
/** Clocks of issuers are not ours. */
const toleranceSeconds = 5
/** Memberships are read again after this, so that a new one is seen before the token ends. */
const rememberedMs = 60_000
const rememberedMost = 10_000
const longestToken = 16_384

interface Issuer {
  readonly config: OidcIssuerConfig
  readonly keys: JWTVerifyGetKey
}

/**
 * Verifies tokens of other issuers, and leaves ours to `tokens`.
 *
 * @throws SluiceError (verify) UNAUTHENTICATED with what is wrong; FORBIDDEN for who has no place here; UNAVAILABLE
 * while the issuer's keys cannot be fetched.
 */
export function withOidc(tokens: Pick<Tokens, 'verify'>, options: OidcOptions): Pick<Tokens, 'verify'> {
  const { database, egress, cooldownMs } = options
  const issuers = new Map<string, Issuer>(
    options.issuers.map((config) => [
      config.issuer,
      {
        config,
        keys: createOidcKeys({
          egress,
          issuer: config.issuer,
          jwksUri: config.jwks_uri,
          ...(cooldownMs === undefined ? {} : { cooldownMs }),
        }),
      },
    ]),
  )
  if (issuers.size === 0) return tokens
  const known = new Map<string, { readonly principal: Principal; readonly until: number }>()

  return {
    async verify(token) {
      const remembered = known.get(token)
      if (remembered && remembered.until > Date.now()) return remembered.principal
      known.delete(token)
      const issuer = token.length > longestToken ? undefined : issuers.get(issuerOf(token))
      if (!issuer) return tokens.verify(token)
      const payload = await verified(token, issuer)
      const principal = await principalOf(database, payload, issuer.config)
      const until = Math.min(principal.expiresAt?.getTime() ?? 0, Date.now() + rememberedMs)
      if (known.size >= rememberedMost) known.delete(known.keys().next().value as string)
      known.set(token, { principal, until })
      return principal
    },
  }
}

/** What the token says of its issuer, believed only after its signature. */
function issuerOf(token: string): string {
  try {
    return decodeJwt(token).iss ?? ''
  } catch {
    return ''
  }
}

type Payload = JWTPayload & { readonly sub: string; readonly exp: number; readonly iat: number }

async function verified(token: string, { config, keys }: Issuer): Promise<Payload> {
  const { issuer, audience } = config
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms,
      clockTolerance: toleranceSeconds,
      requiredClaims: ['sub', 'exp', 'iat'],
    })
    return payload as Payload
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause
    throw new SluiceError('UNAUTHENTICATED', `This token of ${issuer} is refused: ${whyNot(cause, config)}.`, { cause })
  }
}

function whyNot(error: unknown, { audience }: OidcIssuerConfig): string {
  const { code, claim } = error as { readonly code?: string; readonly claim?: string }
  switch (code) {
    case 'ERR_JWT_EXPIRED':
      return 'it has ended; get a new one there'
    case 'ERR_JOSE_ALG_NOT_ALLOWED':
      return `it must be signed with ${algorithms.join(', ')}`
    case 'ERR_JWKS_NO_MATCHING_KEY':
      return 'the issuer publishes no key that it could be signed with'
    case 'ERR_JWKS_MULTIPLE_MATCHING_KEYS':
      return 'its header must name its key (kid), because the issuer publishes several'
    case 'ERR_JWS_SIGNATURE_VERIFICATION_FAILED':
      return 'its signature is wrong'
    case 'ERR_JWT_CLAIM_VALIDATION_FAILED':
      if (claim === 'aud') return `it is for somebody else; its audience must be ${[audience].flat().join(' or ')}`
      return `its claim "${claim}" is missing or not as it must be`
    default:
      return 'it is not a signed token that can be read'
  }
}

function principalOf(database: Database, payload: Payload, config: OidcIssuerConfig): Promise<Principal> {
  return inTransaction(database.pool, async (client) => {
    const linked = await findLinked(client, config.issuer, payload.sub)
    if (linked?.disabled) throw noAccess()
    const times = {
      expiresAt: new Date((payload.exp + toleranceSeconds) * 1000),
      issuedAt: new Date(payload.iat * 1000),
    }
    const claimedId = linked?.id ?? idOf(config.issuer, payload.sub)
    const claimed = claimedRoles(payload, config.claims_namespace, config.roles, claimedId)
    if (claimed) return { kind: 'person', id: claimedId, teamId: null, integrationId: null, ...times, ...claimed }
    const id = linked?.id ?? (await link(client, payload, config))
    const person = await readPerson(client, id, { mayBeAdmin: config.roles.includes('admin') })
    return { ...limitedTo(person, config), ...times }
  })
}

async function findLinked(
  client: PoolClient,
  issuer: string,
  subject: string,
): Promise<{ id: string; disabled: boolean } | undefined> {
  const { rows } = await client.query<{ id: string; disabled: boolean }>(
    'select id, disabled_at is not null as disabled from users where oidc_issuer = $1 and oidc_subject = $2',
    [issuer, subject],
  )
  return rows[0]
}

/** The first token of a subject: by its address, which the issuer must have verified. Nobody is linked twice. */
async function link(client: PoolClient, payload: Payload, config: OidcIssuerConfig): Promise<string> {
  const { email, email_verified: isVerified, sub } = payload
  if (!config.link_by_email || typeof email !== 'string' || isVerified !== true) {
    throw new SluiceError(
      'FORBIDDEN',
      'Nobody here is linked to this account, and its token names no verified e-mail address to be linked by. Ask for a token with the scope "email", or an administrator.',
    )
  }
  const { rows } = await client.query<{ id: string }>(
    `update users set oidc_issuer = $1, oidc_subject = $2
      where email = $3 and oidc_subject is null and disabled_at is null returning id`,
    [config.issuer, sub, email.toLowerCase()],
  )
  if (rows[0]) return rows[0].id
  throw new SluiceError(
    'FORBIDDEN',
    `Nobody here can be linked to the account ${email}: there is no such person, or they use another account. Ask a team for an invitation to this address.`,
  )
}

/** Only what the operator lets this issuer's people be. */
function limitedTo(person: Principal, { roles }: OidcIssuerConfig): Principal {
  const { role, variables, otherRoles = {} } = person
  const allowed = Object.entries({ [role]: variables, ...otherRoles }).filter(([name]) =>
    (roles as readonly string[]).includes(name),
  )
  const [first, ...others] = allowed
  if (!first) {
    throw new SluiceError(
      'FORBIDDEN',
      `People of this issuer may be ${roles.join(' or ')} here, and you are neither. Ask a team for an invitation.`,
    )
  }
  return { ...person, role: first[0] as Role, variables: first[1], otherRoles: Object.fromEntries(others) }
}

/** Of somebody whom only the issuer knows: always the same, in the form of every other id (RFC 9562, version 8). */
function idOf(issuer: string, subject: string): string {
  const bytes = createHash('sha256').update(`${issuer}\n${subject}`).digest().subarray(0, 16)
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x80
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}

function noAccess(): SluiceError {
  return new SluiceError('UNAUTHENTICATED', 'This person has no access any more.')
}
