/** What the actions about destinations do. */
import type { Database } from '../database/database.ts'
import { removeDestination, withdrawGrant } from './destinations.ts'
import { availableIntegrations } from './destinations-available.ts'
import type { DestinationActions } from './destinations-schema.ts'

export interface DestinationActionsOptions {
  readonly database: Database
  /** Called when rows have changed. */
  readonly committed: () => void
}

export function createDestinationActions({ database, committed }: DestinationActionsOptions): DestinationActions {
  return {
    available: (flowId, { principal }) => availableIntegrations(database.pool, flowId, principal),

    async remove(id, withdrawGrants, context) {
      const withdrawn = await removeDestination(id, withdrawGrants, { ...context, database })
      committed()
      return withdrawn
    },

    async withdraw(grant, context) {
      const withdrawn = await withdrawGrant(grant, { ...context, database })
      committed()
      return withdrawn
    },
  }
}
