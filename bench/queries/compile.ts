/** What the gateway would send to Postgres for a document of an admin, so that the ceiling runs the very same statements. */
import type { Principal } from '../../src/access/principal.ts'
import { Operations } from '../../src/gateway/operation.ts'
import { actionsNotRun } from '../../src/gateway/print-schema.ts'
import { createRoleSchemas } from '../../src/gateway/role-schemas.ts'
import { planOperation } from '../../src/tables/plan.ts'
import { selectStatement } from '../../src/tables/select.ts'

const admin: Principal = {
  kind: 'person',
  id: 'bench',
  role: 'admin',
  variables: {},
  teamId: null,
  integrationId: null,
  expiresAt: null,
}

export interface Compiled {
  readonly text: string
  readonly values: readonly unknown[]
}

/** @throws Error when the document is not valid for an admin or does not only read tables. */
export function compiled(query: string, variables: Readonly<Record<string, unknown>>): Compiled {
  const schemas = createRoleSchemas(actionsNotRun)
  const role = schemas('admin')
  const prepared = new Operations().prepare({ query, variables }, { kind: 'person', role: 'admin' }, role)
  if ('errors' in prepared) throw new Error(prepared.errors.map((error) => error.message).join('; '))
  const roots = planOperation({ ...prepared, schema: role.schema, view: role.view })
  if (!roots) throw new Error('The document does not only read tables.')
  return selectStatement(roots, {
    view: role.view,
    principal: admin,
    retentionAfterRetrievalDays: 5,
    request: { id: 'bench', address: null, operation: 'query' },
  })
}
