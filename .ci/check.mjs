// The quality gate: `npm run check`. With `-- --fix` it formats the code and
// rewrites schema.graphql instead of complaining. Checks run side by side and
// are reported in order; the exit code is 1 when one of them fails.
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { styleText } from 'node:util'
import { generate } from '../prisma/generate.mjs'
import { checkImportDirections } from './import-directions.mjs'

const root = path.join(import.meta.dirname, '..')
const fix = process.argv.includes('--fix')

/** Each resolves with `undefined` when all is well, a note when there was nothing to check, or rejects with what to do. */
const checks = {
  'format and lint': () =>
    run('biome', ['check', '--config-path', '.ci/lint.json', '--error-on-warnings', ...(fix ? ['--write'] : []), '.'], {
      hint: '"npm run check -- --fix" mends what can be mended.',
    }),
  'openapi.yaml': () =>
    run('redocly', ['lint', '--config', '.ci/redocly.yaml', 'openapi.yaml'], {
      hint: 'The contract of the REST face has to be valid OpenAPI 3.1.',
      env: { REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' },
    }),
  types: () => run('tsc', ['--pretty', 'false'], { hint: 'tsc found type errors.' }),
  'types of the console': () =>
    run('tsc', ['--pretty', 'false', '-p', 'src/console'], { hint: 'tsc found type errors in src/console.' }),
  'import directions': async () => {
    const problems = checkImportDirections(path.join(root, 'src'))
    if (problems.length > 0) throw new Error(`${problems.join('\n')}\nThe layers are in .ci/import-directions.mjs.`)
  },
  'schema.graphql': async () => {
    const source = path.join(root, 'src/gateway/print-schema.ts')
    if (!existsSync(source)) return 'skipped: src/gateway/print-schema.ts is not there yet'
    const { printFullSchema } = await import(source)
    const built = `${(await printFullSchema()).trim()}\n`
    const file = path.join(root, 'schema.graphql')
    const kept = existsSync(file) ? await readFile(file, 'utf8') : ''
    if (kept === built) return
    if (!fix) throw new Error(`${firstDifference(kept, built)}\n"npm run check -- --fix" rewrites schema.graphql.`)
    await writeFile(file, built)
    return 'rewritten'
  },
  migrations: async () => {
    const { removeEmbeddedPostgres, startEmbeddedPostgres } = await import('../src/database/embedded.ts')
    const { migrate, schemaDrift } = await import('../src/database/migrate.ts')
    const { silentLog } = await import('../src/log.ts')
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-check-'))
    await chmod(folder, 0o711)
    try {
      const postgres = await startEmbeddedPostgres({ folder, port: 0, log: silentLog, durable: false })
      try {
        await migrate(postgres.url)
        const drift = await schemaDrift(postgres.url)
        if (drift)
          throw new Error(`${drift}\nschema.prisma is ahead of prisma/migrations: add the SQL above as a migration.`)
      } finally {
        await postgres.stop()
      }
    } finally {
      await removeEmbeddedPostgres(folder)
      await rm(folder, { recursive: true, force: true })
    }
  },
}

generate()
let failed = 0
const running = Object.entries(checks).map(([name, check]) => [name, settled(check)])
for (const [name, result] of running) {
  const { error, note, seconds } = await result
  if (!error) {
    console.log(`${styleText('green', 'ok')}      ${name}${note ? ` (${note})` : ''} ${seconds} s`)
    continue
  }
  failed += 1
  console.log(`${styleText('red', 'failed')}  ${name}\n${indent(error.message)}`)
}
console.log(failed === 0 ? 'All checks passed.' : `${failed} of ${running.length} checks failed.`)
process.exit(failed === 0 ? 0 : 1)

async function settled(check) {
  const startedAt = performance.now()
  const seconds = () => ((performance.now() - startedAt) / 1000).toFixed(1)
  try {
    const note = await check()
    return { note, seconds: seconds() }
  } catch (error) {
    return { error, seconds: seconds() }
  }
}

function run(program, args, { hint, env = {} }) {
  const { promise, resolve, reject } = Promise.withResolvers()
  const binary = path.join(root, 'node_modules/.bin', program)
  execFile(
    binary,
    args,
    { cwd: root, env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024 },
    (error, stdout, stderr) => {
      if (error) reject(new Error(`${stdout}${stderr}`.trim().concat('\n', hint)))
      else resolve()
    },
  )
  return promise
}

function firstDifference(kept, built) {
  const keptLines = kept.split('\n')
  const builtLines = built.split('\n')
  const at = builtLines.findIndex((line, index) => line !== keptLines[index])
  const line = at === -1 ? builtLines.length : at
  return `Line ${line + 1} is\n  ${keptLines[line] ?? '(end of file)'}\nand should be\n  ${builtLines[line] ?? '(end of file)'}`
}

function indent(text) {
  return text.replaceAll(/^/gm, '  ')
}
