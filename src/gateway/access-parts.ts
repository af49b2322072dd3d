/** The parts that say who a caller is and whether their access still holds, put together once for a gateway process. */
import { type Attempts, createAttempts } from '../access/attempts.ts'
import { type Authenticator, createAuthenticator } from '../access/authenticate.ts'
import { type CredentialVerifier, createCredentialVerifier } from '../access/credentials.ts'
import { withOidc } from '../access/oidc.ts'
import { type AssertionVerifier, createAssertionVerifier } from '../access/private-key-jwt.ts'
import type { Revocations } from '../access/revocations.ts'
import type { Sealer } from '../access/seal.ts'
import { createSlowHash, type SlowHash } from '../access/slow-hash.ts'
import { createTokens, type Tokens } from '../access/tokens.ts'
import type { Config } from '../config.ts'
import type { Database } from '../database/database.ts'
import { createEgress, egressOptionsOf } from '../egress/egress.ts'
import type { Change, ChangeFeed } from '../live/change-feed.ts'
import type { Log } from '../log.ts'
import { type ClientAddress, createClientAddress } from './client-address.ts'
import { followRevocations } from './follow-revocations.ts'
import { oauthAddresses } from './oauth-metadata.ts'

export interface AccessParts {
  readonly clientAddress: ClientAddress
  readonly attempts: Attempts
  readonly slowHash: SlowHash
  readonly revocations: Revocations
  readonly tokens: Tokens
  readonly credentials: CredentialVerifier
  readonly assertions: AssertionVerifier
  readonly authenticator: Authenticator
  /** Writes what is left; call before the database is closed. */
  close(): Promise<void>
}

export interface AccessPartsOptions {
  readonly config: Config
  readonly database: Database
  readonly sealer: Sealer
  readonly feed: ChangeFeed
  readonly log: Log
}

export async function openAccess({ config, database, sealer, feed, log }: AccessPartsOptions): Promise<AccessParts> {
  const { SLUICE_ENVIRONMENT: environment, PUBLIC_URL: issuer, TOKEN_SECONDS: seconds } = config
  const clientAddress = createClientAddress(config.TRUST_PROXY)
  const attempts = createAttempts(database)
  const revocations = await followRevocations({ database, feed, tokenSeconds: seconds, log })
  const tokens = await createTokens({ database, sealer, issuer, seconds, keyDays: config.TOKEN_KEY_DAYS, log })
  const slowHash = createSlowHash()
  const credentials = createCredentialVerifier({ database, environment, attempts, slowHash, log })
  const { token: endpoint } = oauthAddresses(issuer)
  const assertions = createAssertionVerifier({ database, environment, attempts, audiences: [issuer, endpoint] })
  const egress = createEgress(egressOptionsOf(config))
  const stopForgetting = forgetWhatChanged(feed, credentials)
  return {
    clientAddress,
    attempts,
    slowHash,
    revocations,
    tokens,
    credentials,
    assertions,
    authenticator: createAuthenticator({
      tokens: withOidc(tokens, { database, egress, issuers: config.OIDC_ISSUERS }),
      credentials,
      revocations,
    }),
    async close() {
      stopForgetting()
      revocations.close()
      tokens.close()
      await credentials.close()
      await egress.close()
    },
  }
}

/** A remembered secret says what its credential said then. */
function forgetWhatChanged(feed: ChangeFeed, credentials: CredentialVerifier): () => void {
  const stopListening = feed.listen((changes) => {
    for (const change of changes) {
      const credential = credentialOf(change)
      if (credential !== null) credentials.forget(credential)
    }
  })
  const stopGaps = feed.onGap(() => credentials.forget())
  return () => {
    stopListening()
    stopGaps()
  }
}

/** The credential that a change is about: undefined for any, null for none. */
function credentialOf({ table, key, old, new: now }: Change): string | undefined | null {
  if (table === 'api_credentials') return String(key.id)
  // Most changes of secrets only say when one was last used.
  if (table === 'api_secrets')
    return old && now && old.expires_at === now.expires_at ? null : String((now ?? old)?.credential_id)
  return table === 'teams' || table === 'integrations' ? undefined : null
}
