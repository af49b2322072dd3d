/**
 * The authenticator for faces that count nothing themselves: one request for each time that somebody says who they
 * are, and an entry for each time that somebody fails to.
 */
import { randomUUID } from 'node:crypto'
import type { Audit } from '../access/audit.ts'
import type { Authenticator } from '../access/authenticate.ts'
import type { Limits } from '../access/limits.ts'
import { anonymous } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'
import { auditRefusal } from './audit-refusals.ts'

export interface GuardOptions {
  readonly authenticator: Authenticator
  readonly limits: Limits
  readonly audit: Audit
  /** The face, for the entry: `rest`. */
  readonly name: string
}

export function guardedAuthenticator({ authenticator, limits, audit, name }: GuardOptions): Authenticator {
  return {
    async authenticate(authorization, from) {
      const { address } = from
      let known = false
      try {
        const principal = await authenticator.authenticate(authorization, from)
        known = true
        await limits.request(principal, address)
        return principal
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error
        auditRefusal(audit, error, { name, authorization, address, requestId: randomUUID() })
        if (!known) await limits.request(anonymous, address)
        throw error
      }
    },
  }
}
