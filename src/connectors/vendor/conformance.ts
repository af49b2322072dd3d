/**
 * What every connector must do, whatever it is for. Each rule runs the real
 * bundle in the real sandbox against a host that answers as the rule says, and
 * needs no network. `should` is advice; only `must` decides.
 */
import type { Manifest } from '../manifest.ts'
import type { SandboxPool } from '../sandbox/pool.ts'
import { CallRefused, type RunHost } from '../sandbox/process.ts'
import { forbiddenHost, forbiddenServer } from './hosts.ts'
import { rulesOfKinds } from './kind-rules.ts'
import type { VendorPackage } from './package.ts'
import { isObject, type Sample } from './sample.ts'
import { type Tried, tryConnector } from './try.ts'

export interface ConformanceOptions {
  readonly package: VendorPackage
  readonly sandboxes: SandboxPool
  readonly sample: Sample
}

export interface RuleResult {
  /** A sentence that holds for a connector that passes. */
  readonly rule: string
  readonly level: 'must' | 'should'
  /** Undefined when it holds; else what happened, and what to do. */
  readonly fault: string | undefined
}

interface Trial extends Tried {
  readonly calls: readonly { readonly kind: string; readonly argument: unknown }[]
}

export interface RuleContext extends ConformanceOptions {
  /** Runs once; the host answers every `request`, `mail`, and call of a server like this. */
  trial(answer: Answer, input?: Sample['input']): Promise<Trial>
}

type Answer = number | 'unreachable' | 'timeout'

export interface Rule {
  readonly rule: string
  readonly level: RuleResult['level']
  /** @default every kind */
  readonly kind?: Manifest['kinds'][number]
  /** Without it the others would only say the same again, and take long for it. */
  readonly isDecisive?: boolean
  check(context: RuleContext): Promise<string | undefined>
}

/** @example const faults = (await checkConformance({ package: made, sandboxes, sample })).filter(({ fault, level }) => fault && level === 'must') */
export async function checkConformance(options: ConformanceOptions): Promise<readonly RuleResult[]> {
  const context: RuleContext = { ...options, trial: (answer, input) => trial(options, answer, input) }
  const results: RuleResult[] = []
  for (const { rule, level, kind, isDecisive, check } of rules) {
    if (kind !== undefined && !options.package.manifest.kinds.includes(kind)) continue
    const fault = await check(context)
    results.push({ rule, level, fault })
    if (fault !== undefined && isDecisive) break
  }
  return results
}

const rules: readonly Rule[] = [
  {
    rule: 'a consumer exports consume',
    level: 'must',
    kind: 'consumer',
    check: async ({ package: { functions } }) =>
      functions.includes('consume')
        ? undefined
        : 'The manifest says "consumer". Export a function, or defineConnector({ consume }), as default.',
  },
  ...rulesOfKinds,
  {
    rule: 'it ends by itself, with a status that can be told',
    level: 'must',
    isDecisive: true,
    kind: 'consumer',
    async check({ trial }) {
      for (const answer of [200, 201, 204, 302, 404, 500, 'unreachable', 'timeout'] as const) {
        const { outcome, verdict } = await trial(answer)
        const where = `When every call is answered with ${answer}`
        if (!outcome.ok && outcome.failure !== 'threw')
          return `${where}, its process had to be ended: ${outcome.message}`
        if (outcome.ok && verdict.message?.startsWith('The connector returned ')) return `${where}: ${verdict.message}`
      }
      return undefined
    },
  },
  {
    rule: 'what could not be handed over is no success',
    level: 'must',
    kind: 'consumer',
    async check({ trial }) {
      for (const answer of ['unreachable', 'timeout', 500, 503] as const) {
        const { verdict, calls } = await trial(answer)
        if (calls.length > 0 && verdict.succeeded) {
          return `Every call was answered with ${answer}, and it returned "success". Look at statusCode, and let errors through.`
        }
      }
      return undefined
    },
  },
  {
    rule: 'a failure says in words what went wrong',
    level: 'should',
    kind: 'consumer',
    async check({ trial }) {
      const { verdict, calls } = await trial(500)
      return calls.length > 0 && verdict.message === 'The connector reported a failure.'
        ? 'It returned "failed" for an answer of 500. Return a sentence with the status instead.'
        : undefined
    },
  },
  {
    rule: 'it asks only hosts and capabilities that its manifest names',
    level: 'must',
    kind: 'consumer',
    async check({ trial, package: { manifest }, sample }) {
      const allowed = new Set<string>(manifest.permissions.filter((permission) => typeof permission === 'string'))
      for (const answer of [200, 201] as const) {
        for (const { kind, argument } of (await trial(answer)).calls) {
          const capability = kind.split('.')[0] ?? ''
          if (capability !== 'request') {
            if (!allowed.has(capability)) return `It uses ${capability}. Add "${capability}" to "permissions".`
            const server = forbiddenServer(manifest, sample.input.settings, kind, argument)
            if (server !== undefined) return `It opens ${server}. Add {"socket": "${server}"} to "permissions".`
            continue
          }
          const url = isObject(argument) ? URL.parse(String(argument.url)) : null
          if (!url)
            return `It requests ${JSON.stringify(isObject(argument) ? argument.url : argument)}, which is no URL.`
          const host = forbiddenHost(manifest, sample.input.settings, url)
          if (host !== undefined && !hostsBySetting(sample.input.settings).has(host)) {
            return `It requests ${host}. Add {"socket": "${host}"} to "permissions".`
          }
        }
      }
      return undefined
    },
  },
  {
    rule: 'a setting that names a host stands in its permissions',
    level: 'should',
    kind: 'consumer',
    async check({ package: { manifest }, sample: { input } }) {
      const missing = [...hostsBySetting(input.settings)].filter(([host]) => {
        const url = URL.parse(`https://${host}`)
        return url && forbiddenHost(manifest, input.settings, url) !== undefined
      })
      return missing.length === 0
        ? undefined
        : missing
            .map(
              ([host, key]) => `"${key}" names ${host}. If it is called, add {"setting": "${key}"} to "permissions".`,
            )
            .join('\n')
    },
  },
  {
    rule: 'any session gives a result: an empty one, a strange one',
    level: 'must',
    kind: 'consumer',
    async check({ trial, sample: { input } }) {
      for (const session of [{}, null, [], { '\ud83d': '\0', nested: { __proto__: null } }, 'text']) {
        const { outcome } = await trial(200, { ...input, session })
        if (!outcome.ok && outcome.failure !== 'threw') {
          return `With the session ${JSON.stringify(session)} its process had to be ended: ${outcome.message}`
        }
      }
      return undefined
    },
  },
  {
    rule: 'its log and messages hold nothing of the session and no secret',
    level: 'must',
    kind: 'consumer',
    async check({ trial, sample }) {
      const mark = 'conformance-mark-7f3a'
      const marked = { ...sample.input, session: withMark(sample.input.session, mark) }
      for (const answer of [200, 201, 500, 'unreachable'] as const) {
        const { log, verdict } = await trial(answer, marked)
        const said = [...log.map(({ message }) => message), verdict.message ?? '']
        if (said.some((line) => line.includes(mark))) {
          return 'A text of the session is in its log or message. Name the session by event.id instead.'
        }
        if (said.some((line) => line.includes('[secret]'))) {
          return 'A secret of the settings was in its log or message (and was taken out). Do not write it.'
        }
      }
      return undefined
    },
  },
  {
    rule: 'the same delivery asks for the same again',
    level: 'must',
    kind: 'consumer',
    async check({ trial }) {
      const places = ({ calls }: Trial) => calls.map(({ kind, argument }) => placeOf(kind, argument)).join(', ')
      const [first, second] = [places(await trial(200)), places(await trial(200))]
      return first === second
        ? undefined
        : `First it asked for ${first || 'nothing'}, then for ${second || 'nothing'}. A run is repeated when its worker dies; keep nothing in variables outside of the function.`
    },
  },
  {
    rule: 'whoever receives it can recognise a repetition',
    level: 'should',
    kind: 'consumer',
    async check({ trial, sample: { input } }) {
      const { calls } = await trial(200)
      const writes = calls.filter(
        ({ kind, argument }) =>
          kind === 'request' && isObject(argument) && !/^(GET|HEAD|OPTIONS)$/.test(String(argument.method)),
      )
      const ids = [idOf(input.delivery), idOf(input.event)].filter(Boolean)
      const marked = writes.some(({ argument }) => ids.some((id) => JSON.stringify(argument).includes(id)))
      return writes.length === 0 || marked
        ? undefined
        : 'No request that writes holds delivery.id or event.id. Send one as an idempotency key or reference.'
    },
  },
  {
    rule: 'every setting has a label, in English at least',
    level: 'must',
    async check({ package: made, sandboxes }) {
      if (!made.functions.includes('getLabelForKey')) return undefined
      for (const { key } of made.manifest.settings) {
        const outcome = await sandboxes.run({
          key: made.sha256,
          bundle: made.bundle,
          method: 'getLabelForKey',
          parameters: [key, 'en'],
          input: {},
          host: { call: refuse, log: () => undefined },
          timeoutMs: 5000,
        })
        if (!outcome.ok) return `getLabelForKey("${key}", "en") failed: ${outcome.message}`
        if (outcome.value !== null && (typeof outcome.value !== 'string' || outcome.value === '')) {
          return `getLabelForKey("${key}", "en") returned ${JSON.stringify(outcome.value)}. Return a text, or undefined.`
        }
      }
      return undefined
    },
  },
  {
    rule: 'validateSettings takes the sample settings',
    level: 'must',
    async check({ package: made, sandboxes, sample }) {
      if (!made.functions.includes('validateSettings')) return undefined
      const outcome = await sandboxes.run({
        key: made.sha256,
        bundle: made.bundle,
        method: 'validateSettings',
        parameters: [sample.input.settings, 'en'],
        input: {},
        host: { call: refuse, log: () => undefined },
        timeoutMs: 10_000,
      })
      return outcome.ok ? undefined : `It refused samples/settings.json: ${outcome.message}`
    },
  },
]

const refuse: RunHost['call'] = async () => {
  throw new CallRefused('UNREACHABLE', 'There is no network here.')
}

async function trial(
  { package: made, sandboxes, sample }: ConformanceOptions,
  answer: Answer,
  input?: Sample['input'],
) {
  const calls: { kind: string; argument: unknown }[] = []
  const call: RunHost['call'] = async (kind, argument) => {
    calls.push({ kind, argument })
    if (kind === 'files.list' || kind === 'store.list') return []
    if (kind.startsWith('files.')) throw new CallRefused('NOT_FOUND', 'The session has no such file.')
    if (kind.startsWith('store.')) return { base64: null }
    if (answer === 'unreachable') throw new CallRefused('UNREACHABLE', 'The host cannot be reached.')
    if (answer === 'timeout') throw new CallRefused('TIMEOUT', 'The host did not answer in time.')
    if (kind === 'mail') {
      if (answer >= 400) throw new CallRefused('UNREACHABLE', 'The mail server is away.')
      return { messageId: '<conformance@sluice.invalid>' }
    }
    if (kind.startsWith('mailbox.') || kind.startsWith('sftp.')) {
      if (answer >= 300) throw new CallRefused('REFUSED', 'The server refuses the user name or password.')
      return kind.endsWith('.list') ? [] : kind.endsWith('.fetch') || kind.endsWith('.get') ? { base64: '' } : null
    }
    return { statusCode: answer, headers: { 'content-type': 'application/json' }, body: '{}', encoding: 'json' }
  }
  // A process of its own for a run that may break it, warm for the others.
  const tried = await tryConnector({
    package: made,
    sandboxes,
    sample,
    call,
    timeoutMs: 15_000,
    ...(input ? { input } : {}),
  })
  return { ...tried, calls }
}

/** Every text of several words, and every mail address, gets the mark behind it. A single word may be a code, which messages may name. */
function withMark(value: unknown, mark: string): unknown {
  if (typeof value === 'string') return /[\s@]/.test(value) ? `${value} ${mark}` : value
  if (Array.isArray(value)) return value.map((each) => withMark(each, mark))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, withMark(each, mark)]))
}

function placeOf(kind: string, argument: unknown): string {
  if (!isObject(argument)) return kind
  if (kind !== 'request') return kind.startsWith('sftp.') ? `${kind} ${argument.path ?? argument.from}` : kind
  const url = URL.parse(String(argument.url))
  return `${argument.method} ${url ? url.origin + url.pathname : argument.url}`
}

/** Hosts of the addresses among settings, each with the key of its setting. */
function hostsBySetting(settings: unknown): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(isObject(settings) ? settings : {}).flatMap(([key, value]): [string, string][] => {
      const url = typeof value === 'string' && /^https?:/i.test(value) ? URL.parse(value) : null
      return url ? [[url.host, key]] : []
    }),
  )
}

function idOf(value: unknown): string {
  return isObject(value) && typeof value.id === 'string' ? value.id : ''
}
