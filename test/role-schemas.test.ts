import path from 'node:path'
import { expect, it } from 'vitest'
import { roles } from '../src/access/principal.ts'
import { printSchemaOf } from '../src/gateway/print-schema.ts'

it.each(roles)('the schema of the role %s is the one that was agreed', async (role) => {
  await expect(printSchemaOf(role)).toMatchFileSnapshot(
    path.join(import.meta.dirname, `schema-snapshots/${role}.graphql`),
  )
})
