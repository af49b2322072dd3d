/** What the GraphQL actions of sessions do. */
import { noteForAudit } from '../access/audit-notes.ts'
import { requireOwn } from '../access/own.ts'
import type { RequestContext } from '../tables/request-context.ts'
import { type SchemaParts, upsertPayloadSchema } from './payload-schemas.ts'
import { revalidateSession } from './publish.ts'
import { type PurgeParts, purgeSession } from './purge.ts'
import type { SessionActions } from './schema.ts'
import { askModifier } from './settling-ask.ts'
import { readWaiting } from './settling-read.ts'
import { submitSession } from './submit.ts'
import { submitTestSession } from './test-session.ts'
import { updateSession } from './update.ts'

export interface SessionActionParts extends SchemaParts, Omit<PurgeParts, 'pool'> {
  /** Days after submission, where the team has not set its own. */
  readonly retentionDays: number
  /** Called when rows have changed. */
  readonly committed: () => void
  /** Called when a session waits for its modifiers: a worker is wanted at once. */
  readonly settling?: () => void
}

export function createSessionActions(parts: SessionActionParts): SessionActions {
  const { database, committed, retentionDays, settling } = parts
  const taking = (submit: typeof submitSession) => async (object: unknown, context: RequestContext) => {
    const { principal, address, requestId } = context
    const result = await submit(object, { ...parts, principal, retentionDays, address, requestId })
    if (result.created) {
      noteForAudit(context, { recorded: true })
      if (result.status === 'settling') settling?.()
      committed()
    }
    return result
  }
  return {
    submit: taking(submitSession),
    submitTest: taking(submitTestSession),
    async update(object, { principal }) {
      const result = await updateSession(object, { ...parts, principal })
      if (result.settling) settling?.()
      if (result.changed) committed()
      return result
    },
    async revalidate(which, { principal }) {
      const result = await revalidateSession(which, { ...parts, principal })
      if (result.published > 0) settling?.()
      if (result.checked > 0) committed()
      return result
    },
    async modify(which, context) {
      noteForAudit(context, { session_ids: [which.session_id] })
      await requireOwn(database.pool, 'connection', which.connection_id, context.principal)
      await requireOwn(database.pool, 'session', which.session_id, context.principal)
      await askModifier(database.pool, which)
      settling?.()
      return which
    },
    async waiting(session_id, { principal }) {
      await requireOwn(database.pool, 'session', session_id, principal, 'session_id')
      return readWaiting(database.pool, { session_id, open: principal.role === 'admin' })
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
