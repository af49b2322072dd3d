/** The moment a principal's access ends while it is connected: its token ends, or it is revoked. The same on every transport. */
import type { Principal } from '../access/principal.ts'
import { accessEnded, type Revocations } from '../access/revocations.ts'
import { SluiceError } from '../errors.ts'

/** The longest delay of a Node timer, 24.8 days; tokens live a day at most. */
const longestTimerMs = 2 ** 31 - 1

/** Calls back with what to tell the caller, once for each way to end; returns how to stop waiting. */
export function onAccessEnd(
  principal: Principal,
  revocations: Revocations,
  callback: (reason: SluiceError) => void,
): () => void {
  const stopWaiting = revocations.onRevoked(principal, () => callback(accessEnded()))
  const { expiresAt } = principal
  if (!expiresAt) return stopWaiting
  const timer = setTimeout(() => callback(tokenEnded()), Math.min(expiresAt.getTime() - Date.now(), longestTimerMs))
  return () => {
    stopWaiting()
    clearTimeout(timer)
  }
}

function tokenEnded(): SluiceError {
  return new SluiceError('UNAUTHENTICATED', 'The access token has ended; connect again with a new one.')
}
