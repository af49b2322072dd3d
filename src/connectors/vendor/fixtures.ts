/**
 * Recorded runs. A fixture holds what a run was given, every `request`, `mail`
 * and call of a mailbox or file server with its answer, and how it ended. `replay` runs the connector again
 * with those answers, without network, and lists what differs.
 *
 * Secrets never reach the file: PASSWORD settings are `secret-of-<key>` in it,
 * and what an answer names a token or password is replaced too, in the answer
 * and wherever the connector sends it later. The placeholders are what the
 * connector is given when the fixture is replayed, so what it sends is the same.
 */
import { isDeepStrictEqual } from 'node:util'
import { z } from 'zod'
import { SluiceError } from '../../errors.ts'
import type { Manifest } from '../manifest.ts'
import type { SandboxPool } from '../sandbox/pool.ts'
import { CallRefused, type RunHost, type RunOutcome } from '../sandbox/process.ts'
import { createScrubber } from '../scrub.ts'
import { forbiddenHost, forbiddenServer } from './hosts.ts'
import type { VendorPackage } from './package.ts'
import { isObject, memoryStore, type Sample } from './sample.ts'
import { localHost, tryConnector } from './try.ts'

/** What reaches out; the rest is files, which are there without it. */
const recordedKind = /^(request|mail|mailbox\.[a-z]+|sftp\.[a-z]+)$/

const recordedCall = z.strictObject({
  kind: z.string().regex(recordedKind),
  argument: z.json(),
  /** One of the two. */
  answer: z.json().optional(),
  error: z.strictObject({ code: z.string(), message: z.string() }).optional(),
})

const fixtureSchema = z.strictObject({
  input: z.record(z.string(), z.json()),
  /** Names of the sample's files; their content is read from where they lie, relative to the fixture. */
  files: z.record(z.string(), z.string()).default({}),
  calls: z.array(recordedCall),
  expect: z.strictObject({
    status: z.json().optional(),
    failure: z.string().optional(),
    message: z.string().optional(),
    state: z.record(z.string(), z.json()).optional(),
  }),
  /** What may differ, such as `calls.0.argument.headers.date`. */
  ignore: z.array(z.string()).default([]),
})

export type Fixture = z.output<typeof fixtureSchema>

/** @throws SluiceError VALIDATION_FAILED that names the place. */
export function parseFixture(content: unknown, file: string): Fixture {
  const parsed = fixtureSchema.safeParse(content)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new SluiceError(
    'VALIDATION_FAILED',
    `${file}: ${issue?.path.join('.') || 'the file'}: ${issue?.message}. Record it anew with "connector record".`,
  )
}

export interface Recorder {
  readonly call: RunHost['call']
  /** Once the run is over. @param files as in {@link Fixture} */
  finish(outcome: RunOutcome, files: Readonly<Record<string, string>>): Fixture
}

/** Wraps a host; what passes through is kept, without secrets. */
export function createRecorder(sample: Sample, call: RunHost['call']): Recorder {
  const secrets = new Map(Object.entries(sample.secrets).map(([key, secret]) => [secret, `secret-of-${key}`]))
  const calls: Fixture['calls'][number][] = []
  return {
    async call(kind, argument) {
      if (!recordedKind.test(kind)) return call(kind, argument)
      const kept: { -readonly [Key in keyof (typeof calls)[number]]: (typeof calls)[number][Key] } = {
        kind,
        argument: argument as never,
      }
      calls.push(kept)
      try {
        const answer = await call(kind, argument)
        kept.answer = withoutNoise(JSON.parse(JSON.stringify(answer)))
        learnSecrets(answer, secrets)
        return answer
      } catch (error) {
        kept.error =
          error instanceof CallRefused
            ? { code: error.code, message: error.message }
            : { code: 'INTERNAL', message: 'The call failed inside of Sluice.' }
        throw error
      }
    },
    finish(outcome, files) {
      const fixture = {
        input: { ...sample.input },
        files,
        calls,
        expect: outcome.ok
          ? { status: outcome.value, state: outcome.state }
          : { failure: outcome.failure, message: outcome.message },
        ignore: [],
      }
      // The last line of defence: what was encoded in a way that cannot be undone and made again.
      const scrub = createScrubber([...secrets.keys()])
      return parseFixture(JSON.parse(scrub(JSON.stringify(replaced(fixture, secrets)))), 'recording')
    },
  }
}

/** Headers of the connection, which say nothing to a connector and differ each time. */
const noise = new Set(['connection', 'date', 'keep-alive', 'server', 'transfer-encoding'])

function withoutNoise<Answer>(answer: Answer): Answer {
  if (!isObject(answer) || !isObject(answer.headers)) return answer
  const headers = Object.entries(answer.headers).filter(([name]) => !noise.has(name))
  return { ...answer, headers: Object.fromEntries(headers) }
}

/** Names of what an answer should not be known for. */
const secretName = /token|secret|password|passwd|api[-_]?key|authorization|cookie|session[-_]?id/i

/** Texts of an answer that are secret by their name, in its headers and its JSON. */
function learnSecrets(answer: unknown, secrets: Map<string, string>): void {
  const learn = (value: unknown, name: string) => {
    if (typeof value === 'string' && value.length >= 8 && secretName.test(name)) {
      const jwt = /^([\w-]+\.[\w-]+)\.[\w-]+$/.exec(value)
      // A connector may read the claims of a token; without its signature it opens nothing.
      secrets.set(value, jwt ? `${jwt[1]}.redacted` : `${name.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}-redacted`)
    } else if (typeof value === 'object' && value !== null) {
      for (const [key, each] of Object.entries(value)) learn(each, Array.isArray(value) ? name : key)
    }
  }
  const { body, ...rest } = (answer ?? {}) as { readonly body?: unknown }
  learn(rest, '')
  try {
    learn(JSON.parse(String(body)), '')
  } catch {
    // No JSON: it has no names.
  }
}

function replaced(value: unknown, secrets: ReadonlyMap<string, string>): unknown {
  if (typeof value === 'string') return replacedText(value, secrets)
  if (Array.isArray(value)) return value.map((each) => replaced(each, secrets))
  if (!isObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, replaced(each, secrets)]))
}

function replacedText(given: string, secrets: ReadonlyMap<string, string>): string {
  let text = given
  for (const [secret, placeholder] of secrets) {
    if (secret.length < 4) continue
    for (const form of new Set([
      secret,
      JSON.stringify(secret).slice(1, -1),
      encodeURIComponent(secret.toWellFormed()),
    ])) {
      text = text.replaceAll(form, placeholder)
    }
  }
  // Basic authentication, and whatever else was encoded whole: undone, replaced, made again.
  return text.replaceAll(/[A-Za-z0-9+/_-]{8,}={0,2}/g, (encoded) => {
    // `btoa` makes one byte of each letter, others go by UTF-8.
    for (const letters of ['utf8', 'latin1'] as const) {
      const decoded = Buffer.from(encoded, 'base64').toString(letters)
      const found = [...secrets].filter(([secret]) => secret.length >= 4 && decoded.includes(secret))
      if (found.length === 0) continue
      const clean = found.reduce((rest, [secret, placeholder]) => rest.replaceAll(secret, placeholder), decoded)
      return Buffer.from(clean, letters).toString('base64')
    }
    return encoded
  })
}

export interface ReplayOptions {
  readonly package: VendorPackage
  readonly sandboxes: SandboxPool
  readonly fixture: Fixture
  /** Absolute paths of its files, by name. */
  readonly files: Readonly<Record<string, string>>
}

/** @returns one line a difference; none when the connector does what was recorded. */
export async function replay({ package: made, sandboxes, fixture, files }: ReplayOptions): Promise<readonly string[]> {
  const sample: Sample = { input: fixture.input, secrets: {}, files }
  const differences: string[] = []
  const ignored = (place: string) => fixture.ignore.some((each) => place === each || place.startsWith(`${each}.`))
  const compare = (recorded: unknown, now: unknown, place: string): void => {
    if (ignored(place) || isDeepStrictEqual(recorded, now)) return
    if (isObject(recorded) && isObject(now)) {
      for (const key of new Set([...Object.keys(recorded), ...Object.keys(now)])) {
        compare(recorded[key], now[key], `${place}.${key}`)
      }
    } else if (Array.isArray(recorded) && Array.isArray(now) && recorded.length === now.length) {
      recorded.forEach((each, index) => void compare(each, now[index], `${place}.${index}`))
    } else differences.push(`${place}: recorded ${shown(recorded)}, now ${shown(now)}`)
  }
  const others = localFiles(made, sample)
  let callCount = 0
  const call: RunHost['call'] = async (kind, argument) => {
    if (!recordedKind.test(kind)) return others(kind, argument)
    const index = callCount++
    const recorded = fixture.calls[index]
    if (!recorded || recorded.kind !== kind) {
      differences.push(
        `calls.${index}: recorded ${recorded ? describe(recorded) : 'no further call'}, now ${describe({ kind, argument })}`,
      )
      throw new CallRefused('UNREACHABLE', 'The fixture has no such call.')
    }
    compare(recorded.argument, argument, `calls.${index}.argument`)
    requireHost(made.manifest, fixture.input.settings, kind, argument)
    if (recorded.error) throw new CallRefused(recorded.error.code, recorded.error.message)
    return recorded.answer ?? null
  }
  const { outcome } = await tryConnector({ package: made, sandboxes, sample, call })
  if (callCount < fixture.calls.length) {
    differences.push(`calls: ${fixture.calls.length} were recorded, now there were ${callCount}`)
  }
  compareEnd(fixture.expect, outcome, compare)
  return differences
}

function compareEnd(
  recorded: Fixture['expect'],
  outcome: RunOutcome,
  compare: (recorded: unknown, now: unknown, place: string) => void,
): void {
  if (!outcome.ok) {
    compare(recorded.failure, outcome.failure, 'expect.failure')
    compare(recorded.message, outcome.message, 'expect.message')
    return
  }
  compare(recorded.failure, undefined, 'expect.failure')
  compare(recorded.status, outcome.value, 'expect.status')
  if (recorded.state) compare(recorded.state, outcome.state, 'expect.state')
}

/** Answers what has no network: files and store. */
function localFiles(made: VendorPackage, sample: Sample): RunHost['call'] {
  const nobody = () => Promise.reject(new CallRefused('UNREACHABLE', 'Nothing is sent while a fixture is replayed.'))
  return localHost({
    package: made,
    sample,
    store: memoryStore(),
    egress: { request: nobody, connect: nobody, explain: nobody, close: async () => undefined },
    mailer: { send: nobody },
    signal: new AbortController().signal,
    timeoutMs: 30_000,
    onCall: () => undefined,
  })
}

/** The network would refuse it, so the replay does. */
function requireHost(manifest: Manifest, settings: unknown, kind: string, argument: unknown): void {
  const url = isObject(argument) && typeof argument.url === 'string' ? URL.parse(argument.url) : null
  const host = url ? forbiddenHost(manifest, settings, url) : forbiddenServer(manifest, settings, kind, argument)
  if (host === undefined) return
  throw new CallRefused('BLOCKED', `${host} is not among the hosts that connector.json names under "permissions".`)
}

function describe({ kind, argument }: { readonly kind: string; readonly argument: unknown }): string {
  const { method = '', url = '', path = '' } = isObject(argument) ? argument : {}
  return kind === 'request' ? `${method} ${url}` : `${kind} ${path}`.trim()
}

function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
