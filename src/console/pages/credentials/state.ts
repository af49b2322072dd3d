import type { CredentialRow, SecretRow } from './queries.ts'

/** `works`; `ending` it works until a moment that is set; `revoked` and `expired` it works no more. */
export type CredentialState = 'works' | 'ending' | 'revoked' | 'expired'

export function stateOf(
  { revoked_at, expires_at }: Pick<CredentialRow, 'revoked_at' | 'expires_at'>,
  now: number,
): CredentialState {
  if (revoked_at) return 'revoked'
  if (!expires_at) return 'works'
  return Date.parse(expires_at) <= now ? 'expired' : 'ending'
}

/** Secrets that still open something. */
export function liveSecrets(secrets: readonly SecretRow[], now: number): readonly SecretRow[] {
  return secrets.filter(({ expires_at }) => expires_at === null || Date.parse(expires_at) > now)
}
