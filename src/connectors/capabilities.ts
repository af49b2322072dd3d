/** What a running connector may ask of the host: `request` and `mail`. Each call is checked, done and noted. */
import { z } from 'zod'
import { type Egress, EgressError, type EgressErrorClass } from '../egress/egress.ts'
import type { Mailer } from '../egress/mail.ts'
import { messageOf, SluiceError } from '../errors.ts'
import type { Log } from '../log.ts'
import { allowedHosts, hasCapability, type Manifest } from './manifest.ts'
import type { RunCall } from './record.ts'
import { CallRefused } from './sandbox/process.ts'
import type { RequestAnswer } from './sandbox/protocol.ts'

export interface CapabilityOptions {
  readonly manifest: Manifest
  readonly egress: Egress
  readonly mailer: Mailer
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

type Capability = (argument: unknown) => Promise<unknown>

/** @returns a function that does one call; it throws CallRefused for what the connector should know. */
export function createCapabilities(options: CapabilityOptions): (kind: string, argument: unknown) => Promise<unknown> {
  const capabilities = new Map<string, Capability>([
    ['request', (argument) => request(argument, options)],
    ['mail', mailCapability(options)],
  ])
  return async (kind, argument) => {
    const capability = capabilities.get(kind)
    if (!capability) throw new CallRefused('INVALID', `There is no capability "${kind.slice(0, 50)}".`)
    try {
      return await capability(argument)
    } catch (error) {
      if (error instanceof CallRefused) throw error
      options.log.error(
        { error: messageOf(error), kind, delivery: options.deliveryId },
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
  body: z
    .union([
      z.strictObject({ text: z.string() }),
      z.strictObject({ base64: z.base64() }),
      z.strictObject({ json: z.json() }),
    ])
    .nullable(),
  timeoutMs: z.number().positive().optional(),
  responseType: z.enum(['auto', 'text', 'bytes']).default('auto'),
})

async function request(argument: unknown, options: CapabilityOptions): Promise<RequestAnswer> {
  const { method, url, headers, body, timeoutMs = 20_000, responseType } = checked(outgoing, argument, 'request')
  const { content, type } = contentOf(body)
  const begun = performance.now()
  const note = (status: number | string, bytes: number) =>
    options.note({ kind: 'request', target: `${method} ${placeOf(url, options)}`, status, ms: since(begun), bytes })
  try {
    const answer = await options.egress.request({
      method,
      url,
      headers: withType(headers, type),
      body: content,
      timeoutMs: Math.max(1, Math.min(timeoutMs, options.deadline - begun)),
      maxResponseBytes: maxAnswerBytes,
      signal: options.signal,
      allowedHosts: allowedHosts(options.manifest),
    })
    note(answer.status, answer.body.length)
    const encoding =
      responseType === 'bytes' ? 'base64' : responseType === 'auto' && isJson(answer.headers) ? 'json' : 'text'
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

function mailCapability({ manifest, mailer, deliveryId, note }: CapabilityOptions): Capability {
  let count = 0
  return async (argument) => {
    if (!hasCapability(manifest, 'mail')) {
      throw new CallRefused(
        'BLOCKED',
        'This connector may not send mail. Add "mail" to "permissions" in connector.json.',
      )
    }
    const { to, subject, text, html } = checked(message, argument, 'mail.send')
    // The same in every attempt, so that the receiving side can recognise a mail that is repeated.
    const messageId = `<${deliveryId}.${++count}@sluice.invalid>`
    const begun = performance.now()
    const recipients = typeof to === 'string' ? 1 : to.length
    const target = `${recipients} ${recipients === 1 ? 'recipient' : 'recipients'}`
    const done = (status: string) =>
      note({ kind: 'mail', target, status, ms: since(begun), bytes: Buffer.byteLength(text) })
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

function checked<Schema extends z.ZodType>(schema: Schema, argument: unknown, name: string): z.output<Schema> {
  const parsed = schema.safeParse(argument)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const where = issue?.path.length ? `${issue.path.join('.')}: ` : ''
  throw new CallRefused('INVALID', `${name} cannot be called like this: ${where}${issue?.message}.`)
}

type Body = z.output<typeof outgoing>['body']

function contentOf(body: Body): { readonly content?: string | Buffer; readonly type?: string } {
  if (body === null) return {}
  if ('text' in body) return { content: body.text, type: 'text/plain; charset=utf-8' }
  if ('base64' in body) return { content: Buffer.from(body.base64, 'base64'), type: 'application/octet-stream' }
  return { content: JSON.stringify(body.json), type: 'application/json' }
}

function withType(headers: Readonly<Record<string, string>> = {}, type: string | undefined): Record<string, string> {
  const hasType = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type')
  return type === undefined || hasType ? { ...headers } : { ...headers, 'content-type': type }
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
