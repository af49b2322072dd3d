/** What the GraphQL actions of sessions do. */
import { noteForAudit } from '../access/audit-notes.ts'
import { type SchemaParts, upsertPayloadSchema } from './payload-schemas.ts'
import { revalidateSession } from './publish.ts'
import { type PurgeParts, purgeSession } from './purge.ts'
import type { SessionActions } from './schema.ts'
import { submitSession } from './submit.ts'
import { updateSession } from './update.ts'

export interface SessionActionParts extends SchemaParts, Omit<PurgeParts, 'pool'> {
  /** Days after submission, where the team has not set its own. */
  readonly retentionDays: number
  /** Called when rows have changed. */
  readonly committed: () => void
}

export function createSessionActions(parts: SessionActionParts): SessionActions {
  const { database, committed, retentionDays } = parts
  return {
    async submit(object, context) {
      const { principal, address, requestId } = context
      const result = await submitSession(object, { ...parts, principal, retentionDays, address, requestId })
      if (result.created) {
        noteForAudit(context, { recorded: true })
        committed()
      }
      return result
    },
    async update(object, { principal }) {
      const result = await updateSession(object, { ...parts, principal })
      if (result.changed) committed()
      return result
    },
    async revalidate(which, { principal }) {
      const result = await revalidateSession(which, { ...parts, principal })
      if (result.checked > 0) committed()
      return result
    },
    async purge(which, context) {
      noteForAudit(context, { session_ids: [which.id], detail: { reason: which.reason.slice(0, 200) } })
      try {
        return await purgeSession(which, { ...parts, pool: database.pool, principal: context.principal })
      } finally {
        committed()
      }
    },
    upsertSchema: async (object, { principal }) => {
      const result = await upsertPayloadSchema(object, principal, parts)
      committed()
      return result
    },
  }
}
