/** The GraphQL schema of each role: what a role cannot use is not in it. */
import { type GraphQLSchema, lexicographicSortSchema, printSchema } from 'graphql'
import type { Audit } from '../access/audit.ts'
import type { Role } from '../access/principal.ts'
import { addInboundActions, type InboundActions } from '../connectors/inbound-schema.ts'
import { addProductionActions, type ProductionActions } from '../connectors/production-schema.ts'
import { addConnectorActions, type ConnectorActions } from '../connectors/schema.ts'
import { addFileActions, type FileActions } from '../files/schema.ts'
import { addDestinationActions, type DestinationActions } from '../sessions/destinations-schema.ts'
import { addSessionActions, type SessionActions } from '../sessions/schema.ts'
import { createBuilder } from '../tables/builder.ts'
import { type Model, readModel } from '../tables/model.ts'
import { type RoleView, roleView } from '../tables/role-view.ts'
import { addTables } from '../tables/schema.ts'
import { addWebhookActions, type WebhookActions } from '../webhooks/schema.ts'
import { addWatchActions, type WatchActions } from './activity-schema.ts'
import { auditActions } from './audit-actions.ts'
import { addCredentialActions, type CredentialActions } from './credential-schema.ts'
import { addPeopleActions, type PeopleActions } from './people-schema.ts'

export interface RoleSchema {
  readonly schema: GraphQLSchema
  readonly view: RoleView
}

export interface Actions {
  readonly sessions: SessionActions
  readonly destinations: DestinationActions
  readonly webhooks: WebhookActions
  readonly credentials: CredentialActions
  readonly people: PeopleActions
  readonly files: FileActions
  readonly connectors: ConnectorActions
  readonly inbound: InboundActions
  readonly production: ProductionActions
  readonly watch: WatchActions
}

export type RoleSchemas = (role: Role) => RoleSchema

/**
 * Schemas are built when a role first asks, and kept.
 *
 * @param audit where actions are recorded; without it, for printing only, nowhere
 */
export function createRoleSchemas(actions: Actions, audit: Audit | null = null): RoleSchemas {
  const model = readModel()
  const made = new Map<Role, RoleSchema>()
  return (role) => {
    let schema = made.get(role)
    if (!schema) {
      schema = buildRoleSchema(model, role, actions, audit)
      made.set(role, schema)
    }
    return schema
  }
}

function buildRoleSchema(model: Model, role: Role, actions: Actions, audit: Audit | null): RoleSchema {
  const builder = createBuilder()
  const view = roleView(model, role)
  builder.queryType({})
  if (view.tables.size > 0) builder.subscriptionType({})
  builder.mutationType({})
  addTables(builder, view)
  addSessionActions(builder, role, actions.sessions)
  addDestinationActions(builder, role, actions.destinations)
  addWebhookActions(builder, role, actions.webhooks)
  addCredentialActions(builder, role, actions.credentials)
  addPeopleActions(builder, role, actions.people)
  addFileActions(builder, role, actions.files)
  addConnectorActions(builder, role, actions.connectors)
  addInboundActions(builder, role, actions.inbound)
  addProductionActions(builder, role, actions.production)
  addWatchActions(builder, role, actions.watch)
  const schema = builder.toSchema({ sortSchema: false })
  return { schema: audit ? auditActions(schema, view, audit) : schema, view }
}

/** The schema of a role as SDL, sorted, for snapshots and for `schema.graphql`. */
export function printRoleSchema(schema: GraphQLSchema): string {
  return `${printSchema(lexicographicSortSchema(schema))}\n`
}
