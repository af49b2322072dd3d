/** `schema.graphql`: what an admin sees, which is everything there is. */
import type { Role } from '../access/principal.ts'
import { createRoleSchemas, printRoleSchema } from './role-schemas.ts'

const notRun = () => {
  throw new Error('This schema is only printed.')
}

/** The printed schema of the role admin. */
export function printFullSchema(): string {
  return printSchemaOf('admin')
}

/** The printed schema of a role. */
export function printSchemaOf(role: Role): string {
  const schemas = createRoleSchemas({
    sessions: { submit: notRun },
    webhooks: { create: notRun, rotateSecret: notRun },
    people: { signIn: notRun },
  })
  return printRoleSchema(schemas(role).schema)
}
