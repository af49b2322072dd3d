/**
 * What a running connector may ask of the host: `request`, `mail`, `files`,
 * `store`, `mailbox` and `sftp`. Each call is checked against the manifest, done, and noted.
 */
import type { Readable } from 'node:stream'
import { z } from 'zod'
import { type Egress, EgressError, type EgressErrorClass } from '../egress/egress.ts'
import type { Mailer } from '../egress/mail.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { allowedHosts } from './hosts.ts'
import { type CapabilityName, hasCapability, type Manifest } from './manifest.ts'
import type { RunCall } from './record.ts'
import { type RemoteDoors, remoteCalls, remoteDoors } from './remote-calls.ts'
import { bodySchema, outgoingBody } from './request-body.ts'
import { type OpenedFile, type RunFiles, type RunStore, storeLimits } from './run-files.ts'
import { CallRefused } from './sandbox/process.ts'
import type { RequestAnswer } from './sandbox/protocol.ts'

export interface CapabilityOptions {
  readonly manifest: Manifest
  /** Values that are no secrets: whoever is named in them may be mailed, and hosts that the manifest leaves to them called. */
  readonly settings: Readonly<Record<string, unknown>>
  readonly egress: Egress
  /** How mailboxes and file servers are opened. @default through `egress` */
  readonly doors?: RemoteDoors
  readonly mailer: Pick<Mailer, 'send'>
  /** Files of the session; without them every call is refused. */
  readonly files?: RunFiles
  /** Files of the connection; without them every call is refused. */
  readonly store?: RunStore
  readonly log: Log
  readonly deliveryId: string
  /** When the run must be over, as `performance.now()`. */
  readonly deadline: number
  /** Aborted when the run is over. */
  readonly signal: AbortSignal
  readonly scrub: (text: string) => string
  /** Told of every call once it is done. */
  readonly note: (call: RunCall) => void
}

/** Largest answer of one call. */
export const maxAnswerBytes = 8 * 1024 * 1024
/** Mails of one run. */
const mostMails = 50
/** What one step of reading a file brings. */
const chunkBytes = 1024 * 1024
/** Files that a run reads at the same time. */
const mostOpenFiles = 8

type Capability = (argument: unknown) => Promise<unknown>

/** @returns a function that does one call; it throws CallRefused for what the connector should know. */
export function createCapabilities(options: CapabilityOptions): (kind: string, argument: unknown) => Promise<unknown> {
  const files = sessionFileCalls(options)
  const hosts = allowedHosts(options.manifest, options.settings)
  const capabilities = new Map<string, Capability>([
    ['request', (argument) => request(argument, options, files.open, hosts)],
    ['mail', mailCapability(options)],
    ...Object.entries(files.calls),
    ...Object.entries(storeCalls(options)),
    ...Object.entries(
      remoteCalls({
        ...options,
        doors: options.doors ?? remoteDoors(options.egress),
        open: files.open,
        hosts,
        require: (name) =>
          requirePermission(options.manifest, name, name === 'mailbox' ? 'open mailboxes' : 'open file servers'),
      }),
    ),
  ])
  return async (kind, argument) => {
    const capability = capabilities.get(kind)
    if (!capability) throw new CallRefused('INVALID', `There is no capability "${kind.slice(0, 50)}".`)
    try {
      return await capability(argument)
    } catch (error) {
      if (error instanceof CallRefused) throw error
      options.log.error(
        { error: options.scrub(messageOf(error)), kind, delivery: options.deliveryId },
        'a connector call failed inside',
      )
      throw error
    }
  }
}

const outgoing = z.strictObject({
  method: z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']).default('GET'),
  url: z.string().max(8192),
  headers: z.record(z.string(), z.string()).optional(),
  body: bodySchema,
  timeoutMs: z.number().positive().optional(),
  responseType: z.enum(['auto', 'json', 'text', 'bytes', 'base64']).default('auto'),
})

async function request(
  argument: unknown,
  options: CapabilityOptions,
  open: (nameOrId: string) => Promise<OpenedFile>,
  hosts: readonly string[],
): Promise<RequestAnswer> {
  const { method, url, headers, body, timeoutMs = 20_000, responseType } = checked(outgoing, argument, 'request')
  const { content, bytes: bodyBytes, type, typeIsFixed } = await outgoingBody(body, open)
  const begun = performance.now()
  const note = (status: number | string, bytes: number) =>
    options.note({ kind: 'request', target: `${method} ${placeOf(url, options)}`, status, ms: since(begun), bytes })
  try {
    const answer = await options.egress.request({
      method,
      url,
      headers: withType(headers, type, typeIsFixed),
      body: content,
      bodyBytes,
      timeoutMs: Math.max(1, Math.min(timeoutMs, options.deadline - begun)),
      maxResponseBytes: maxAnswerBytes,
      signal: options.signal,
      allowedHosts: hosts,
    })
    note(answer.status, answer.body.length)
    const isText = responseType === 'text' || responseType === 'json'
    const isBytes = responseType === 'bytes' || responseType === 'base64'
    const encoding = isBytes ? 'base64' : !isText && isJson(answer.headers) ? 'json' : 'text'
    return {
      statusCode: answer.status,
      headers: answer.headers,
      body: answer.body.toString(encoding === 'base64' ? 'base64' : 'utf8'),
      encoding,
    }
  } catch (error) {
    if (!(error instanceof EgressError)) throw error
    note(error.errorClass, 0)
    const hint = error.errorClass === 'blocked' ? ' Hosts are named under "permissions" in connector.json.' : ''
    throw new CallRefused(codes[error.errorClass], `${error.message}${hint}`, { cause: error })
  } finally {
    // A request that was refused has not read it.
    if (typeof content === 'object' && 'destroy' in content) content.destroy()
  }
}

const codes: Readonly<Record<EgressErrorClass, string>> = {
  blocked: 'BLOCKED',
  timeout: 'TIMEOUT',
  response_too_large: 'TOO_LARGE',
  dns: 'UNREACHABLE',
  connect: 'UNREACHABLE',
  tls: 'UNREACHABLE',
  protocol: 'UNREACHABLE',
}

const address = z.email().max(320)
const message = z.strictObject({
  to: z.union([address, z.array(address).min(1).max(50)]),
  subject: z
    .string()
    .min(1)
    .max(500)
    .regex(/^[^\r\n]*$/),
  text: z.string().max(256 * 1024),
  html: z
    .string()
    .max(256 * 1024)
    .optional(),
})

function mailCapability({ manifest, settings, mailer, deliveryId, note }: CapabilityOptions): Capability {
  let count = 0
  return async (argument) => {
    requirePermission(manifest, 'mail', 'send mail')
    const { to, subject, text, html } = checked(message, argument, 'mail.send')
    const all = typeof to === 'string' ? [to] : to
    const target = `${all.length} ${all.length === 1 ? 'recipient' : 'recipients'}`
    const begun = performance.now()
    const done = (status: string) =>
      note({ kind: 'mail', target, status, ms: since(begun), bytes: Buffer.byteLength(text) })
    const known = addressesIn(settings)
    if (all.some((each) => !known.has(each.toLowerCase()))) {
      done('blocked')
      throw new CallRefused(
        'BLOCKED',
        'A connector may mail only addresses that stand in the settings of its connection, so that no data can choose who gets a mail.',
      )
    }
    if (++count > mostMails) throw new CallRefused('LIMIT', `A run may send ${mostMails} mails at most.`)
    // The same in every attempt, so that the receiving side can recognise a mail that is repeated.
    const messageId = `<${deliveryId}.${count}@sluice.invalid>`
    try {
      await mailer.send({ to, subject, text, html, messageId })
      done('sent')
      return { messageId }
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      done(error.code === 'VALIDATION_FAILED' ? 'refused' : 'unavailable')
      throw new CallRefused(error.code === 'VALIDATION_FAILED' ? 'INVALID' : 'UNREACHABLE', error.message, {
        cause: error,
      })
    }
  }
}

/** Every mail address in the texts of settings, in lower case. */
function addressesIn(settings: Readonly<Record<string, unknown>>): ReadonlySet<string> {
  const words = Object.values(settings).flatMap((value) => (typeof value === 'string' ? value.split(/[\s,;<>"]+/) : []))
  return new Set(words.filter((word) => word.includes('@')).map((word) => word.toLowerCase()))
}

const named = z.strictObject({ name: z.string().min(1).max(1000) })
const handled = z.strictObject({ handle: z.int().positive() })

function sessionFileCalls({ manifest, files, signal, note }: CapabilityOptions): {
  readonly open: (nameOrId: string) => Promise<OpenedFile>
  readonly calls: Readonly<Record<string, Capability>>
} {
  const readers = new Map<number, ReturnType<typeof inChunks>>()
  let handles = 0
  const streams = new Set<Readable>()
  const end = () => {
    for (const stream of streams) stream.destroy()
  }
  signal.addEventListener('abort', end, { once: true })
  /** Until the run ends. */
  const lasting = (stream: Readable) => {
    streams.add(stream.once('close', () => streams.delete(stream)))
    if (signal.aborted) stream.destroy()
    return stream
  }
  const allowed = () => {
    requirePermission(manifest, 'files', 'read files')
    if (!files) throw new CallRefused('UNREACHABLE', 'There is no file storage here.')
    return files
  }
  /** Also for bodies of requests. The name may say who somebody is, so the note has the id. */
  const open = async (nameOrId: string) => {
    const source = allowed()
    const begun = performance.now()
    try {
      const file = await source.open(nameOrId)
      note({ kind: 'files', target: `open ${file.id}`, status: 'opened', ms: since(begun), bytes: file.size })
      return { ...file, stream: lasting(file.stream), again: async () => lasting(await file.again()) }
    } catch (error) {
      const status = error instanceof CallRefused ? error.code.toLowerCase() : 'internal'
      note({ kind: 'files', target: 'open', status, ms: since(begun), bytes: 0 })
      throw error
    }
  }
  return {
    open,
    calls: {
      'files.list': () => allowed().list(),
      async 'files.open'(argument) {
        const { name } = checked(named, argument, 'files.read')
        if (readers.size >= mostOpenFiles) {
          throw new CallRefused('LIMIT', `No more than ${mostOpenFiles} files may be open at the same time.`)
        }
        const { stream, again: _, ...file } = await open(name)
        readers.set(++handles, inChunks(stream))
        return { handle: handles, file }
      },
      async 'files.chunk'(argument) {
        const { handle } = checked(handled, argument, 'files.read')
        const reader = readers.get(handle)
        if (!reader) return { base64: null }
        const { value } = await reader.next().catch((cause) => {
          readers.delete(handle)
          throw new CallRefused('UNREACHABLE', 'The file could not be read to its end.', { cause })
        })
        if (!value) readers.delete(handle)
        return { base64: value ? value.toString('base64') : null }
      },
      async 'files.close'(argument) {
        const { handle } = checked(handled, argument, 'files.read')
        await readers.get(handle)?.return(undefined)
        readers.delete(handle)
        return null
      },
    },
  }
}

async function* inChunks(stream: Readable): AsyncGenerator<Buffer, undefined> {
  let held: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    held.push(chunk)
    bytes += chunk.length
    if (bytes < chunkBytes) continue
    yield Buffer.concat(held, bytes)
    held = []
    bytes = 0
  }
  if (bytes > 0) yield Buffer.concat(held, bytes)
}

const kept = z.strictObject({
  name: z.string(),
  base64: z.base64().max(Math.ceil((storeLimits.itemBytes * 4) / 3) + 1024),
  keep: z.boolean().default(false),
})

function storeCalls({ manifest, store, note }: CapabilityOptions): Readonly<Record<string, Capability>> {
  const noted =
    (verb: string, call: (store: RunStore, argument: unknown) => Promise<{ answer: unknown; bytes?: number }>) =>
    async (argument: unknown) => {
      requirePermission(manifest, 'store', 'keep files')
      if (!store) throw new CallRefused('UNREACHABLE', 'There is no file storage here.')
      const begun = performance.now()
      const done = (status: string, bytes = 0) => note({ kind: 'store', target: verb, status, ms: since(begun), bytes })
      try {
        const { answer, bytes } = await call(store, argument)
        done('done', bytes)
        return answer
      } catch (error) {
        done(error instanceof CallRefused ? error.code.toLowerCase() : 'internal')
        throw error
      }
    }
  return {
    'store.list': noted('list', async (own) => ({ answer: await own.list() })),
    'store.get': noted('get', async (own, argument) => {
      const found = await own.get(checked(named, argument, 'store.get').name)
      return { answer: { base64: found?.toString('base64') ?? null }, bytes: found?.length }
    }),
    'store.put': noted('put', async (own, argument) => {
      const { name, base64, keep } = checked(kept, argument, 'store.put')
      const content = Buffer.from(base64, 'base64')
      await own.put(name, content, keep)
      return { answer: null, bytes: content.length }
    }),
    'store.remove': noted('remove', async (own, argument) => {
      await own.remove(checked(named, argument, 'store.remove').name)
      return { answer: null }
    }),
  }
}

function requirePermission(manifest: Manifest, name: CapabilityName, what: string): void {
  if (hasCapability(manifest, name)) return
  throw new CallRefused('BLOCKED', `This connector may not ${what}. Add "${name}" to "permissions" in connector.json.`)
}

function checked<Schema extends z.ZodType>(schema: Schema, argument: unknown, name: string): z.output<Schema> {
  const parsed = schema.safeParse(argument)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : ''
  throw new CallRefused('INVALID', `${name} cannot be called like this: ${where}${issue?.message}.`)
}

function withType(
  headers: Readonly<Record<string, string>> = {},
  type: string | undefined,
  isFixed = false,
): Record<string, string> {
  const own = Object.entries(headers).filter(([name]) => !isFixed || name.toLowerCase() !== 'content-type')
  const hasType = own.some(([name]) => name.toLowerCase() === 'content-type')
  return Object.fromEntries(type === undefined || hasType ? own : [...own, ['content-type', type]])
}

function isJson(headers: Readonly<Record<string, string>>): boolean {
  return /^[^;]*[/+]json\s*(;|$)/i.test(headers['content-type'] ?? '')
}

/** Host and path. A query may hold data, so it is left out. */
function placeOf(url: string, { scrub }: CapabilityOptions): string {
  const parsed = URL.parse(url)
  return parsed ? scrub(`${parsed.origin}${parsed.pathname}`).slice(0, 300) : 'an address that cannot be read'
}

function since(begun: number): number {
  return Math.round((performance.now() - begun) * 100) / 100
}
