/**
 * Commands `admin create` and `admin reset-password`: the first way in, and the
 * way back in. The password is typed without being shown, read from a pipe, or
 * made here; never an argument, which other users of the machine could read.
 */
import { randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { checkNewPassword, hashPassword } from '../access/password.ts'
import { checkedEmail, createPerson } from '../access/people.ts'
import { endAllSignIns } from '../access/sign-ins.ts'
import { type Database, inTransaction, openDatabase } from '../database/database.ts'
import { migrate } from '../database/migrate.ts'
import { SluiceError } from '../errors.ts'
import { createLog } from '../log.ts'
import { databaseUrlOf } from './installation.ts'

type Env = Readonly<Record<string, string | undefined>>

interface Answers {
  readonly email: string
  readonly name?: string
  readonly generate?: boolean
}

export function adminCommand(env: Env): Command {
  const admin = new Command('admin').description('make a platform admin, or let one in again')
  admin
    .command('create')
    .description('make a person who administers this installation')
    .requiredOption('--email <address>', 'their e-mail address')
    .option('--name <name>', 'what others see of them', 'Admin')
    .option('--generate', 'make a password and show it once')
    .action(async ({ email, name = 'Admin', generate }: Answers) => {
      await withDatabase(env, async (database) => {
        await refuseKnown(database, email)
        const password = await choosePassword(generate)
        await createPerson(database, { email, name, password, isAdmin: true })
        console.log(`${checkedEmail(email)} administers this installation now.`)
        if (generate) console.log(`Password, shown this once: ${password}`)
      })
    })
  admin
    .command('reset-password')
    .description('set a new password for a person, and end all of their sign-ins')
    .requiredOption('--email <address>', 'their e-mail address')
    .option('--generate', 'make a password and show it once')
    .action(async ({ email, generate }: Answers) => {
      await withDatabase(env, async (database) => {
        const password = await choosePassword(generate)
        await setPassword(database, email, password)
        console.log(`${checkedEmail(email)} has a new password; every sign-in of theirs has ended.`)
        if (generate) console.log(`Password, shown this once: ${password}`)
      })
    })
  return admin
}

/** @throws SluiceError NOT_FOUND for an unknown address; VALIDATION_FAILED for the password. */
export async function setPassword({ pool }: Database, email: string, password: string): Promise<void> {
  const address = checkedEmail(email)
  const { rows } = await pool.query<{ id: string }>('select id from users where email = $1', [address])
  const [person] = rows
  if (!person) {
    throw new SluiceError('NOT_FOUND', `There is no person ${address}. "sluice admin create" makes an admin.`)
  }
  await checkNewPassword(password, address)
  const hash = await hashPassword(password)
  await inTransaction(pool, async (client) => {
    await client.query('update users set password_hash = $2 where id = $1', [person.id, hash])
    await client.query('update password_resets set used_at = now() where user_id = $1 and used_at is null', [person.id])
    await endAllSignIns(client, person.id)
  })
}

/** Before anybody types a password for nothing. */
async function refuseKnown({ pool }: Database, email: string): Promise<void> {
  const address = checkedEmail(email)
  const { rowCount } = await pool.query('select 1 from users where email = $1', [address])
  if (rowCount === 0) return
  throw new SluiceError(
    'CONFLICT',
    `There is already a person ${address}. "sluice admin reset-password --email ${address}" lets them in again.`,
  )
}

/** Works on the database of DATABASE_URL, or of a `sluice start` that runs now. */
export async function withDatabase(env: Env, work: (database: Database) => Promise<void>): Promise<void> {
  const url = await databaseUrlOf(env)
  await migrate(url)
  const database = openDatabase({ url, poolSize: 2, log: createLog({ name: 'admin', level: 'silent' }) })
  try {
    await work(database)
  } finally {
    await database.close()
  }
}

/** From a terminal, twice and unseen; from a pipe, its first line. */
async function choosePassword(generate = false): Promise<string> {
  if (generate) return randomBytes(18).toString('base64url')
  if (!process.stdin.isTTY) {
    const [line = ''] = (await text(process.stdin)).split(/\r?\n/)
    if (line) return line
    throw new SluiceError('CONFIGURATION', 'Pipe the password into this command, or say --generate to have one made.')
  }
  const first = await askUnseen('Password: ')
  if (first === (await askUnseen('Again: '))) return first
  throw new SluiceError('VALIDATION_FAILED', 'The two passwords differ; nothing was changed.')
}

async function askUnseen(question: string): Promise<string> {
  process.stderr.write(question)
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  try {
    const given = new AbortController()
    // Ctrl-C or Ctrl-D: the question would never be answered.
    terminal.once('SIGINT', () => given.abort()).once('close', () => given.abort())
    return await terminal.question('', { signal: given.signal })
  } catch (cause) {
    throw new SluiceError('BAD_REQUEST', 'No password was given; nothing was changed.', { cause })
  } finally {
    terminal.close()
    process.stderr.write('\n')
  }
}
