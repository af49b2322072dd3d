/** Commands `audit verify` and `audit grants`. The first works on the installation of `installation.ts`. */
import { Command } from 'commander'
import { type Head, showHead } from '../access/audit-chain.ts'
import { auditGrants } from '../access/audit-grants.ts'
import { type AuditVerdict, verifyAudit } from '../access/audit-verify.ts'
import { createSealer } from '../access/seal.ts'
import { openDatabase } from '../database/database.ts'
import { withoutPassword } from '../database/reach.ts'
import { SluiceError } from '../errors.ts'
import { createLog } from '../log.ts'
import { databaseUrlOf, secretKeyOf } from './installation.ts'

type Env = Readonly<Record<string, string | undefined>>

export function auditCommand(env: Env): Command {
  const audit = new Command('audit').description('check the log of who did what')
  audit
    .command('verify')
    .description('check that no entry was changed, added or taken away; ends with code 1 when one was')
    .option('--expect-head <head>', 'the head that an earlier run printed: that block must still be there')
    .action(async ({ expectHead }: { expectHead?: string }) => {
      const right = await verifyCommand({ env, expectHead, print: (line) => console.log(line) })
      if (!right) process.exitCode = 1
    })
  audit
    .command('grants')
    .description('print SQL for a database role of gateways and workers that cannot change the log')
    .requiredOption('--role <name>', 'the role')
    .action(({ role }: { role: string }) => console.log(auditGrants(role)))
  return audit
}

export interface VerifyCommandOptions {
  readonly env: Env
  readonly expectHead?: string | undefined
  readonly print: (line: string) => void
}

/** @returns whether everything is right. */
export async function verifyCommand({ env, expectHead, print }: VerifyCommandOptions): Promise<boolean> {
  const [url, key] = [await databaseUrlOf(env), await secretKeyOf(env)]
  const expected = expectHead === undefined ? null : readHead(expectHead)
  const database = openDatabase({ url, poolSize: 2, log: createLog({ name: 'audit', level: 'silent' }) })
  try {
    print(`Checking the audit log of ${withoutPassword(url)}.`)
    let told = Date.now()
    const verdict = await verifyAudit({
      pool: database.pool,
      sealer: createSealer(key),
      expectHead: expected,
      onProgress({ blocks, of, entries }) {
        if (Date.now() - told < progressMs) return
        told = Date.now()
        print(`  ${blocks} of ${of} blocks, ${entries} entries`)
      },
    })
    for (const line of describe(verdict)) print(line)
    return verdict.fault === null
  } finally {
    await database.close()
  }
}

const progressMs = 1_000

function describe({ fault, blocks, entries, unsealed, oldestUnsealed, head }: AuditVerdict): string[] {
  const lines = fault
    ? [`WRONG: ${fault.kind}. ${fault.message}`, `Up to there, ${entries} entries in ${blocks} blocks are right.`]
    : [`Right: ${entries} entries in ${blocks} blocks are as they were sealed.`]
  if (unsealed > 0 && !fault) {
    const age = oldestUnsealed ? Math.round((Date.now() - oldestUnsealed.getTime()) / 1000) : 0
    lines.push(`Not yet sealed: ${unsealed} entries, the oldest ${age} s old. A worker seals every 5 s.`)
  }
  if (head)
    lines.push(
      `Head: ${showHead(head)}`,
      'Keep it elsewhere and give it as --expect-head next time: it shows when newer blocks were taken away.',
    )
  return lines
}

/** @throws SluiceError VALIDATION_FAILED */
export function readHead(text: string): Head {
  const [, number, hash] = /^(\d{1,9}):([0-9a-f]{64})$/.exec(text) ?? []
  if (!number || !hash) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `"${text}" is no head; one looks like 12:9f86d081… with 64 digits after the colon, as "sluice audit verify" prints it.`,
    )
  }
  return { number: Number(number), hash: Buffer.from(hash, 'hex') }
}
