/**
 * Access that has ended before its tokens did. Fed by the change feed, so every
 * gateway process knows within a moment; asked at every request, so a token that is
 * still valid on paper opens nothing.
 *
 * A principal stands on several things, each with an id: the credential or person,
 * the token, the secret or sign-in it came from, the integration and the team. When
 * one of them ends, so does what stands on it. For a person there is also a moment
 * before which tokens are void.
 */
import { SluiceError } from '../errors.ts'
import type { Principal } from './principal.ts'

export interface Revocations {
  /** @throws SluiceError UNAUTHENTICATED when the access of this principal has ended. */
  check(principal: Principal): void
  /** Calls back once, when this one's access ends; returns how to stop waiting. */
  onRevoked(principal: Principal, callback: () => void): () => void
  /** Ends what stands on this id: of a credential, person, token, secret, sign-in, integration or team. */
  revoke(id: string): void
  /** Access that was given back. Sockets that were closed stay closed. */
  restore(id: string): void
  /** Tokens of this person that were issued before `moment` are void. */
  voidBefore(personId: string, moment: Date): void
  /** Forgets everything, because it is about to be told anew. */
  clear(): void
  /** Forgets what ended longer ago than any token lives. */
  prune(): void
}

export interface RevocationsOptions {
  /** What ended longer ago has no live token. Connections without an end were told when it ended. @default a day and a minute, the longest life of a token */
  readonly keptMs?: number
}

/** What a principal is told whose access has ended. */
export function accessEnded(): SluiceError {
  return new SluiceError(
    'UNAUTHENTICATED',
    'This access was revoked. Ask the team that gave it to you for a new credential, or sign in again.',
  )
}

interface Waiting {
  readonly principal: Principal
  readonly callback: () => void
}

export function createRevocations({ keptMs = 86_460_000 }: RevocationsOptions = {}): Revocations {
  const ended = new Map<string, number>()
  const voided = new Map<string, number>()
  const waiting = new Map<string, Set<Waiting>>()

  function hasEnded(principal: Principal): boolean {
    for (const id of standsOn(principal)) if (ended.has(id)) return true
    const moment = voided.size > 0 ? voided.get(principal.id) : undefined
    // What was not got with a token, and so has no issuedAt, was checked against the database this moment.
    return moment !== undefined && principal.issuedAt != null && principal.issuedAt.getTime() < moment
  }

  function tell(id: string, isMeant: (principal: Principal) => boolean): void {
    // A callback takes itself off the list, so the list is copied.
    for (const one of [...(waiting.get(id) ?? [])]) {
      if (!isMeant(one.principal)) continue
      stopWaiting(one)
      one.callback()
    }
  }

  function stopWaiting(one: Waiting): void {
    for (const id of standsOn(one.principal)) {
      const set = waiting.get(id)
      set?.delete(one)
      if (set?.size === 0) waiting.delete(id)
    }
  }

  return {
    check(principal) {
      if (hasEnded(principal)) throw accessEnded()
    },
    onRevoked(principal, callback) {
      if (hasEnded(principal)) {
        callback()
        return () => undefined
      }
      const one = { principal, callback }
      for (const id of standsOn(principal)) waiting.set(id, (waiting.get(id) ?? new Set()).add(one))
      return () => stopWaiting(one)
    },
    revoke(id) {
      ended.set(id, Date.now())
      tell(id, () => true)
    },
    restore(id) {
      ended.delete(id)
    },
    voidBefore(personId, moment) {
      voided.set(personId, moment.getTime())
      tell(personId, hasEnded)
    },
    clear() {
      ended.clear()
      voided.clear()
    },
    prune() {
      const oldest = Date.now() - keptMs
      for (const [id, at] of ended) if (at < oldest) ended.delete(id)
      for (const [id, moment] of voided) if (moment < oldest) voided.delete(id)
    },
  }
}

/** The ids that a principal's access stands on. */
function standsOn({ id, tokenId, signInId, integrationId, teamId }: Principal): string[] {
  const ids = [id]
  if (tokenId) ids.push(tokenId)
  if (signInId) ids.push(signInId)
  if (integrationId) ids.push(integrationId)
  if (teamId) ids.push(teamId)
  return ids
}
