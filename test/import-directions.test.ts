import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { expect, test } from 'vitest'
import { checkImportDirections, importsOf, wrongDirection } from '../.ci/import-directions.mjs'

test.each([
  ['sessions/submit.ts', 'access/principal.ts'],
  ['gateway/gateway.ts', 'files/store.ts'],
  ['tables/query.ts', 'tables/sql/writer.ts'],
  ['config.ts', 'errors.ts'],
  ['main.ts', '../prisma/generate.mjs'],
  ['main.ts', 'cli/program.ts'],
])('%s may import %s', (from, to) => {
  expect(wrongDirection(from, to)).toBeUndefined()
})

test.each([
  ['access/principal.ts', 'sessions/submit.ts', 'above'],
  ['webhooks/carrier.ts', 'connectors/bundle.ts', 'one layer'],
  ['gateway/gateway.ts', 'worker/worker.ts', 'one layer'],
  ['log.ts', 'database/database.ts', 'above'],
  ['console/app.ts', 'errors.ts', 'nothing else'],
  ['gateway/files.ts', 'console/app.ts', 'nothing may import'],
  ['tables/query.ts', '../test/ground/database.ts', 'tests'],
  ['helpers/things.ts', 'errors.ts', 'in no layer'],
])('%s may not import %s', (from, to, reason) => {
  expect(wrongDirection(from, to)).toContain(reason)
})

test('finds every kind of import and leaves packages and comments alone', () => {
  const source = `
import type { A } from './a.ts'
import {
  b,
  type B,
} from "../b.ts"
import './c.ts'
export * from './d.ts'
import pg from 'pg'
const e = await import('./e.ts')
type F = import('./f.ts').F
// see import of './g.ts'
const text = "from './h.ts'"
`
  expect(importsOf(source)).toEqual(['./a.ts', '../b.ts', './c.ts', './d.ts', './e.ts', './f.ts'])
})

test('names each wrong import of a folder once, tests aside', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'sluice-test-imports-'))
  for (const name of ['egress', 'worker', 'database/generated']) mkdirSync(path.join(folder, name), { recursive: true })
  const wrong = `import { work } from '../worker/worker.ts'\n`
  writeFileSync(path.join(folder, 'egress/dial.ts'), wrong)
  writeFileSync(path.join(folder, 'egress/dial.test.ts'), wrong)
  writeFileSync(path.join(folder, 'database/generated/client.ts'), `import '../../worker/worker.ts'\n`)
  writeFileSync(path.join(folder, 'worker/worker.ts'), `import { dial } from '../egress/dial.ts'\n`)
  expect(checkImportDirections(folder)).toEqual([
    'src/egress/dial.ts imports ../worker/worker.ts: worker/ is above egress/',
  ])
  rmSync(folder, { recursive: true })
})
