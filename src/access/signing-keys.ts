/**
 * The keys that sign access tokens, in the table `signing_keys`, shared by all
 * processes.
 *
 * A key's life, told from times alone so that all processes agree without talking:
 * PUBLISHED from its making, so that everybody who keeps a copy of the JWKS knows it
 * before it is needed; SIGNING from `leadMs` later, until the next key signs;
 * VERIFYING until the last token that it signed has ended; then RETIRED
 * (`retired_at`), in nobody's JWKS. A key that was retired early, because it
 * leaked, verifies nothing from then on. The very first key signs at once.
 */
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import type pg from 'pg'
import { type Database, inTransaction } from '../database/database.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Sealer } from './seal.ts'

export interface SigningKeys {
  /** What signs now. */
  signer(): { readonly kid: string; readonly key: CryptoKey | Uint8Array }
  /** The public key of `kid`; looks for new keys, seldom, when it is unknown. Undefined for none. */
  find(kid: string): Promise<CryptoKey | Uint8Array | undefined>
  readonly jwks: { readonly keys: readonly JWK[] }
  /** Calls back when a key has been retired: what it signed is void. */
  onRetired(callback: () => void): void
  /** Reads the keys again, and makes a new one when the newest is old. */
  refresh(): Promise<void>
  close(): void
}

export interface SigningKeysOptions {
  readonly database: Database
  readonly sealer: Sealer
  readonly log: Log
  /** Age at which the newest key gets a successor. */
  readonly keyDays: number
  /** The longest life of a token. */
  readonly tokenSeconds: number
  /** How long a key is published before it signs. @default 10 minutes: twice what our JWKS may be cached */
  readonly leadMs?: number
  /** How often other processes' changes are looked for. @default 5 seconds: a retired key is void soon */
  readonly refreshMs?: number
}

/** How long our JWKS may be cached, in seconds. */
export const jwksSeconds = 300
const usualLeadMs = 2 * jwksSeconds * 1000
export const tokenKeyPurpose = 'token-signing-key'
/** Tokens with invented key ids must not turn into queries. */
const unknownKidPauseMs = 2_000

/** The key with an age. @internal */
export interface AgedKey {
  readonly kid: string
  readonly created_at: Date
}

/**
 * Which key signs at `now`, and which are still published. Newest first.
 *
 * @internal exported for its test
 */
export function keysAt<K extends AgedKey>(
  keys: readonly K[],
  { now, leadMs, tokenMs }: { readonly now: number; readonly leadMs: number; readonly tokenMs: number },
): { readonly signer: K | undefined; readonly published: readonly K[] } {
  const newestFirst = [...keys].sort((a, b) => b.created_at.getTime() - a.created_at.getTime())
  const signsFrom = (index: number) =>
    index === newestFirst.length - 1 ? 0 : (newestFirst[index] as K).created_at.getTime() + leadMs
  const signing = newestFirst.findIndex((_, index) => signsFrom(index) <= now)
  // One that has a successor signed its last token when that began to.
  const published = newestFirst.filter((_, index) => index <= signing || signsFrom(index - 1) + tokenMs > now)
  return { signer: newestFirst[signing], published }
}

interface StoredKey extends AgedKey {
  readonly public_jwk: JWK
  readonly sealed: Buffer
}

interface OpenKey extends StoredKey {
  readonly publicKey: CryptoKey | Uint8Array
  readonly privateKey: CryptoKey | Uint8Array
}

export async function openSigningKeys(options: SigningKeysOptions): Promise<SigningKeys> {
  const { database, sealer, log, keyDays, tokenSeconds, leadMs = usualLeadMs, refreshMs = 5_000 } = options
  // Processes may be configured differently for a while, and clocks differ.
  const tokenMs = (tokenSeconds + 60) * 1000
  const retiredListeners: (() => void)[] = []
  let keys: readonly OpenKey[] = []
  let reading: Promise<void> | null = null
  let lookedForUnknown = 0

  const standing = () => keysAt(keys, { now: Date.now(), leadMs, tokenMs })

  function refresh(): Promise<void> {
    reading ??= read().finally(() => {
      reading = null
    })
    return reading
  }

  async function read(): Promise<void> {
    let stored = await readKeys(database.pool)
    const newest = stored[0]
    if (!newest || newest.created_at.getTime() < Date.now() - keyDays * 86_400_000) {
      await makeKeyIfOld(database, sealer, keyDays)
      stored = await readKeys(database.pool)
    }
    const { published } = keysAt(stored, { now: Date.now(), leadMs, tokenMs })
    for (const { kid } of stored.slice(published.length)) await retireKeys(database.pool, [kid])
    const opened = await Promise.all(
      published.map((key) => keys.find(({ kid }) => kid === key.kid) ?? openKey(key, sealer)),
    )
    const isGone = keys.some(({ kid }) => !opened.some((key) => key.kid === kid))
    keys = opened
    if (isGone) for (const callback of retiredListeners) callback()
  }

  await refresh()
  const timer = setInterval(() => {
    refresh().catch((error) =>
      log.warn({ error: messageOf(error) }, 'the signing keys could not be read; trying again'),
    )
  }, refreshMs).unref()

  return {
    signer() {
      const { signer } = standing()
      if (!signer) throw new Error('there is no signing key')
      return { kid: signer.kid, key: signer.privateKey }
    },
    async find(kid) {
      const known = keys.find((key) => key.kid === kid)
      if (known) return known.publicKey
      if (Date.now() - lookedForUnknown < unknownKidPauseMs) return undefined
      lookedForUnknown = Date.now()
      await refresh()
      return keys.find((key) => key.kid === kid)?.publicKey
    },
    get jwks() {
      return { keys: standing().published.map((key) => key.public_jwk) }
    },
    onRetired: (callback) => void retiredListeners.push(callback),
    refresh,
    close: () => clearInterval(timer),
  }
}

/**
 * Makes a new key. It signs ten minutes from now, and the old ones verify until their tokens have ended; with
 * `retireOld` it signs at once, and every token that was ever given out is void.
 *
 * @returns the new key's id.
 * @throws SluiceError CONFIGURATION when keys stay that another secret key sealed: no gateway could open all of them.
 */
export function rotateSigningKeys(
  { pool }: Database,
  sealer: Sealer,
  { retireOld = false }: { readonly retireOld?: boolean } = {},
): Promise<string> {
  return inTransaction(pool, async (client) => {
    await lockKeys(client)
    if (retireOld)
      await client.query(`update signing_keys set retired_at = now() where use = 'token' and retired_at is null`)
    else await checkSecretKey(client, sealer)
    return makeKey(client, sealer)
  })
}

/** Many processes may find at once that the newest key is old; one makes the next. */
async function makeKeyIfOld({ pool }: Database, sealer: Sealer, keyDays: number): Promise<void> {
  await inTransaction(pool, async (client) => {
    await lockKeys(client)
    const { rows } = await client.query(
      `select 1 from signing_keys where use = 'token' and retired_at is null and created_at > now() - make_interval(secs => $1)`,
      [keyDays * 86_400],
    )
    if (rows.length === 0) await makeKey(client, sealer)
  })
}

async function makeKey(client: pg.PoolClient, sealer: Sealer): Promise<string> {
  const { publicKey, privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const publicJwk = await exportJWK(publicKey)
  const kid = await calculateJwkThumbprint(publicJwk)
  await client.query(`insert into signing_keys (kid, use, public_jwk, sealed) values ($1, 'token', $2, $3)`, [
    kid,
    { ...publicJwk, kid, use: 'sig', alg: 'EdDSA' },
    sealer.seal(JSON.stringify(await exportJWK(privateKey)), tokenKeyPurpose),
  ])
  return kid
}

async function openKey(key: StoredKey, sealer: Sealer): Promise<OpenKey> {
  const privateJwk = JSON.parse(sealer.open(key.sealed, tokenKeyPurpose))
  return {
    ...key,
    publicKey: await importJWK(key.public_jwk, 'EdDSA'),
    privateKey: await importJWK(privateJwk, 'EdDSA'),
  }
}

/**
 * For a process that starts: with another key than this installation's it could open nothing, and would fail at each
 * delivery that is due.
 *
 * @throws SluiceError CONFIGURATION
 */
export async function checkSecretKey(pool: Pick<pg.ClientBase, 'query'>, sealer: Sealer): Promise<void> {
  const [newest] = await readKeys(pool)
  if (newest) sealer.open(newest.sealed, tokenKeyPurpose)
}

async function lockKeys(client: pg.PoolClient): Promise<void> {
  await client.query(`select pg_advisory_xact_lock(hashtext('sluice signing keys'))`)
}

async function readKeys(pool: Pick<pg.ClientBase, 'query'>): Promise<StoredKey[]> {
  const { rows } = await pool.query<StoredKey>({
    name: 'read-signing-keys',
    text: `select kid, public_jwk, sealed, created_at from signing_keys
            where use = 'token' and retired_at is null order by created_at desc`,
  })
  return rows
}

async function retireKeys(pool: pg.Pool, kids: readonly string[]): Promise<void> {
  await pool.query('update signing_keys set retired_at = now() where kid = any($1) and retired_at is null', [kids])
}
