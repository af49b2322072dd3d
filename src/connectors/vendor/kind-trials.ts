/** `connector run` for what is no consumer: each kind's functions in their order, in the real sandbox, told in lines. */
import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { messageOf, SluiceError } from '../../errors.ts'
import { isTrip, parseBooking, parseTrip } from '../../travel/parse.ts'
import { readConversion, readMetadata } from '../conversion-result.ts'
import { annotationWarnings, extensionChange, partedBooking } from '../extension-data.ts'
import { converters } from '../kinds.ts'
import type { ConnectorKind } from '../manifest.ts'
import { modificationOf } from '../modification.ts'
import type { SandboxPool } from '../sandbox/pool.ts'
import type { RunHost, RunOutcome } from '../sandbox/process.ts'
import { createScrubber } from '../scrub.ts'
import { ticketFeeWarnings } from '../ticket-fee-warnings.ts'
import type { VendorPackage } from './package.ts'
import { isObject, type Sample } from './sample.ts'

export interface KindTrialOptions {
  readonly package: VendorPackage
  readonly sandboxes: SandboxPool
  readonly sample: Sample
  readonly kind: Exclude<ConnectorKind, 'consumer'>
  /** Does the calls. */
  readonly call: RunHost['call']
  /** Path of a payload, for webhooks and the second phase. @default the first samples/payload.* */
  readonly payload?: string | undefined
  /** For each call. */
  readonly timeoutMs: number
  /** Told of each line, secrets taken out. */
  readonly print: (line: string) => void
}

/** Sources that are converted and shown. */
const mostShown = 20

/** Never throws for what the connector does. @returns whether all of it went well. */
export async function tryKind({ kind, ...options }: KindTrialOptions): Promise<boolean> {
  const trial = new Trial(options)
  try {
    if (kind === 'modifier') return await tryModifier(trial)
    if (kind === 'webhook') return await tryPayload(trial, await payloadOf(options))
    return await tryProducer(trial, options, kind === 'two-phase-producer')
  } catch (error) {
    if (!(error instanceof TrialFailed)) throw error
    trial.print(`failed: ${error.message}`)
    return false
  }
}

class TrialFailed extends Error {}

/** The connector's functions by name, with the sample's settings and a state that they share. */
class Trial {
  readonly options: Omit<KindTrialOptions, 'kind'>
  state: Readonly<Record<string, unknown>>
  readonly #scrub: (text: string) => string

  constructor(options: Omit<KindTrialOptions, 'kind'>) {
    this.options = options
    this.state = options.sample.input.state ?? {}
    this.#scrub = createScrubber(Object.values(options.sample.secrets))
  }

  print(line: string): void {
    this.options.print(this.#scrub(line))
  }

  has(name: string): boolean {
    return this.options.package.functions.includes(name)
  }

  /** @throws TrialFailed with the connector's own words. */
  async ask(method: string, parameters: readonly unknown[], more: Partial<Sample['input']> = {}) {
    const { package: made, sandboxes, sample, call, timeoutMs } = this.options
    const { event: _event, session: _session, trip: _trip, ...input } = sample.input
    const outcome: RunOutcome = await sandboxes.run({
      key: made.sha256,
      bundle: made.bundle,
      method,
      parameters,
      input: { ...input, state: this.state, ...more },
      timeoutMs,
      host: { call, log: (level, message) => this.print(`${level.padEnd(5)} ${message}`) },
    })
    if (!outcome.ok) throw new TrialFailed(`${method}: ${outcome.message}`)
    this.state = outcome.state
    return outcome
  }
}

async function tryModifier(trial: Trial): Promise<boolean> {
  const { sample, package: made } = trial.options
  const { implementation } = made.manifest
  const { session, event } = sample.input
  const kind = (event as { kind: 'application' | 'booking' }).kind
  const before = sample.input.extensionData ?? {}
  const input = { event, extensionData: before, extendsBooking: kind === 'booking' }
  const outcome = await trial.ask('modify', [session], input)
  const said = modificationOf(outcome.value)
  if (!said.succeeded) trial.print(`failed: ${said.message}`)
  else if (said.message) trial.print(said.message)
  const parted = said.data && kind === 'booking' ? partedBooking(implementation, said.data, before, session) : undefined
  const data = parted?.booking ?? said.data
  const lines = data ? differences(session, data) : []
  if (lines.length === 0) trial.print('No change of the session.')
  for (const line of lines) trial.print(line)
  const left = extensionChange(
    implementation,
    before,
    parted?.change ? said.data?.extensionData : outcome.extensionData,
  )
  for (const line of [...left.refused, ...(left.fault ? [left.fault] : [])]) trial.print(`warn  ${line}`)
  for (const [part, change] of Object.entries(left.change ?? {})) {
    trial.print(`extensionData ${part} ${JSON.stringify(change)}`)
  }
  return said.succeeded && left.fault === undefined
}

async function tryProducer(
  trial: Trial,
  options: Omit<KindTrialOptions, 'kind'>,
  isTwoPhased: boolean,
): Promise<boolean> {
  const { value } = await trial.ask('getRawSources', [])
  const listed = isObject(value) && 'sources' in value ? value.sources : value
  if (!Array.isArray(listed)) {
    throw new TrialFailed(`getRawSources returned ${shown(value)}. It must return a list, or {sources, more}.`)
  }
  trial.print(
    `getRawSources: ${listed.length} ${listed.length === 1 ? 'source' : 'sources'}${isObject(value) && value.more ? ', and there are more' : ''}`,
  )
  for (const [index, each] of listed.slice(0, mostShown).entries()) {
    const isDescribed = isObject(each) && !(each instanceof Uint8Array) && 'source' in each
    const id = isDescribed && typeof each.uniqueSourceId === 'string' ? ` ${each.uniqueSourceId}` : ''
    const bytes = bytesOf(isDescribed ? each.source : each)
    trial.print(`source ${index + 1}${id}: ${isTwoPhased ? new TextDecoder().decode(bytes) : `${bytes.length} bytes`}`)
    if (!isTwoPhased) await tryConversion(trial, bytes)
  }
  if (listed.length > mostShown) trial.print(`The other ${listed.length - mostShown} are not shown.`)
  if (!isTwoPhased) return true
  const payload = await payloadOf(options).catch(() => undefined)
  if (payload) return tryPayload(trial, payload)
  trial.print('Add samples/payload.json (or .xml, .txt), or --payload, to try the second phase.')
  return true
}

async function tryPayload(trial: Trial, payload: Uint8Array): Promise<boolean> {
  const headers = { 'content-type': 'application/json' }
  if (trial.has('validatePayload')) {
    await trial.ask('validatePayload', [payload, headers])
    trial.print('validatePayload: accepted')
  }
  if (trial.has('getExternalId')) {
    const { value } = await trial.ask('getExternalId', [payload])
    trial.print(`getExternalId: ${shown(value)}`)
  }
  await tryConversion(trial, payload)
  return true
}

async function tryConversion(trial: Trial, source: Uint8Array): Promise<void> {
  const { implementation } = trial.options.package.manifest
  if (trial.has('extractMetadata')) {
    const described = read(await trial.ask('extractMetadata', [source]), readMetadata)
    if (described) trial.print(`extractMetadata: ${shown(described)}`)
    if (described?.isIntermediate) return
  }
  const method = converters.find((name) => trial.has(name)) ?? 'convertRawSource'
  const result = read(await trial.ask(method, [source]), readConversion)
  if (result?.message) trial.print(result.message)
  if (!result?.session) {
    trial.print('It becomes no session.')
    return
  }
  const { kind, data } = result.session
  if (kind === 'booking')
    read({ value: data }, (value): unknown => (isTrip(value) ? parseTrip(value) : parseBooking(value)))
  trial.print(`${kind}${result.key ? ` ${result.key}` : ''}: ${JSON.stringify(data)}`)
  const extensionData = isObject(data.extensionData) ? data.extensionData : {}
  const described = { id: (trial.options.sample.input.event as { id: string }).id, kind, data }
  const warnings = [
    ...annotationWarnings(implementation, extensionData, described),
    ...ticketFeeWarnings({ kind, data }),
  ]
  for (const line of warnings) trial.print(`warn  ${line}`)
}

/** What is wrong with what it returned fails the trial. */
function read<Value>({ value }: { readonly value?: unknown }, reader: (value: unknown) => Value): Value {
  try {
    return reader(value)
  } catch (error) {
    throw error instanceof SluiceError ? new TrialFailed(messageOf(error)) : error
  }
}

async function payloadOf({ package: made, payload }: Omit<KindTrialOptions, 'kind'>): Promise<Uint8Array> {
  const folder = path.join(made.root, 'samples')
  const [found] = (await readdir(folder).catch(() => [])).filter((name) => /^payload\./.test(name)).sort()
  const file = payload ?? (found && path.join(folder, found))
  if (!file)
    throw new SluiceError(
      'NOT_FOUND',
      'There is no samples/payload.json (or .xml, .txt). Add one, or name it with --payload.',
    )
  return new Uint8Array(
    await readFile(file).catch((cause) => {
      throw new SluiceError('VALIDATION_FAILED', `${file} cannot be read: ${cause.message}`, { cause })
    }),
  )
}

/** As they are stored: text in UTF-8, other values as JSON. */
function bytesOf(source: unknown): Uint8Array {
  if (source instanceof Uint8Array) return source
  return new TextEncoder().encode(typeof source === 'string' ? source : JSON.stringify(source))
}

/** One line for each place that differs, by JSON Pointer. */
export function differences(before: unknown, after: unknown, place = ''): readonly string[] {
  if (isDeepStrictEqual(before, after)) return []
  if ((isObject(before) && isObject(after)) || (Array.isArray(before) && Array.isArray(after))) {
    const [old, now] = [before as Record<string, unknown>, after as Record<string, unknown>]
    const keys = new Set([...Object.keys(old), ...Object.keys(now)])
    return [...keys].flatMap((key) =>
      differences(old[key], now[key], `${place}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
    )
  }
  if (before === undefined) return [`+ ${place}: ${shown(after)}`]
  return after === undefined ? [`- ${place}: ${shown(before)}`] : [`~ ${place}: ${shown(before)} → ${shown(after)}`]
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}
