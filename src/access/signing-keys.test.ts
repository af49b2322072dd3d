import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type TestDatabase, testDatabase } from '../../test/ground/database.ts'
import { silentLog } from '../log.ts'
import type { Principal } from './principal.ts'
import { createSealer } from './seal.ts'
import { keysAt, openSigningKeys, rotateSigningKeys } from './signing-keys.ts'
import { createTokens } from './tokens.ts'

const minute = 60_000

describe('keysAt', () => {
  const at = (minutes: number) => new Date(minutes * minute)
  const old = { kid: 'old', created_at: at(0) }
  const next = { kid: 'next', created_at: at(1000) }
  const times = { leadMs: 10 * minute, tokenMs: 15 * minute }

  it.each([
    ['the only key at once', [old], 0, 'old', ['old']],
    ['the old key while the new one is only published', [next, old], 1009, 'old', ['next', 'old']],
    ['the new key from its lead on, and keeps the old one', [next, old], 1010, 'next', ['next', 'old']],
    ['the new key, and drops the old one when its last token has ended', [next, old], 1025, 'next', ['next']],
  ])('signs with %s', (_, keys, minutes, signer, published) => {
    const result = keysAt(keys, { now: minutes * minute, ...times })
    expect(result.signer?.kid).toBe(signer)
    expect(result.published.map(({ kid }) => kid)).toEqual(published)
  })
})

describe('signing keys of several processes', () => {
  let ground: TestDatabase
  beforeAll(async () => {
    ground = await testDatabase()
  })
  afterAll(() => ground?.close())
  const sealer = createSealer(randomBytes(32).toString('base64'))
  const principal: Principal = {
    kind: 'credential',
    id: '01900000-0000-7000-8000-000000000001',
    role: 'consumer',
    teamId: null,
    integrationId: null,
    expiresAt: null,
    variables: {},
  }
  const open = (options: { keyDays?: number; leadMs?: number } = {}) =>
    openSigningKeys({
      database: ground.database,
      sealer,
      log: silentLog,
      keyDays: 90,
      tokenSeconds: 900,
      refreshMs: 3_600_000,
      ...options,
    })

  it('are made once, however many start at the same time', async () => {
    const all = await Promise.all([open(), open(), open()])
    expect(new Set(all.map((keys) => keys.signer().kid)).size).toBe(1)
    for (const keys of all) keys.close()
  })

  it('rotate: the new key is published first, and a token that it signs is known to a process that has not seen it', async () => {
    const { database } = ground
    const issuer = 'http://localhost:1'
    const other = await createTokens({ database, sealer, issuer, seconds: 900 })
    const before = await open()
    const old = before.signer().kid
    const { token: oldToken } = await other.issue(principal)

    const made = await rotateSigningKeys(database, sealer)
    await before.refresh()
    expect(before.signer().kid).toBe(old)
    expect(before.jwks.keys.map(({ kid }) => kid)).toEqual([made, old])

    // Eleven minutes later, as far as the keys know.
    await database.pool.query(`update signing_keys set created_at = created_at - interval '11 minutes'`)
    const later = await createTokens({ database, sealer, issuer, seconds: 900 })
    const { token } = await later.issue(principal)
    expect(JSON.parse(Buffer.from(token.split('.')[0] as string, 'base64url').toString())).toMatchObject({ kid: made })
    expect(await other.verify(token)).toMatchObject({ id: principal.id })
    expect(await later.verify(oldToken)).toMatchObject({ id: principal.id })
    for (const keys of [before, other, later]) keys.close()
  })

  it('get a successor by age, by whoever looks first', async () => {
    const { database } = ground
    await database.pool.query(`update signing_keys set created_at = created_at - interval '91 days'`)
    const [one, two] = await Promise.all([open(), open()])
    expect(one.jwks.keys).toEqual(two.jwks.keys)
    expect(one.jwks.keys).toHaveLength(2)
    one.close()
    two.close()
  })

  it('void every token at once when one has leaked', async () => {
    const { database } = ground
    const issuer = 'http://localhost:1'
    const tokens = await createTokens({ database, sealer, issuer, seconds: 900 })
    const { token } = await tokens.issue(principal)
    await tokens.verify(token)
    const made = await rotateSigningKeys(database, sealer, { retireOld: true })
    const keys = await open()
    expect(keys.signer().kid).toBe(made)
    expect(keys.jwks.keys.map(({ kid }) => kid)).toEqual([made])
    const fresh = await createTokens({ database, sealer, issuer, seconds: 900 })
    await expect(fresh.verify(token)).rejects.toThrow(/not valid here/)
    // The process that remembers the token learns of it by a token with the new key.
    const { token: next } = await fresh.issue(principal)
    await tokens.verify(next)
    await expect(tokens.verify(token)).rejects.toThrow(/not valid here/)
    for (const one of [tokens, keys, fresh]) one.close()
  })
})
