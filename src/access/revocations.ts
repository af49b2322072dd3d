/**
 * Credentials and people whose access has ended before their tokens did. Fed by
 * the change feed, so every gateway process knows within a moment; asked at
 * every request, so a token that is still valid on paper opens nothing.
 */
import { SluiceError } from '../errors.ts'

export interface Revocations {
  /** @throws SluiceError UNAUTHENTICATED when the access of this credential or person has ended. */
  check(principalId: string): void
  /** Calls back once, when this one's access ends; returns how to stop waiting. */
  onRevoked(principalId: string, callback: () => void): () => void
  revoke(principalId: string): void
  /** Access that was given back. Sockets that were closed stay closed. */
  restore(principalId: string): void
}

/** What a principal is told whose access has ended. */
export function accessEnded(): SluiceError {
  return new SluiceError(
    'UNAUTHENTICATED',
    'This access was revoked. Ask the team that gave it to you for a new credential.',
  )
}

/** @param already ids that were revoked before this process started and whose tokens may still live. */
export function createRevocations(already: Iterable<string> = []): Revocations {
  const revoked = new Set(already)
  const waiting = new Map<string, Set<() => void>>()
  return {
    check(principalId) {
      if (revoked.has(principalId)) throw accessEnded()
    },
    onRevoked(principalId, callback) {
      if (revoked.has(principalId)) {
        callback()
        return () => undefined
      }
      const callbacks = waiting.get(principalId) ?? new Set()
      waiting.set(principalId, callbacks.add(callback))
      return () => {
        callbacks.delete(callback)
        if (callbacks.size === 0 && waiting.get(principalId) === callbacks) waiting.delete(principalId)
      }
    },
    revoke(principalId) {
      revoked.add(principalId)
      const callbacks = waiting.get(principalId) ?? []
      waiting.delete(principalId)
      for (const callback of callbacks) callback()
    },
    restore(principalId) {
      revoked.delete(principalId)
    },
  }
}
