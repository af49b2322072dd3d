/** Command `connector`: what authors of connectors work with. Only `install` needs a database or a running Sluice. */
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { styleText } from 'node:util'
import { Command, Option } from 'commander'
import { type ConnectorKind, connectorKinds } from '../connectors/manifest.ts'
import type { RunCall } from '../connectors/record.ts'
import { createSandboxPool, type SandboxPool } from '../connectors/sandbox/pool.ts'
import { checkConnector, type Finding } from '../connectors/vendor/check.ts'
import { createRecorder, parseFixture, replay } from '../connectors/vendor/fixtures.ts'
import { installFromFolder } from '../connectors/vendor/install.ts'
import { tryKind } from '../connectors/vendor/kind-trials.ts'
import { packConnector } from '../connectors/vendor/pack.ts'
import { openPackage, type VendorPackage } from '../connectors/vendor/package.ts'
import { readSample, type Sample, type SampleFiles } from '../connectors/vendor/sample.ts'
import { newConnector } from '../connectors/vendor/scaffold.ts'
import { localHost, type Tried, tryConnector } from '../connectors/vendor/try.ts'
import { createEgress } from '../egress/egress.ts'
import type { Mail } from '../egress/mail.ts'
import { SluiceError } from '../errors.ts'

type Env = Readonly<Record<string, string | undefined>>

export interface ConnectorCommandOptions {
  /** @default console.log */
  readonly print?: (line: string) => void
  /** Told that something was found wrong; the command itself has ended well. @default sets the process's exit code */
  readonly fail?: () => void
}

/** @example npm run connector -- new connectors/hand-over */
export function connectorCommand(env: Env, options: ConnectorCommandOptions = {}): Command {
  const { print = console.log, fail = setExitCode } = options
  const command = new Command('connector').description('write, try, test, pack and install connectors')
  const withSample = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .argument('<folder>', 'the folder that holds connector.json')
      .option('--session <file>', 'JSON: the data of a session, or {session, event, config, state, files}')
      .option('--settings <file>', 'JSON: values of the settings')

  command
    .command('new')
    .description('make a folder with a connector that passes "check" and "test"')
    .argument('<folder>', 'such as connectors/hand-over; the last part is its name')
    .addOption(new Option('--kind <kind>', 'what it is').choices(connectorKinds).default('consumer'))
    .action(async (folder: string, { kind }: { kind: ConnectorKind }) => {
      for (const file of await newConnector(folder, kind)) print(`  ${path.join(folder, file)}`)
      print(`Next: npm run connector -- check ${folder}`)
    })

  withSample('check', 'manifest, types, bundle, and the rules that every connector keeps; without network').action(
    (folder: string, samples: SampleFiles) =>
      withSandboxes(async (sandboxes) => {
        if (!report(await checkConnector(folder, sandboxes, samples), print)) fail()
      }),
  )

  withSample('run', 'run it once in the real sandbox, with the real network; mails are shown and not sent')
    .addOption(
      new Option('--kind <kind>', 'which of its kinds; the first of the manifest otherwise').choices(connectorKinds),
    )
    .option('--payload <file>', 'what a webhook or a second phase receives; samples/payload.* otherwise')
    .option('--allow <cidr...>', 'networks that may be called although they are not public, such as 127.0.0.0/8')
    .option('--timeout <ms>', 'for the whole run', Number, 30_000)
    .action((folder: string, given: RunOptions) =>
      withSandboxes(async (sandboxes) => {
        const made = await openPackage(folder, sandboxes)
        const kind = given.kind ?? made.manifest.kinds[0] ?? 'consumer'
        if (kind !== 'consumer') {
          if (!(await runKind(made, sandboxes, { ...given, kind }, print))) fail()
          return
        }
        const { tried } = await runOnce(made, sandboxes, given, print)
        if (!tried.verdict.succeeded) fail()
      }),
    )

  withSample('record', 'run it once with the real network, and keep what was said in fixtures/, without secrets')
    .option('--name <name>', 'of the fixture', 'recorded')
    .option('--allow <cidr...>', 'networks that may be called although they are not public, such as 127.0.0.0/8')
    .option('--timeout <ms>', 'for the whole run', Number, 30_000)
    .action((folder: string, given: RunOptions & { name: string }) =>
      withSandboxes(async (sandboxes) => {
        const made = await openPackage(folder, sandboxes)
        if (!/^[\w-]{1,60}$/.test(given.name)) {
          throw new SluiceError('VALIDATION_FAILED', '--name: write letters, digits and hyphens, such as accepted.')
        }
        requireConsumer(made)
        const { tried, sample, recorder } = await runOnce(made, sandboxes, given, print)
        const target = path.join(made.root, 'fixtures', `${given.name}.json`)
        await mkdir(path.dirname(target), { recursive: true })
        const files = Object.entries(sample.files).map(([name, file]) => [
          name,
          path.relative(path.dirname(target), file),
        ])
        const fixture = recorder.finish(tried.outcome, Object.fromEntries(files))
        await writeFile(target, `${JSON.stringify(fixture, null, 2)}\n`)
        print(`Recorded ${path.relative(process.cwd(), target)}. Read it before you commit it: it holds the session.`)
      }),
    )

  command
    .command('test')
    .description('run it against every fixture, without network, and tell what differs')
    .argument('<folder>', 'the folder that holds connector.json')
    .action((folder: string) =>
      withSandboxes(async (sandboxes) => {
        if (!(await testFixtures(await openPackage(folder, sandboxes), sandboxes, print))) fail()
      }),
    )

  command
    .command('pack')
    .description('check it and make the tarball that is handed in')
    .argument('<folder>', 'the folder that holds connector.json')
    .option('--out <file>', 'where to write it; NAME-VERSION.tgz in this folder otherwise')
    .action((folder: string, { out }: { out?: string }) =>
      withSandboxes(async (sandboxes) => {
        const findings = await checkConnector(folder, sandboxes)
        if (findings.some(isFault)) {
          report(findings.filter(isFault), print)
          throw new SluiceError('VALIDATION_FAILED', 'Nothing was packed. Mend what is marked first.')
        }
        const { manifest, root } = await openPackage(folder, sandboxes)
        const { tarball, sha256, files } = await packConnector(root)
        const file =
          out ?? `${manifest.implementation.replaceAll(/[@/]+/g, '-').replace(/^-/, '')}-${manifest.version}.tgz`
        await writeFile(file, tarball)
        for (const each of files) print(`  ${each}`)
        print(`${file}: ${tarball.length} bytes, sha256 ${sha256}`)
      }),
    )

  command
    .command('install')
    .description('submit it for review: to SLUICE_URL with SLUICE_TOKEN, or else into the database of DATABASE_URL')
    .argument('<package>', 'a folder, or a tarball of "pack"')
    .option('--approve', 'approve it too; for an installation of your own')
    .action(async (folder: string, { approve = false }: { approve?: boolean }) => {
      for (const line of await installFromFolder(env, folder, { approve })) print(line)
    })
  return command
}

interface RunOptions extends SampleFiles {
  readonly kind?: ConnectorKind
  readonly payload?: string
  readonly allow?: readonly string[]
  readonly timeout: number
}

async function runKind(
  made: VendorPackage,
  sandboxes: SandboxPool,
  {
    allow = [],
    timeout,
    kind,
    payload,
    ...samples
  }: RunOptions & { readonly kind: Exclude<ConnectorKind, 'consumer'> },
  print: (line: string) => void,
): Promise<boolean> {
  const sample = await readSample(made.root, made.manifest, samples)
  const egress = createEgress({ allow })
  const over = new AbortController()
  try {
    const call = localHost({
      package: made,
      sample,
      egress,
      mailer: { send: (mail) => shownMail(mail, print) },
      signal: over.signal,
      timeoutMs: timeout,
      onCall: (each) => print(describeCall(each)),
    })
    const trial = { package: made, sandboxes, sample, kind, call, payload, timeoutMs: timeout }
    const succeeded = await tryKind({ ...trial, print: (line) => print(`  ${line}`) })
    print(succeeded ? styleText('green', 'succeeded') : styleText('red', 'failed'))
    return succeeded
  } finally {
    over.abort()
    await egress.close()
  }
}

async function runOnce(
  made: VendorPackage,
  sandboxes: SandboxPool,
  { allow = [], timeout, ...samples }: RunOptions,
  print: (line: string) => void,
): Promise<{ readonly tried: Tried; readonly sample: Sample; readonly recorder: ReturnType<typeof createRecorder> }> {
  const sample = await readSample(made.root, made.manifest, samples)
  const egress = createEgress({ allow })
  const over = new AbortController()
  const begun = performance.now()
  try {
    const host = localHost({
      package: made,
      sample,
      egress,
      mailer: { send: (mail) => shownMail(mail, print) },
      signal: over.signal,
      timeoutMs: timeout,
      onCall: (call) => print(describeCall(call)),
    })
    const recorder = createRecorder(sample, host)
    const onLog = (level: string, message: string) => print(`  ${colour(level)} ${message}`)
    const tried = await tryConnector({
      package: made,
      sandboxes,
      sample,
      call: recorder.call,
      timeoutMs: timeout,
      onLog,
    })
    const { verdict, outcome } = tried
    const ms = Math.round(performance.now() - begun)
    if (outcome.ok && Object.keys(outcome.state).length > 0) print(`  state ${JSON.stringify(outcome.state)}`)
    print(
      verdict.succeeded
        ? `${styleText('green', 'succeeded')} in ${ms} ms${verdict.message ? `: ${verdict.message}` : ''}`
        : `${styleText('red', 'failed')} in ${ms} ms: ${verdict.message}${verdict.final ? ' It would not be tried again.' : ''}`,
    )
    return { tried, sample, recorder }
  } finally {
    over.abort()
    await egress.close()
  }
}

async function shownMail({ to, subject, text, messageId = '' }: Mail, print: (line: string) => void) {
  print(`  mail  to ${[to].flat().join(', ')}: ${subject}`)
  for (const line of text.split('\n')) print(`        ${line}`)
  return { messageId, accepted: [to].flat(), response: 'shown, not sent' }
}

function describeCall({ kind, target, status, ms, bytes }: RunCall): string {
  return `  ${styleText('cyan', 'call ')} ${kind} ${target}: ${status}, ${ms} ms, ${bytes} bytes`
}

function colour(level: string): string {
  const word = level.padEnd(5)
  if (level === 'error') return styleText('red', word)
  return level === 'warn' ? styleText('yellow', word) : styleText('dim', word)
}

/** Fixtures hold what a consumer said and was told; one of anything else would hold nothing that a test could compare. */
function requireConsumer({ manifest: { kinds } }: VendorPackage): void {
  if (kinds.includes('consumer')) return
  throw new SluiceError(
    'VALIDATION_FAILED',
    `Only consumers are recorded and replayed, and this is a ${kinds.join(' and ')}. Use "connector run" and "connector check".`,
  )
}

/** @returns whether every fixture gave what was recorded. */
async function testFixtures(
  made: VendorPackage,
  sandboxes: SandboxPool,
  print: (line: string) => void,
): Promise<boolean> {
  const folder = path.join(made.root, 'fixtures')
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.json')).sort()
  if (names.length === 0) {
    requireConsumer(made)
    throw new SluiceError('NOT_FOUND', `There is no fixture in ${folder}. Make one with "connector record".`)
  }
  let failed = 0
  for (const name of names) {
    const fixture = parseFixture(JSON.parse(await readFile(path.join(folder, name), 'utf8')), name)
    const files = Object.entries(fixture.files).map(([key, file]) => [key, path.resolve(folder, file)])
    const differences = await replay({ package: made, sandboxes, fixture, files: Object.fromEntries(files) })
    print(`${mark(differences.length === 0)} ${name}`)
    for (const line of differences) print(`    ${line}`)
    if (differences.length > 0) failed++
  }
  print(failed === 0 ? `All ${names.length} fixtures pass.` : `${failed} of ${names.length} fixtures differ.`)
  return failed === 0
}

const mark = (good: boolean) => (good ? styleText('green', '✓') : styleText('red', '✗'))

const isFault = ({ fault, level }: Finding) => fault !== undefined && level === 'must'

/** @returns whether all that must hold holds. */
function report(findings: readonly Finding[], print: (line: string) => void): boolean {
  for (const finding of findings) {
    const { what, level, fault } = finding
    print(`${fault !== undefined && level === 'should' ? styleText('yellow', '!') : mark(fault === undefined)} ${what}`)
    for (const line of fault?.split('\n') ?? []) print(`    ${line}`)
  }
  return !findings.some(isFault)
}

async function withSandboxes(use: (sandboxes: SandboxPool) => Promise<void>): Promise<void> {
  const sandboxes = createSandboxPool({ maxProcesses: 2 })
  try {
    await use(sandboxes)
  } finally {
    await sandboxes.close()
  }
}

function setExitCode(): void {
  process.exitCode = 1
}
