/** What connectors of other kinds than consumers must do. */
import { converters, missingFunctions } from '../kinds.ts'
import { modificationOf } from '../modification.ts'
import { CallRefused, type RunHost, type RunOutcome } from '../sandbox/process.ts'
import type { ConformanceOptions, Rule } from './conformance.ts'
import { differences } from './kind-trials.ts'

export const rulesOfKinds: readonly Rule[] = [
  {
    rule: 'it has the functions of its kinds',
    level: 'must',
    isDecisive: true,
    async check({ package: { manifest, functions } }) {
      const kinds = manifest.kinds.filter((kind) => kind !== 'consumer')
      const missing = missingFunctions(kinds, functions)
      return missing.length === 0 ? undefined : missing.join('\n')
    },
  },
  {
    rule: 'a modifier returns no change, or the whole data',
    level: 'must',
    kind: 'modifier',
    async check(context) {
      const outcome = await modified(context, context.sample.input.session)
      if (!outcome.ok)
        return outcome.failure === 'threw' ? undefined : `Its process had to be ended: ${outcome.message}`
      const { again, message } = modificationOf(outcome.value)
      return again ? (message ?? undefined) : undefined
    },
  },
  {
    rule: 'a modifier leaves alone what it has made itself',
    level: 'should',
    kind: 'modifier',
    async check(context) {
      const made = dataOf(await modified(context, context.sample.input.session))
      const again = made && dataOf(await modified(context, made))
      const [change] = again ? differences(made, again) : []
      return change === undefined
        ? undefined
        : `Called with its own result, it changed it again (${change}). With another such modifier it would go on until the chain is cut.`
    },
  },
  {
    rule: 'any payload ends by itself: an empty one, a strange one',
    level: 'must',
    async check({ package: made, sandboxes, sample: { input } }) {
      const names = ['validatePayload', 'extractMetadata', 'getExternalId', ...converters]
      const { settings, config, delivery, state = {} } = input
      for (const name of names.filter((each) => made.functions.includes(each))) {
        for (const payload of ['', '{', '[]', '{}', 'null', '<a/>', '\0\xff']) {
          const bytes = new Uint8Array(Buffer.from(payload, 'latin1'))
          const outcome = await sandboxes.run({
            key: made.sha256,
            bundle: made.bundle,
            method: name,
            parameters: name === 'validatePayload' ? [bytes, {}] : [bytes],
            input: { settings, config, delivery, state },
            host,
            timeoutMs: 10_000,
          })
          if (!outcome.ok && outcome.failure !== 'threw') {
            return `${name} with ${JSON.stringify(payload)}: its process had to be ended: ${outcome.message}`
          }
        }
      }
      return undefined
    },
  },
]

/** A modifier's answer where nothing outside can be reached. */
function modified({ package: made, sandboxes, sample }: ConformanceOptions, session: unknown): Promise<RunOutcome> {
  const { trip: _trip, session: _session, ...input } = sample.input
  const { kind } = input.event as { readonly kind: string }
  return sandboxes.run({
    key: made.sha256,
    bundle: made.bundle,
    method: 'modify',
    parameters: [session],
    input: { ...input, extensionData: input.extensionData ?? {}, extendsBooking: kind === 'booking' },
    host,
    timeoutMs: 15_000,
  })
}

function dataOf(outcome: RunOutcome): unknown {
  return outcome.ok ? modificationOf(outcome.value).data : undefined
}

const host: RunHost = {
  async call() {
    throw new CallRefused('UNREACHABLE', 'There is no network here.')
  },
  log: () => undefined,
}
