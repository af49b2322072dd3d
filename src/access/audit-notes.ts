/**
 * What only the action itself knows about its audit entry. The gateway writes an entry for every action by itself; an
 * action that knows better who acted, or which sessions it was about, says so before it returns or throws.
 */
import type { AuditActor } from './audit.ts'
import type { Principal } from './principal.ts'

export interface AuditNote {
  /** Who it turned out to be: the person of a sign-in. */
  readonly principal?: Principal
  readonly actor?: AuditActor
  readonly team_id?: string | null
  readonly integration_id?: string | null
  readonly session_ids?: readonly string[]
  readonly ids?: Readonly<Record<string, string>>
  /** Small; never a secret, never data. */
  readonly detail?: Readonly<Record<string, unknown>>
  /** The action wrote the entry of its success itself, in its own statement. */
  readonly recorded?: boolean
}

/** By the context of the operation; root fields of a mutation run one after the other, so there is one at a time. */
const notes = new WeakMap<object, AuditNote>()

/**
 * Adds to the entry of the action that runs with `context`.
 *
 * @example
 * noteForAudit(context, { actor: { kind: 'person', id: user.id }, ids: { invitation_id } })
 */
export function noteForAudit(context: object, note: AuditNote): void {
  const before = notes.get(context)
  notes.set(context, { ...before, ...note })
}

/** @internal for the gateway: the note, once. */
export function takeAuditNote(context: object): AuditNote {
  const note = notes.get(context) ?? {}
  notes.delete(context)
  return note
}
