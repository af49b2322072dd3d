import { SluiceError } from '../errors.ts'

/**
 * Whether trying again later may succeed: the connection was lost, the server is
 * starting or stopping, it is short of something, or a transaction lost a race.
 * Everything else Postgres says (SQLSTATE) will be said again.
 */
export function isPassing(error: unknown): boolean {
  if (error instanceof SluiceError) return false
  const code = error instanceof Error && 'code' in error ? String(error.code) : null
  // No SQLSTATE: the socket failed, or pg itself gave up.
  if (code === null || code.length !== 5) return true
  return ['08', '40', '53', '57', '58'].includes(code.slice(0, 2))
}
