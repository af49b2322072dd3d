/** Refusals at the entrances: who could not say who they are, asked for another role, or asked for too much. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Audit } from '../access/audit.ts'
import { decodeBasic } from '../access/authenticate.ts'
import { keyPattern } from '../access/key-format.ts'
import type { Principal } from '../access/principal.ts'
import type { SluiceError } from '../errors.ts'

export interface Entrance {
  /** Where it was: `http`, `socket`, `token`, `audit`. */
  readonly name: string
  readonly principal?: Principal | undefined
  readonly authorization?: string | undefined
  readonly address: string | null
  readonly requestId: string
}

const recorded = new Set(['UNAUTHENTICATED', 'FORBIDDEN', 'BLOCKED', 'RATE_LIMITED'])

/** Records `error` if it is a refusal. Equal ones of a minute become one entry. */
export function auditRefusal(
  audit: Audit,
  { code, details }: Pick<SluiceError, 'code' | 'details'>,
  { name, principal, authorization, address, requestId }: Entrance,
): void {
  if (!recorded.has(code)) return
  const limit = details?.limit
  const key = principal ? null : claimedKey(authorization)
  audit.refused({
    ...(principal ? { principal } : { actor: { kind: key ? 'credential' : 'anonymous' } }),
    operation: principal ? 'operation' : 'authenticate',
    outcome: 'refused',
    address,
    request_id: requestId,
    detail: { code, entrance: name, ...(key ? { key } : {}), ...(limit ? { limit } : {}) },
  })
}

/** The key that was claimed, which is public; nothing else of what stands there. */
function claimedKey(authorization: string | undefined): string | null {
  const basic = /^basic +(\S+)$/i.exec(authorization ?? '')?.[1]
  if (!basic) return null
  try {
    const { key } = decodeBasic(basic)
    return keyPattern.test(key) ? key : null
  } catch {
    return null
  }
}

/** What the token endpoints refused, by the answer that they gave. */
export function auditTokenRefusal(
  audit: Audit,
  { headers: { authorization } }: IncomingMessage,
  { statusCode }: ServerResponse,
  { address, requestId }: Pick<Entrance, 'address' | 'requestId'>,
): void {
  const code = codes[statusCode]
  if (code) auditRefusal(audit, { code, details: undefined }, { name: 'token', authorization, address, requestId })
}

const codes: Readonly<Record<number, SluiceError['code']>> = {
  401: 'UNAUTHENTICATED',
  403: 'FORBIDDEN',
  429: 'RATE_LIMITED',
}
