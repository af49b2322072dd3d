/** The client that anybody can make from the contract: it compiles, strictly, and the program of docs/rest.md runs with it. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { aSession, buildWorld, type World } from '../ground/world.ts'
import { contractFile } from './contract.ts'

const run = promisify(execFile)
const root = path.join(import.meta.dirname, '../..')
const bin = (name: string) => path.join(root, 'node_modules/.bin', name)
let world: World
let folder: string

/** What must not compile: the types are of use only if they refuse. */
const misuse = `
import { getSession, listEvents, submitSession } from './client.ts'
export async function misuse() {
  // @ts-expect-error an event that there is not
  await listEvents({ query: { types: ['session.lost'] } })
  // @ts-expect-error a session belongs to a flow
  await submitSession({ body: { team: 'camden', data: {} } })
  // @ts-expect-error it has no such member
  return (await getSession({ path: { id: 'x' } })).secret
}
`

beforeAll(async () => {
  world = await buildWorld()
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-client-'))
  await run(
    bin('redocly'),
    ['generate-client', contractFile, '-o', path.join(folder, 'client.ts'), '--import-ext', 'ts'],
    { env: { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' } },
  )
  const docs = await readFile(path.join(root, 'docs/rest.md'), 'utf8')
  const program = /```ts\n(\/\/ follow\.ts\n[\s\S]*?)```/.exec(docs)?.[1] ?? ''
  await writeFile(path.join(folder, 'follow.ts'), program)
  await writeFile(path.join(folder, 'misuse.ts'), misuse)
  await writeFile(path.join(folder, 'package.json'), '{"type":"module"}')
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'))
  const compilerOptions = {
    strict: true,
    noEmit: true,
    target: 'es2024',
    module: 'nodenext',
    lib: ['es2024', 'dom', 'dom.iterable'],
    types: ['node'],
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: false,
    skipLibCheck: true,
  }
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }))
}, 60_000)
afterAll(async () => {
  await world?.close()
  await rm(folder, { recursive: true, force: true })
})

test('it compiles with all checks, and refuses what the contract does not have', async () => {
  const { stdout } = await run(bin('tsc'), ['--pretty', 'false', '-p', folder]).catch((error) => error)
  expect(stdout).toBe('')
})

test('it follows events and fetches sessions of a real gateway', async () => {
  const { id } = await world.submit(aSession(world.camden, { data: { answer: 42 } }))
  const { key, secret } = world.camden.granted.consumer
  const env = {
    PATH: process.env.PATH,
    SLUICE_URL: world.url,
    SLUICE_KEY: key,
    SLUICE_SECRET: secret,
    SLUICE_ONCE: 'yes',
  }
  const { stdout } = await run(process.execPath, [path.join(folder, 'follow.ts')], { env })
  expect(JSON.parse(stdout)).toEqual({ flow: 'apply', revision: 1, data: { answer: 42 } })
  const { rows } = await world.database.pool.query(
    'select first_retrieved_at from session_grants where session_id = $1',
    [id],
  )
  expect(rows[0].first_retrieved_at).not.toBeNull()
})
