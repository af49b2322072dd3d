import path from 'node:path'
import { expect, it } from 'vitest'
import { roles } from '../src/access/principal.ts'
import { printSchemaOf } from '../src/gateway/print-schema.ts'

it.each(roles)('the schema of the role %s is the one that was agreed', async (role) => {
  // An admin's is everything there is, which is the project's own schema.graphql.
  const file = role === 'admin' ? '../schema.graphql' : `schema-snapshots/${role}.graphql`
  await expect(printSchemaOf(role)).toMatchFileSnapshot(path.join(import.meta.dirname, file))
})
