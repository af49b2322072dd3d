/** `schema.graphql`: what an admin sees, which is everything there is. */
import { createRoleSchemas, printRoleSchema } from './role-schemas.ts'

const notRun = () => {
  throw new Error('This schema is only printed.')
}

/** The printed schema of the role admin. */
export function printFullSchema(): string {
  const schemas = createRoleSchemas({ sessions: { submit: notRun }, people: { signIn: notRun } })
  return printRoleSchema(schemas('admin').schema)
}
