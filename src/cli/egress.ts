/** `sluice egress check`: what the guard of outbound calls decides for a URL, and why. */
import { styleText } from 'node:util'
import { Command } from 'commander'
import { readEgressConfig } from '../config.ts'
import { createEgress, type EgressExplanation, egressOptionsOf } from '../egress/egress.ts'

type Env = Readonly<Record<string, string | undefined>>

export function egressCommand(env: Env): Command {
  const command = new Command('egress').description('the guard of outbound calls')
  command
    .command('check')
    .description('say whether a URL may be called and why, address by address; resolves its name and calls nothing')
    .argument('<url>', 'as a webhook would have it')
    .option('--json', 'print the decision as JSON')
    .action(async (url: string, { json = false }: { json?: boolean }) => {
      const egress = createEgress(egressOptionsOf(readEgressConfig(env)))
      try {
        const explanation = await egress.explain(url)
        console.log(json ? JSON.stringify(explanation) : describeExplanation(explanation))
        if (explanation.way === 'refused') process.exitCode = 1
      } finally {
        await egress.close()
      }
    })
  return command
}

/** One line a fact, the decision last. */
export function describeExplanation({ way, reason, host, port, findings }: EgressExplanation): string {
  const width = Math.max(0, ...findings.map(({ address }) => address.length))
  const lines = findings.map(({ address, range, listed, refusal }) => {
    const verdict = refusal === undefined ? styleText('green', 'allowed') : styleText('red', 'refused')
    return `  ${address.padEnd(width)}  ${verdict}  ${range}${listed ? ', on EGRESS_ALLOW' : ''}`
  })
  const head = host === undefined ? [] : [`${host}, port ${port}`]
  return [...head, ...lines, decisions[way](reason)].join('\n')
}

const decisions: Readonly<Record<EgressExplanation['way'], (reason: string | undefined) => string>> = {
  direct: () => styleText('green', 'May be called.'),
  proxy: () => styleText('green', 'May be called, through the forward proxy (EGRESS_PROXY).'),
  refused: (reason) => `${styleText('red', 'Refused.')} ${reason ?? ''}`,
}
