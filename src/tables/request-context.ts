/** What every GraphQL operation carries, on each transport. */
import type { GraphQLResolveInfo } from 'graphql'
import type { Principal } from '../access/principal.ts'

export interface RequestContext {
  readonly principal: Principal
  /** Unique per request; in the log, in audit entries and in the `x-request-id` header. */
  readonly requestId: string
  readonly address: string | null
  /** What the client calls itself. */
  readonly userAgent?: string | null
  /** Answers one table root field, when an operation has other root fields beside it. */
  readonly resolveRoot: (info: GraphQLResolveInfo) => Promise<unknown>
}
