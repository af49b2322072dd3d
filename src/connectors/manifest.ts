/**
 * A connector's manifest, `connector.json`: what the package is, what it may
 * reach, what it must be told. Strict: a key that nobody reads is refused, so
 * that a misspelt permission or setting is found when a connector is installed
 * and not when it runs. The extension guide's `funnel-extension.json` is read
 * too, in its own spelling (`Implementation`, `Permissions: [{ "Socket": … }]`).
 */
import { z } from 'zod'
import { SluiceError } from '../errors.ts'
import { hostIn, isSocket } from './hosts.ts'

/** Types of the extension guide. INTERNAL is the connector's own state: never shown, changed by runs. */
export const settingTypes = ['STRING', 'LONG_STRING', 'PASSWORD', 'DATE', 'INT', 'BOOLEAN', 'INTERNAL'] as const
export const connectorKinds = ['consumer', 'producer', 'two-phase-producer', 'modifier', 'webhook'] as const
/** What a connector may ask of the host beside `request`, by name. */
export const capabilityNames = ['mail', 'files', 'store', 'mailbox', 'sftp'] as const

export type SettingType = (typeof settingTypes)[number]
export type ConnectorKind = (typeof connectorKinds)[number]
export type CapabilityName = (typeof capabilityNames)[number]

/**
 * `socket` is `host` (the default ports of https and http) or `host:port`.
 * `setting` is the key of a STRING setting, whose value in each connection names one more.
 */
export type Permission = { readonly socket: string } | { readonly setting: string } | CapabilityName

export interface SettingItem {
  readonly key: string
  readonly type: SettingType
  readonly mandatory: boolean
  readonly default?: string | number | boolean
  readonly options?: readonly { readonly value: string; readonly label: string }[]
  readonly group?: string
  readonly label: string
  /** A sentence of help beside the field. */
  readonly description?: string
}

export interface Manifest {
  /** Unique name, such as `uk.gov.camden.bops`. Together with `version` it names one bundle for ever. */
  readonly implementation: string
  readonly name: string
  readonly author: string
  readonly version: string
  readonly description: string
  readonly url?: string
  readonly privacyPolicyUrl: string
  /** The booking platform that a producer reads; the guide's `BookingSource`. */
  readonly bookingSource?: string
  /** The system under which customer references are known; the guide's `CustomerSystem`. */
  readonly customerSystem?: string
  /** SPDX expression, such as `Apache-2.0`. Without it, that of the package's package.json. */
  readonly license?: string
  /** File of a PNG, JPEG or GIF picture of 70 by 70 pixels at most, relative to the manifest. */
  readonly logo?: string
  /** Language of the texts that `%key%` stands for when nobody asks for another. @default 'en' */
  readonly defaultLocale?: string
  /** File of the code, relative to the manifest. Without it `index.ts` or `index.js`. */
  readonly entry?: string
  readonly permissions: readonly Permission[]
  readonly kinds: readonly ConnectorKind[]
  readonly settings: readonly SettingItem[]
  /** Which sessions it understands; without it, all. A schema may end in `*`. */
  readonly accepts?: {
    readonly kinds?: readonly ('application' | 'booking')[]
    readonly schemas?: readonly string[]
  }
  /** How payloads come in, for kinds that take any. */
  readonly inbound?: Inbound
}

/** Kinds that third parties may send payloads to. */
export const inboundKinds: readonly ConnectorKind[] = ['webhook', 'two-phase-producer', 'producer']

export interface Inbound {
  /**
   * Who finds out that the sender is who it should be: Sluice, by the connection's secret, or the connector, by its
   * vendor's own signature in `validatePayload`. @default 'secret'
   */
  readonly authentication?: 'secret' | 'connector'
  /** What the sender is answered: that the payload is stored, or what the conversion says. @default 'stored' */
  readonly reply?: 'stored' | 'result'
}

/**
 * Checks a manifest and fills in its defaults.
 *
 * @param input the parsed JSON.
 * @param file named in messages.
 * @throws SluiceError VALIDATION_FAILED with one line a fault; each names the key and what to do.
 * @example
 * parseManifest({ implementation: 'org.example.hello', name: 'Hello', author: 'Example Ltd', version: '1.0.0',
 *   description: 'Greets.', privacyPolicyUrl: 'https://example.org/privacy', permissions: [{ socket: 'api.example.org' }] })
 */
export function parseManifest(input: unknown, file = 'connector.json'): Manifest {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    throw new SluiceError('VALIDATION_FAILED', `${file}: must be a JSON object such as {"implementation": …}.`)
  }
  const { manifest, spelling, faults } = inOurSpelling(input as Record<string, unknown>)
  const parsed = manifestSchema.safeParse(manifest)
  for (const issue of parsed.error?.issues ?? []) faults.push(...sentences(issue, manifest, spelling))
  if (parsed.success) faults.push(...contradictions(parsed.data))
  if (faults.length > 0 || !parsed.success) {
    throw new SluiceError('VALIDATION_FAILED', faults.map((fault) => `${file}: ${fault}`).join('\n'), {
      details: { faults },
    })
  }
  return parsed.data
}

/** Whether this manifest asks for a capability such as `mail`. */
export function hasCapability({ permissions }: Manifest, name: CapabilityName): boolean {
  return permissions.includes(name)
}

/** One value of a setting: undefined when it fits, else what is wrong with it, to follow the setting's name. */
export function misfit(item: Pick<SettingItem, 'type' | 'options'>, value: unknown): string | undefined {
  const wanted = expectations[item.type]
  if (!wanted.fits(value)) return `must be ${wanted.is}`
  const options = item.options?.map((option) => option.value)
  if (options && !options.includes(String(value))) return `must be one of ${options.map(quote).join(', ')}`
  return undefined
}

const oneLine = (value: unknown) => typeof value === 'string' && value.length <= 2000 && !/[\r\n]/.test(value)
const text = (value: unknown) => typeof value === 'string' && value.length <= 65_536

const expectations: Record<SettingType, { readonly is: string; readonly fits: (value: unknown) => boolean }> = {
  STRING: { is: 'one line of text, at most 2,000 characters', fits: oneLine },
  LONG_STRING: { is: 'text of at most 65,536 characters', fits: text },
  PASSWORD: { is: 'text of at most 65,536 characters', fits: text },
  DATE: { is: 'a date such as 2026-01-31', fits: isDate },
  INT: { is: 'a whole number', fits: Number.isSafeInteger },
  BOOLEAN: { is: 'true or false', fits: (value) => typeof value === 'boolean' },
  INTERNAL: { is: 'a JSON value', fits: (value) => value !== undefined },
}

function isDate(value: unknown): boolean {
  if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value)) return false
  const time = Date.parse(`${value}T00:00:00Z`)
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(value)
}

/** Keys that begin like this are the execution environment's (`environment.ts`). */
export const environmentPrefix = 'funnel.environment.'

// A setting's key is also a property of `settings` in the connector, so `__proto__` is none.
const settingKey = z.string().regex(/^(?!funnel\.environment\.)[A-Za-z][A-Za-z0-9_.-]{0,63}$/)
/** A BCP 47 tag, of language and region at most: `de`, `de-CH`. */
export const localeTag = /^[a-z]{2,3}(-[A-Z]{2})?$/
const webAddress = z.url({ protocol: /^https?$/ })
/** A file inside of the package. */
const ownFile = z
  .string()
  .max(200)
  .regex(/^(?!\/)(?!(?:.*\/)?\.\.(?:\/|$))[^\\:]+$/)
const socket = z
  .string()
  // What editors complete by; `isSocket` is the whole rule.
  .regex(/^[A-Za-z0-9.-]+(:[0-9]+)?$/)
  .refine(isSocket)
  .transform((value) => value.toLowerCase())

const option = z.union([
  z.string().transform((value) => ({ value, label: value })),
  z.strictObject({ value: z.string(), label: z.string() }),
])

const setting = z
  .strictObject({
    key: settingKey,
    type: z.enum(settingTypes).default('STRING'),
    mandatory: z.boolean().default(false),
    default: z.union([z.string(), z.number(), z.boolean()]).optional(),
    options: z.array(option).min(1).max(500).optional(),
    group: z.string().min(1).max(100).optional(),
    label: z.string().min(1).max(200).optional(),
    description: z.string().min(1).max(1000).optional(),
  })
  .transform((item) => ({ ...item, label: item.label ?? item.key }))

/** The shape of `connector.json`, without what no single key shows. */
export const manifestSchema = z.strictObject({
  implementation: z.string().regex(/^[A-Za-z@][A-Za-z0-9@/._-]{0,199}$/),
  name: z.string().min(1).max(100),
  author: z.string().min(1).max(200),
  // https://semver.org, without the limits on the pre-release's characters that nobody meets.
  version: z.string().regex(/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$/),
  description: z.string().min(1).max(4000),
  url: webAddress.optional(),
  privacyPolicyUrl: webAddress,
  bookingSource: z.string().min(1).max(200).optional(),
  customerSystem: z.string().min(1).max(200).optional(),
  license: z.string().min(1).max(100).optional(),
  logo: ownFile.regex(/\.(png|jpe?g|gif)$/i).optional(),
  defaultLocale: z.string().regex(localeTag).optional(),
  entry: ownFile.regex(/\.(ts|mts|js|mjs)$/).optional(),
  permissions: z
    .array(z.union([z.enum(capabilityNames), z.strictObject({ socket }), z.strictObject({ setting: settingKey })]))
    .max(100)
    .default([]),
  kinds: z.array(z.enum(connectorKinds)).min(1).default(['consumer']),
  settings: z.array(setting).max(200).default([]),
  accepts: z
    .strictObject({
      kinds: z
        .array(z.enum(['application', 'booking']))
        .min(1)
        .optional(),
      schemas: z.array(z.string().min(1).max(500)).min(1).optional(),
    })
    .optional(),
  inbound: z
    .strictObject({
      authentication: z.enum(['secret', 'connector']).optional(),
      reply: z.enum(['stored', 'result']).optional(),
    })
    .optional(),
})

/** For each key, what to write; the end of the sentence "Write …". */
export const advice: Readonly<Record<string, string>> = {
  implementation: 'a unique name of letters, digits and ./@_-, such as "org.example.notify"',
  name: 'the name that people see, at most 100 characters',
  author: 'the person or company behind it, at most 200 characters',
  version: 'a semantic version such as "1.0.0"',
  description: 'what it does, in one or two sentences',
  url: 'a web address with https:// or http://',
  privacyPolicyUrl: 'the web address of the privacy policy, with https:// or http://',
  bookingSource: 'the domain of the booking platform',
  customerSystem: 'the name of the system that customer references come from',
  license: 'an SPDX expression such as "Apache-2.0"',
  logo: 'a file of the package that ends in .png, .jpg or .gif',
  defaultLocale: 'the language of the texts, such as "en" or "de-CH"',
  entry: 'the file of the code relative to the manifest, ending in .ts, .mts, .js or .mjs',
  permissions: `a list of {"socket": "host" or "host:port"}, {"setting": "key"} and capability names (${capabilityNames.join(', ')})`,
  socket: '"host" or "host:port" without scheme and path, such as "api.example.org" or "api.example.org:8443"',
  setting: 'the key of a STRING setting that names a host, such as "url"',
  kinds: `a list of ${connectorKinds.join(', ')}`,
  settings: 'a list of items such as {"key": "recipient", "type": "STRING", "mandatory": true}',
  key: `1 to 64 letters, digits and _.-, beginning with a letter and not with "funnel.environment"`,
  type: `one of ${settingTypes.join(', ')}`,
  mandatory: 'true or false',
  default: 'a text, a number, true or false',
  options: 'a list of values, or of {"value": …, "label": …}',
  group: 'the heading under which the setting is shown',
  label: 'the text that people see beside the setting, at most 200 characters',
  accepts: '{"kinds": ["application"], "schemas": ["https://…"]}; both lists are optional',
  schemas: 'a list of schema addresses; one may end in * for every address that begins like it',
  'accepts.kinds': 'a list of application, booking',
  inbound: '{"authentication": "secret" or "connector", "reply": "stored" or "result"}; both are optional',
  authentication: '"secret" for the connection\'s own secret, or "connector" when validatePayload checks who sent it',
  reply: '"stored" to answer at once, or "result" to answer with what the conversion says',
}

/** The guide's spelling of each key. */
const guideSpelling: Record<string, string> = {
  Implementation: 'implementation',
  Name: 'name',
  Author: 'author',
  Version: 'version',
  Description: 'description',
  URL: 'url',
  PrivacyPolicyURL: 'privacyPolicyUrl',
  BookingSource: 'bookingSource',
  CustomerSystem: 'customerSystem',
  Permissions: 'permissions',
  License: 'license',
}

interface Respelt {
  readonly manifest: Record<string, unknown>
  /** How the author spells one of our keys. */
  readonly spelling: (key: string) => string
  readonly faults: string[]
}

function inOurSpelling(input: Record<string, unknown>): Respelt {
  const faults: string[] = []
  const manifest: Record<string, unknown> = {}
  const isGuide = Object.keys(input).some((key) => key in guideSpelling)
  const theirs = new Map(isGuide ? Object.entries(guideSpelling).map(([guide, ours]) => [ours, guide]) : [])
  for (const [key, value] of Object.entries(input)) {
    // For editors, which complete and check by it.
    if (key === '$schema') continue
    const ours = Object.hasOwn(guideSpelling, key) ? (guideSpelling[key] ?? key) : key
    if (Object.hasOwn(manifest, ours)) faults.push(`"${key}" is there in two spellings. Keep "${ours}".`)
    if (key === ours) theirs.delete(ours)
    Object.defineProperty(manifest, ours, {
      value: ours === 'permissions' ? socketsInOurSpelling(value) : value,
      enumerable: true,
      configurable: true,
      writable: true,
    })
  }
  return { manifest, spelling: (key) => theirs.get(key) ?? key, faults }
}

function socketsInOurSpelling(permissions: unknown): unknown {
  if (!Array.isArray(permissions)) return permissions
  return permissions.map((permission) => {
    if (typeof permission !== 'object' || permission === null || !Object.hasOwn(permission, 'Socket')) return permission
    const { Socket, ...rest } = permission
    return { socket: Socket, ...rest }
  })
}

function sentences(issue: z.core.$ZodIssue, manifest: unknown, spelling: (key: string) => string): string[] {
  const [first, ...rest] = issue.path.map(String)
  const where = [...(first === undefined ? [] : [spelling(first)]), ...rest].join('.')
  if (issue.code === 'unrecognized_keys') {
    if (first === 'permissions' && issue.keys.includes('setting')) {
      return [`${quote(where)} has both "socket" and "setting". Write an entry for each.`]
    }
    return issue.keys.map((key) => {
      const full = where ? `${where}.${key}` : key
      const near = nearest(key, knownKeys(issue.path))
      return `${quote(full)} is not a known key. ${near ? `Did you mean ${quote(spelling(near))}?` : 'Remove it.'}`
    })
  }
  if (issue.code === 'invalid_union') {
    const [only] = inBranchFor(issue, valueAt(manifest, issue.path))
    if (only) return sentences({ ...only, path: [...issue.path, ...only.path] } as z.core.$ZodIssue, manifest, spelling)
  }
  const key = [...issue.path].reverse().find((part) => typeof part === 'string') ?? ''
  const write = issue.path[0] === 'accepts' && key === 'kinds' ? advice['accepts.kinds'] : advice[key]
  const state = valueAt(manifest, issue.path) === undefined ? 'is missing' : 'does not fit'
  return [`${quote(where)} ${state}. Write ${write}.`]
}

/** Of a union's branches, the faults of the one that the author meant: for an object the one that knows its keys. */
function inBranchFor(issue: z.core.$ZodIssueInvalidUnion, value: unknown): readonly z.core.$ZodIssue[] {
  if (typeof value !== 'object' || value === null) return []
  const isUnknown = (each: z.core.$ZodIssue) => each.code === 'unrecognized_keys'
  const ofObjects = issue.errors.filter((branch) => branch.some((each) => each.path.length > 0 || isUnknown(each)))
  return ofObjects.find((branch) => !branch.some(isUnknown)) ?? ofObjects[0] ?? []
}

function knownKeys([first]: readonly PropertyKey[]): readonly string[] {
  if (first === undefined) return Object.keys(manifestSchema.shape)
  if (first === 'settings') return ['key', 'type', 'mandatory', 'default', 'options', 'group', 'label', 'description']
  if (first === 'accepts') return ['kinds', 'schemas']
  if (first === 'inbound') return ['authentication', 'reply']
  return ['socket']
}

/** What no single key shows. */
function contradictions({ settings, permissions, kinds, inbound }: Manifest): string[] {
  const faults: string[] = []
  if (inbound && !kinds.some((kind) => inboundKinds.includes(kind))) {
    faults.push(`"inbound" does not fit a ${kinds.join(', ')}, which takes no payloads. Remove it, or add a kind.`)
  }
  const seen = new Set<string>()
  settings.forEach((item, index) => {
    const where = `settings.${index}`
    if (seen.has(item.key))
      faults.push(`"${where}.key" repeats ${quote(item.key)}. Give every setting a key of its own.`)
    seen.add(item.key)
    if (item.type === 'INTERNAL' && item.mandatory) {
      faults.push(`"${where}.mandatory" does not fit INTERNAL, which nobody fills in. Remove it.`)
    }
    if (item.type === 'PASSWORD' && item.default !== undefined) {
      faults.push(`"${where}.default" does not fit PASSWORD: a manifest is public. Remove it.`)
    }
    if (item.options && !['STRING', 'INT'].includes(item.type)) {
      faults.push(`"${where}.options" does not fit ${item.type}. Use it with STRING or INT.`)
    }
    const wrong = item.default === undefined ? undefined : misfit(item, item.default)
    if (wrong) faults.push(`"${where}.default" ${wrong}.`)
  })
  const entries = permissions.map((permission) => JSON.stringify(permission))
  for (const [index, entry] of entries.entries()) {
    if (entries.indexOf(entry) !== index) faults.push(`"permissions.${index}" repeats ${entry}. Remove it.`)
  }
  // Settings may stand in the code, and are known only once it was loaded (`withSettings`).
  return settings.length === 0 ? faults : [...faults, ...hostFaults({ settings, permissions })]
}

/** Settings that name hosts must be there, in the open, and name hosts where the manifest itself gives a value. */
function hostFaults({ settings, permissions }: Pick<Manifest, 'settings' | 'permissions'>): string[] {
  return permissions.flatMap((permission, index) => {
    if (typeof permission === 'string' || !('setting' in permission)) return []
    const where = `"permissions.${index}.setting"`
    const at = settings.findIndex(({ key }) => key === permission.setting)
    const item = settings[at]
    if (!item) return [`${where} names ${quote(permission.setting)}, which is not a setting. Add it to "settings".`]
    if (item.type !== 'STRING') {
      return [
        `${where} names ${quote(item.key)}, which is of type ${item.type}. Only a STRING setting can name a host.`,
      ]
    }
    const given = [item.default, ...(item.options?.map(({ value }) => value) ?? [])]
    const wrong = given.filter((value) => value !== undefined && value !== '' && 'fault' in hostIn(value))
    return wrong.map((value) => `"settings.${at}" has ${JSON.stringify(value)}, but a value of it must name a host.`)
  })
}

/**
 * The whole manifest, with the settings that the code declares.
 *
 * @param declared by `defineConnector`; null or undefined for none.
 * @throws SluiceError VALIDATION_FAILED when they stand in both places, or do not fit the permissions.
 */
export function withSettings(manifest: Manifest, declared: unknown): Manifest {
  if (declared !== null && declared !== undefined) {
    if (manifest.settings.length > 0) {
      throw new SluiceError(
        'VALIDATION_FAILED',
        'Settings stand both in the manifest and in the code. Keep them in one place.',
      )
    }
    return withSettings(parseManifest({ ...manifest, settings: declared }, 'defineConnector'), undefined)
  }
  const faults = hostFaults(manifest)
  if (faults.length === 0) return manifest
  throw new SluiceError('VALIDATION_FAILED', faults.map((fault) => `connector.json: ${fault}`).join('\n'), {
    details: { faults },
  })
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  let current = value
  for (const part of path) current = (current as Record<PropertyKey, unknown> | null | undefined)?.[part]
  return current
}

/** The known key that differs by two letters at most, in any case. */
function nearest(key: string, known: readonly string[]): string | undefined {
  const ranked = known.map((each) => ({ each, distance: edits(key.toLowerCase(), each.toLowerCase()) }))
  return ranked.filter(({ distance }) => distance <= 2).sort((a, b) => a.distance - b.distance)[0]?.each
}

/** Levenshtein distance. */
function edits(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, index) => index)
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1]
    for (const [column, other] of [...to].entries()) {
      const replaced = (row[column] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[column + 1] ?? 0) + 1, (next[column] ?? 0) + 1))
    }
    row = next
  }
  return row[to.length] ?? 0
}

function quote(value: string): string {
  return JSON.stringify(value)
}
