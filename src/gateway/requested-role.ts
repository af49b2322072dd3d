/** `x-hasura-role`: clients of Hasura name their role; here a principal has one, and may only name that. */
import type { Principal } from '../access/principal.ts'
import { SluiceError } from '../errors.ts'

/** @throws SluiceError FORBIDDEN when another role than the principal's own is asked for. */
export function checkRequestedRole(requested: unknown, { role }: Principal): void {
  if (requested === undefined || requested === null || requested === role) return
  throw new SluiceError(
    'FORBIDDEN',
    `Your role is "${role}", and x-hasura-role asks for "${String(requested).slice(0, 40)}". Leave it out, or send your own.`,
  )
}
