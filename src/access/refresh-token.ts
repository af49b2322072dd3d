/**
 * Refresh tokens: `sluicerefresh_` and, in base64url, the sign-in's id, 256 secret
 * bits, and a tag that shows the token was made here.
 *
 * Each token determines the one after it, under a key of the installation. So an
 * answer that was lost on its way is given again word for word, and two tabs that
 * refresh at once get the same token; nobody's chain forks. The tag tells an old
 * token of ours, which says that somebody has a copy, from one that was made up.
 */
import { createHash, createHmac, hkdfSync, randomBytes, timingSafeEqual } from 'node:crypto'

export interface RefreshTokens {
  /** The first of a sign-in. */
  first(signInId: string): string
  /** The one that replaces it. */
  next(token: string): string
  /** The sign-in it is of; null when it was not made here. */
  signInOf(token: string): string | null
}

const form = /^sluicerefresh_([\w-]{22})([\w-]{43})([\w-]{11})$/

/** @param secretKey `SLUICE_SECRET_KEY` */
export function createRefreshTokens(secretKey: string): RefreshTokens {
  const derive = (use: string) => Buffer.from(hkdfSync('sha256', Buffer.from(secretKey, 'base64'), '', use, 32))
  const chainKey = derive('sluice refresh token chain')
  const tagKey = derive('sluice refresh token tag')
  const tagged = (id: string, secret: string) => {
    const tag = createHmac('sha256', tagKey).update(id).update(secret).digest().subarray(0, 8)
    return `sluicerefresh_${id}${secret}${tag.toString('base64url')}`
  }
  return {
    first(signInId) {
      const id = Buffer.from(signInId.replaceAll('-', ''), 'hex').toString('base64url')
      return tagged(id, randomBytes(32).toString('base64url'))
    },
    next(token) {
      const [, id = '', secret = ''] = form.exec(token) ?? []
      return tagged(id, createHmac('sha256', chainKey).update(id).update(secret).digest('base64url'))
    },
    signInOf(token) {
      const [, id, secret] = form.exec(token) ?? []
      if (!id || !secret) return null
      const right = Buffer.from(tagged(id, secret))
      const given = Buffer.from(token)
      if (right.length !== given.length || !timingSafeEqual(right, given)) return null
      const hex = Buffer.from(id, 'base64url').toString('hex')
      return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
    },
  }
}

/** What is kept of a secret of 256 random bits: a slow hash would add nothing. */
export function tokenHash(token: string): Buffer {
  return createHash('sha256').update(token).digest()
}

/** A secret for a link that is used once. */
export function newLinkToken(): string {
  return randomBytes(32).toString('base64url')
}
