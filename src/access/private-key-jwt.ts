/**
 * `private_key_jwt` (RFC 7523, section 3): a client proves itself with a JWT that it
 * signed, naming us as the audience, good once and for minutes. What it proves with
 * never leaves it, and we keep nothing that could be stolen.
 */
import { createLocalJWKSet, decodeJwt, type JSONWebKeySet, type JWTPayload, jwtVerify } from 'jose'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import type { Attempts } from './attempts.ts'
import { assertionAlgorithms } from './client-keys.ts'
import { credentialPrincipal, findCredential } from './credentials.ts'
import { checkKey } from './key-format.ts'
import type { Principal } from './principal.ts'

export const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

export interface AssertionVerifier {
  /**
   * @param clientId the form's `client_id`, if given; must be the assertion's subject.
   * @throws SluiceError UNAUTHENTICATED, with what to correct where that tells nothing about keys that exist.
   */
  verify(
    assertion: string,
    clientId: string | null,
    address: string | null,
  ): Promise<{ key: string; principal: Principal }>
}

export interface AssertionVerifierOptions {
  readonly database: Database
  readonly environment: string
  readonly attempts: Attempts
  /** What `aud` may be: the issuer (recommended), or the token endpoint. */
  readonly audiences: readonly string[]
}

/** An assertion is made for one request; one that lives longer would have to be remembered longer. */
const longestLifeSeconds = 600
const toleranceSeconds = 30

export function createAssertionVerifier(options: AssertionVerifierOptions): AssertionVerifier {
  const { database, environment, attempts, audiences } = options
  return {
    async verify(assertion, clientId, address) {
      const claims = readClaims(assertion)
      const key = claims.sub
      if (clientId !== null && clientId !== key) {
        throw refused('client_id is not the subject of the assertion. Send the key in both, or leave client_id out.')
      }
      checkKey(key, environment)
      checkClaims(claims, audiences)
      await attempts.check('assertion', key, address)
      const row = await findCredential(database, key)
      // A key without a JWKS is measured against an empty one: refused alike.
      const keys = createLocalJWKSet((row?.jwks ?? { keys: [] }) as JSONWebKeySet)
      const isSigned = await jwtVerify(assertion, keys, {
        algorithms: [...assertionAlgorithms],
        clockTolerance: toleranceSeconds,
      }).then(
        () => true,
        () => false,
      )
      if (!row || !isSigned) {
        await attempts.failed('assertion', key, address)
        throw refused('The assertion is not signed with a key of this credential, or the credential has ended.')
      }
      if (!(await useOnce(database, row.id, claims))) {
        throw refused('This assertion was used before. Make a new one, with a new jti, for each request.')
      }
      attempts.succeeded('assertion', key, address)
      return { key, principal: credentialPrincipal(row, null) }
    },
  }
}

interface Claims {
  readonly sub: string
  readonly exp: number
  readonly jti: string
  readonly aud: JWTPayload['aud']
  readonly nbf: number | undefined
}

function readClaims(assertion: string): Claims {
  let payload: JWTPayload
  try {
    payload = decodeJwt(assertion)
  } catch (cause) {
    throw new SluiceError('UNAUTHENTICATED', 'client_assertion is not a JWT.', { cause })
  }
  const { iss, sub, exp, jti, aud, nbf } = payload
  if (typeof sub !== 'string' || sub !== iss) throw refused('The assertion needs "iss" and "sub", both your API key.')
  if (typeof exp !== 'number') throw refused('The assertion needs "exp".')
  if (typeof jti !== 'string' || jti.length < 1 || jti.length > 255) {
    throw refused('The assertion needs "jti": a text of its own, up to 255 characters.')
  }
  return { sub, exp, jti, aud, nbf }
}

function checkClaims({ aud, exp }: Claims, audiences: readonly string[]): void {
  // One audience only: an assertion for several could be passed on from one to the other.
  const named = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud
  if (typeof named !== 'string' || !audiences.includes(named)) {
    throw refused(`The assertion must be for this server alone: "aud" must be "${audiences[0]}".`)
  }
  const left = exp - Date.now() / 1000
  if (left < -toleranceSeconds) throw refused('The assertion has ended. Make a new one for each request.')
  if (left > longestLifeSeconds + toleranceSeconds) {
    throw refused(`The assertion lives too long: "exp" may be at most ${longestLifeSeconds} seconds from now.`)
  }
}

/** Whether this is the first time. The insert is the check, so that two requests at once cannot both be first. */
async function useOnce({ pool }: Database, credentialId: string, { jti, exp }: Claims): Promise<boolean> {
  const { rowCount } = await pool.query(
    `insert into client_assertions (credential_id, jti, expires_at) values ($1, $2, to_timestamp($3)) on conflict do nothing`,
    [credentialId, jti, exp + toleranceSeconds + 1],
  )
  return rowCount === 1
}

function refused(message: string): SluiceError {
  return new SluiceError('UNAUTHENTICATED', message)
}
