/**
 * Writes the published JSON Schemas anew: `node src/travel/write-schemas.ts`, after model.ts was changed. Take care that
 * what was valid stays valid, or raise `travelSchemaVersion` and keep the old files.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { travelJsonSchema, travelSchemaNames, travelSchemaVersion } from './json-schemas.ts'

const folder = path.join(import.meta.dirname, 'schemas')
await mkdir(folder, { recursive: true })
for (const name of travelSchemaNames) {
  const text = `${JSON.stringify(travelJsonSchema(name), null, 2)}\n`
  await writeFile(path.join(folder, `${name}-${travelSchemaVersion}.json`), text)
}
