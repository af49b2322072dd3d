/** The commands of `sluice`. Each loads its own modules, so that a small one starts fast. */
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { styleText } from 'node:util'
import { Command } from 'commander'
import { SluiceError } from '../errors.ts'

/** Runs one command line; prints a SluiceError as a sentence, anything else with its stack, and ends with code 1. */
export async function runProgram(argv: readonly string[]): Promise<void> {
  try {
    if (existsSync('.env')) process.loadEnvFile('.env')
    const program = await createProgram(argv.slice(2))
    await program.parseAsync([...argv])
  } catch (error) {
    console.error(describeError(error))
    process.exit(1)
  }
}

/** @internal exported for its test */
export function describeError(error: unknown): string {
  if (error instanceof SluiceError) return styleText('red', error.message, { stream: process.stderr })
  return error instanceof Error ? (error.stack ?? error.message) : String(error)
}

async function createProgram(args: readonly string[]): Promise<Command> {
  const program = new Command('sluice')
    .description('An integration gateway: sessions pulled, announced and pushed to exactly whom editors chose.')
    .version(version())

  program
    .command('start')
    .description('run everything on this machine: gateway, worker, and each embedded part that is not configured')
    .action(async () => (await import('./start.ts')).start(process.env))
  program
    .command('gateway')
    .description('run one gateway process; needs the configuration of .env.example')
    .action(async () => (await import('./roles.ts')).runGateway(process.env))
  program
    .command('worker')
    .description('run one worker process; needs the configuration of .env.example')
    .action(async () => (await import('./roles.ts')).runWorker(process.env))
  program
    .command('migrate')
    .description('bring the database of DATABASE_URL up to this version')
    .action(async () => (await import('./migrate.ts')).runMigrate(process.env))
  program
    .command('reset')
    .description('delete everything that "start" keeps: database, files, mails, keys')
    .option('--yes', 'do not ask')
    .action(async ({ yes = false }: { yes?: boolean }) => (await import('./reset.ts')).reset({ env: process.env, yes }))

  if (args.length === 0 || args.some((arg) => ['audit', 'help', '--help', '-h'].includes(arg))) {
    program.addCommand((await import('./audit.ts')).auditCommand(process.env))
  }
  if (args.length === 0 || args.some((arg) => ['admin', 'help', '--help', '-h'].includes(arg))) {
    program.addCommand((await import('./admin.ts')).adminCommand(process.env))
  }
  if (args.length === 0 || args.some((arg) => ['credential', 'keys', 'help', '--help', '-h'].includes(arg))) {
    const { credentialCommand, keysCommand } = await import('./credential.ts')
    program.addCommand(credentialCommand(process.env)).addCommand(keysCommand(process.env))
  }
  if (args.length === 0 || args.some((arg) => ['deliveries', 'help', '--help', '-h'].includes(arg))) {
    program.addCommand((await import('./deliveries.ts')).deliveriesCommand(process.env))
  }
  if (args.length === 0 || args.some((arg) => ['egress', 'help', '--help', '-h'].includes(arg))) {
    program.addCommand((await import('./egress.ts')).egressCommand(process.env))
  }
  if (args.length === 0 || args.some((arg) => ['connector', 'help', '--help', '-h'].includes(arg))) {
    program.addCommand((await import('./connector.ts')).connectorCommand(process.env))
  }
  // It has options of its own, which only its module knows.
  if (args.length === 0 || args.some((arg) => ['demo', 'help', '--help', '-h'].includes(arg))) {
    program.addCommand((await import('./demo.ts')).demoCommand())
  }
  return program
}

/** The version in package.json. */
export function version(): string {
  const file = path.join(import.meta.dirname, '../../package.json')
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version
}
