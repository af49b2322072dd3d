/** How connectors reach the room of sessions: the two do not import each other. */
import type { Intake } from '../connectors/intake.ts'
import type { Database } from '../database/database.ts'
import { createSchemaChecker } from '../sessions/schema-checker.ts'
import { submitSession } from '../sessions/submit.ts'
import { updateSession } from '../sessions/update.ts'

export interface IntakeOptions {
  readonly database: Database
  /** Days after submission, where the team has not set its own. */
  readonly retentionDays: number
  /** Called when a session waits for its modifiers. */
  readonly settling?: () => void
}

export function createIntake({
  database,
  retentionDays,
  settling,
}: IntakeOptions): Intake & { close(): Promise<void> } {
  const checker = createSchemaChecker()
  const parts = { database, checker, retentionDays }
  return {
    async submit(submission, principal, extension) {
      const result = await submitSession(submission, { ...parts, principal, extension })
      if (result.status === 'settling') settling?.()
      return result
    },
    async update(change, principal, extension) {
      const result = await updateSession(change, { ...parts, principal, extension })
      if (result.settling) settling?.()
      return result
    },
    close: () => checker.close(),
  }
}
