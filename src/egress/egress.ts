/**
 * The one way out to the network. Webhooks, connectors and whatever else calls a
 * third party go through `request`, so one place decides which addresses may be
 * dialled, how long each phase may take and how much may come back.
 */
import diagnostics from 'node:diagnostics_channel'
import type net from 'node:net'
import type { Readable } from 'node:stream'
import tls from 'node:tls'
import { Agent, type Dispatcher } from 'undici'
import { messageOf } from '../errors.ts'
import { createAddressPolicy } from './addresses.ts'
import { type AddressFinding, type Destination, destinationOf, readUrl } from './destination.ts'
import { codeOf, type Dialled, dial, type Resolve, refusalAmong, resolveBySystem, vet } from './dial.ts'
import { EgressError, type EgressPhases, type EgressTls } from './errors.ts'
import { orderly } from './lookups.ts'
import { readProxy } from './proxy.ts'
import { isPacked, unpack } from './unpack.ts'

export type { AddressFinding } from './destination.ts'
export type { Resolve } from './dial.ts'
export { EgressError, type EgressErrorClass, type EgressPhases, type EgressTls } from './errors.ts'

export interface EgressOptions {
  /** Networks that may be called although they are not public: CIDRs or addresses. Plain http is possible there. */
  readonly allow: readonly string[]
  /** Networks that may not be called, whatever else is said: CIDRs or addresses. @default none */
  readonly deny?: readonly string[]
  /**
   * A forward proxy for every call but those to `allow`: `http://user:password@host:port`. It is sent checked
   * addresses; one that decides by name gets names with `proxyResolves`, and is then the only one to judge them.
   */
  readonly proxy?: string | undefined
  readonly proxyResolves?: boolean
  /** Plain http to public addresses too. @default false */
  readonly allowHttp?: boolean
  /** How names are resolved. @default the system's resolver */
  readonly resolve?: Resolve
  /** Deadlines in milliseconds. @default dns 5000, connect 10000, tls 10000 */
  readonly deadlines?: { readonly dns?: number; readonly connect?: number; readonly tls?: number }
  /** A connection is used for new calls this long, in milliseconds; then its host is resolved and checked anew. @default 60000 */
  readonly connectionLifeMs?: number
  /** PEM certificates that are trusted beside the system's. */
  readonly ca?: string
}

/** The part of the configuration that says what may be called. */
export interface EgressConfig {
  readonly EGRESS_ALLOW: readonly string[]
  readonly EGRESS_DENY: readonly string[]
  readonly EGRESS_PROXY?: string | undefined
  readonly EGRESS_PROXY_RESOLVES: boolean
}

/** @example const egress = createEgress(egressOptionsOf(config)) */
export function egressOptionsOf(config: EgressConfig): EgressOptions {
  return {
    allow: config.EGRESS_ALLOW,
    deny: config.EGRESS_DENY,
    proxy: config.EGRESS_PROXY,
    proxyResolves: config.EGRESS_PROXY_RESOLVES,
  }
}

export interface EgressRequest {
  /** @default GET */
  readonly method?: string
  readonly url: string | URL
  readonly headers?: Readonly<Record<string, string>>
  /** A stream is read as fast as it is taken, and destroyed when the call ends early. */
  readonly body?: string | Uint8Array | Readable
  /** Length of a stream in bytes. Without it the stream is sent in chunks, which some servers do not take. */
  readonly bodyBytes?: number
  /** For everything together: name, connection, sending, the whole answer. @default 20000 */
  readonly timeoutMs?: number
  /** Largest body after decompression. @default 1 MiB */
  readonly maxResponseBytes?: number
  /** What happens to a larger body: `fail` throws `response_too_large`; `truncate` keeps its start and ends the connection. @default fail */
  readonly overflow?: 'fail' | 'truncate'
  readonly signal?: AbortSignal
  /** When given, only these hosts may be called: `api.example.com` (the protocol's own port) or `api.example.com:8443`. */
  readonly allowedHosts?: readonly string[]
}

export interface EgressConnect {
  /** A name or an address. */
  readonly host: string
  readonly port: number
  /** The port that belongs to the protocol, such as 22. */
  readonly ownPort: number
  /** Only these hosts may be called: `files.example.com` (on `ownPort`) or `files.example.com:2022`. */
  readonly allowedHosts: readonly string[]
  readonly signal?: AbortSignal
}

export interface Connected {
  /** Whoever takes it destroys it. */
  readonly socket: net.Socket
  /** As the guard understood the name. */
  readonly hostname: string
  /** The address that was dialled; empty behind a forward proxy that resolves names. */
  readonly address: string
  /** Whose certificates are trusted. */
  readonly secureContext: tls.SecureContext
}

export interface EgressResponse {
  readonly status: number
  /** Names in lower case; several values of one name are joined by ", ". */
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
  /** The body is only the start of what was sent. */
  readonly truncated: boolean
  /** The address that was dialled. */
  readonly address: string
  readonly phases: EgressPhases
  /** Of the connection that carried the call, kept ones too; absent over plain http. */
  readonly tls?: EgressTls
}

export interface Egress {
  /**
   * Makes one call. Redirects are answers like any other: nothing is followed.
   *
   * @throws EgressError that says in which phase it failed, and whether it was refused.
   */
  request(request: EgressRequest): Promise<EgressResponse>
  /**
   * Opens a bare connection, under the same rules, for a protocol that secures itself: `mailbox.ts`, `sftp.ts`.
   *
   * @throws EgressError as `request` does.
   */
  connect(to: EgressConnect): Promise<Connected>
  /** What would become of a call, without making it. Names are resolved. */
  explain(url: string | URL): Promise<EgressExplanation>
  /** Ends kept connections; calls that run fail. */
  close(): Promise<void>
}

export interface EgressExplanation {
  /** `direct` and `proxy` are ways a call would take. */
  readonly way: 'direct' | 'proxy' | 'refused'
  /** Why it is refused. */
  readonly reason?: string
  /** As it is understood: without octal, full-width or encoded digits. Absent for a URL that cannot be read. */
  readonly host?: string
  readonly port?: number
  /** One finding an address; none when no address was looked up. */
  readonly findings: readonly AddressFinding[]
}

/** Larger heads are refused: the field's usual bound. */
const maxHeadBytes = 16 * 1024
/** Below the 5 s after which Node and many servers close an idle connection, so that a call seldom meets a closing one. */
const keepAliveMs = 4000
const mebibyte = 1024 * 1024
/** URLs that a process remembers the meaning of. */
const mostTargets = 1000
/** Interim answers (1xx) before the real one. One or two are usual; a flood of them is work for nothing. */
const mostInterims = 16

/** Set by the connection itself, or able to change who is asked or how the message is framed. */
const ownHeaders = new Set([
  'accept-encoding',
  'connection',
  'content-length',
  'expect',
  'host',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])

/**
 * @example
 * const egress = createEgress({ allow: config.EGRESS_ALLOW })
 * const { status } = await egress.request({ method: 'POST', url: 'https://example.com/hook', body: '{}' })
 * await egress.close()
 */
export function createEgress({
  allow,
  deny = [],
  proxy,
  proxyResolves = false,
  allowHttp = false,
  resolve = resolveBySystem,
  deadlines,
  connectionLifeMs = 60_000,
  ca,
}: EgressOptions): Egress {
  const dialOptions = {
    judge: createAddressPolicy(allow, deny),
    resolve: orderly(resolve),
    hasList: allow.length > 0,
    allowHttp,
    deadlines: { dns: 5000, connect: 10_000, tls: 10_000, ...deadlines },
    // Made once: reading the system's certificates takes as long as many calls.
    secureContext: tls.createSecureContext(ca === undefined ? {} : { ca: [...tls.getCACertificates('default'), ca] }),
    proxy: proxy === undefined ? undefined : readProxy(proxy, { resolves: proxyResolves }),
  }
  const targetOf = createTargetReader()
  /** How each open connection came to be, and whether a call has used it. */
  const connections = new WeakMap<object, { readonly dialled: Dialled; isNew: boolean }>()
  const agent = new Agent({
    connect(options, callback) {
      dial(destinationOf(options), dialOptions).then(
        (dialled) => {
          connections.set(dialled.socket, { dialled, isNew: true })
          callback(null, dialled.socket)
        },
        (error) => callback(error, null),
      )
    },
    allowH2: false,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: 60_000,
    clientTtl: connectionLifeMs,
    maxHeaderSize: maxHeadBytes,
    // Each call has its own deadline, which covers these phases too.
    headersTimeout: 0,
    bodyTimeout: 0,
  })

  // undici says on this channel which socket carries a request, in the same
  // turn in which the request's handler is started.
  let starting: Call | undefined
  const onSendHeaders = (message: unknown) => {
    const call = starting
    starting = undefined
    if (!call) return
    const { socket } = message as { readonly socket: net.Socket }
    const connection = connections.get(socket)
    if (!connection) return
    call.carriedBy(connection.dialled, connection.isNew)
    connection.isNew = false
  }
  diagnostics.subscribe('undici:client:sendHeaders', onSendHeaders)

  return {
    async request(request) {
      const target = targetOf(String(request.url))
      checkHost(target, request.allowedHosts)
      const method = (request.method ?? 'GET').toUpperCase()
      if (!methods.has(method)) throw new EgressError('blocked', `The method ${method} cannot be used.`)
      const call = new Call(request, target.hostname)
      try {
        agent.dispatch(
          {
            origin: target.origin,
            path: target.path,
            method: method as Dispatcher.HttpMethod,
            headers: outgoingHeaders(request.headers, request.bodyBytes),
            body: request.body ?? null,
          },
          call.handler(() => {
            starting = call
          }),
        )
      } catch (cause) {
        // A header or path that cannot be sent.
        call.fail(new EgressError('protocol', `The request cannot be sent: ${messageOf(cause)}.`, { cause }))
      }
      return call.answer()
    },
    async connect({ host, port, ownPort, allowedHosts, signal }) {
      const destination = connectDestination(host, port, ownPort)
      const { hostname } = destination
      const named = port === ownPort ? [hostname, `${hostname}:${port}`] : [`${hostname}:${port}`]
      if (!allowedHosts.some((allowed) => named.includes(allowed.toLowerCase()))) {
        throw new EgressError(
          'blocked',
          `${hostname}:${port} is not among the hosts that may be called (${allowedHosts.join(', ') || 'none'}).`,
        )
      }
      const { socket, address } = await dial(destination, dialOptions)
      if (signal?.aborted) {
        socket.destroy()
        throw new EgressError('timeout', `${hostname} was not waited for: the call was cancelled.`)
      }
      return { socket, hostname, address, secureContext: dialOptions.secureContext }
    },
    async explain(given) {
      try {
        const { hostname: host, port, ...rest } = destinationOf(readUrl(given))
        try {
          const vetted = await vet({ hostname: host, port, ...rest }, dialOptions)
          const { findings, way } = vetted
          const refusal = refusalAmong(vetted)
          return refusal
            ? { way: 'refused', reason: refusal.message, host, port, findings }
            : { way, host, port, findings }
        } catch (error) {
          return { way: 'refused', reason: messageOf(error), host, port, findings: [] }
        }
      } catch (error) {
        return { way: 'refused', reason: messageOf(error), findings: [] }
      }
    },
    async close() {
      diagnostics.unsubscribe('undici:client:sendHeaders', onSendHeaders)
      await agent.destroy()
    },
  }
}

/**
 * One request on its way.
 *
 * It waits (no controller: the connection is being opened), runs (controller),
 * and is settled once, by the whole answer, by a failure, or by its deadline.
 * What undici reports after that is ignored; a request that only then gets its
 * connection is aborted before a byte is sent.
 */
class Call {
  readonly #settled = Promise.withResolvers<EgressResponse>()
  readonly #start = performance.now()
  readonly #limit: number
  readonly #truncate: boolean
  readonly #signal: AbortSignal | undefined
  readonly #timeout: NodeJS.Timeout
  readonly #hostname: string
  #done = false
  #controller: Dispatcher.DispatchController | undefined
  #dialled: Dialled | undefined
  #isNewConnection = false
  #status = 0
  #headers: Record<string, string> = {}
  #firstByte: number | undefined
  #chunks: Buffer[] = []
  #size = 0
  #interims = 0

  constructor(
    { timeoutMs = 20_000, maxResponseBytes = mebibyte, overflow = 'fail', signal }: EgressRequest,
    hostname: string,
  ) {
    this.#limit = maxResponseBytes
    this.#truncate = overflow === 'truncate'
    this.#hostname = hostname
    this.#signal = signal
    this.#timeout = setTimeout(() => this.fail(this.#late(timeoutMs)), timeoutMs)
    signal?.addEventListener('abort', this.#onAbort)
    if (signal?.aborted) this.#onAbort()
  }

  /** The answer, unpacked if the sender compressed it although it was asked not to. */
  async answer(): Promise<EgressResponse> {
    const answer = await this.#settled.promise
    const encoding = answer.headers['content-encoding']
    if (!isPacked(encoding) || answer.body.length === 0) return answer
    try {
      const { body, truncated } = await unpack(answer.body, encoding, this.#limit)
      if (!truncated) return { ...answer, body }
      if (this.#truncate) return { ...answer, body, truncated }
    } catch (cause) {
      // Of a body that was cut off, what cannot be read is no more than that.
      if (answer.truncated) return { ...answer, body: Buffer.alloc(0) }
      throw this.#error('protocol', 'sent a body that cannot be unpacked', cause)
    }
    throw this.#tooLarge()
  }

  carriedBy(dialled: Dialled, isNew: boolean): void {
    this.#dialled = dialled
    this.#isNewConnection = isNew
  }

  fail(error: EgressError): void {
    if (!this.#finish()) return
    this.#settled.reject(error)
    this.#controller?.abort(error)
  }

  handler(onStart: () => void): Dispatcher.DispatchHandler {
    return {
      onRequestStart: (controller) => {
        if (this.#done) {
          controller.abort(new Error('no longer wanted'))
          return
        }
        this.#controller = controller
        onStart()
      },
      onResponseStart: (_controller, status, headers) => {
        if (status < 200) {
          this.#interims += 1
          if (this.#interims > mostInterims) this.fail(this.#error('protocol', 'sent interim answers without end'))
          return
        }
        this.#firstByte = performance.now() - this.#start
        this.#status = status
        for (const [name, value] of Object.entries(headers)) {
          if (value !== undefined) this.#headers[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value
        }
      },
      onResponseData: (_controller, chunk) => {
        if (this.#done) return
        const room = this.#limit - this.#size
        if (chunk.length <= room) {
          this.#size += chunk.length
          this.#chunks.push(chunk)
          return
        }
        if (!this.#truncate) return this.fail(this.#tooLarge())
        this.#chunks.push(chunk.subarray(0, room))
        this.#succeed({ truncated: true })
        this.#controller?.abort(new Error('enough of the body was read'))
      },
      onResponseEnd: () => this.#succeed({ truncated: false }),
      onResponseError: (_controller, cause) => {
        if (this.#done) return
        if (cause instanceof EgressError) return this.fail(cause)
        if (codeOf(cause) === 'UND_ERR_HEADERS_OVERFLOW') {
          return this.fail(
            this.#error('response_too_large', `answered with a head of more than ${maxHeadBytes} bytes`, cause),
          )
        }
        const what = codeOf(cause)?.startsWith('HPE_') ? 'did not answer in HTTP' : 'broke the connection'
        this.fail(this.#error('protocol', `${what}: ${messageOf(cause)}`, cause))
      },
    }
  }

  #onAbort = () => this.fail(this.#error('timeout', 'was not waited for: the call was cancelled', this.#signal?.reason))

  #succeed({ truncated }: { readonly truncated: boolean }): void {
    if (!this.#finish()) return
    const answer = {
      status: this.#status,
      headers: this.#headers,
      body: Buffer.concat(this.#chunks),
      truncated,
      address: this.#dialled?.address ?? '',
      phases: this.#phases(),
      tls: this.#dialled?.tls,
    }
    // undici offers the connection again one turn later. Were the answer given out
    // before, a caller's next call would open a connection of its own.
    setImmediate(() => setImmediate(() => this.#settled.resolve(answer)))
  }

  /** True once, for whoever settles it. */
  #finish(): boolean {
    if (this.#done) return false
    this.#done = true
    clearTimeout(this.#timeout)
    this.#signal?.removeEventListener('abort', this.#onAbort)
    return true
  }

  #phases(): EgressPhases {
    const opening = this.#isNewConnection ? this.#dialled?.phases : undefined
    return rounded({ ...opening, first_byte: this.#firstByte, total: performance.now() - this.#start })
  }

  #late(timeoutMs: number): EgressError {
    const state = !this.#controller
      ? 'could not be reached'
      : this.#firstByte === undefined
        ? 'did not answer'
        : 'did not finish its answer'
    return this.#error('timeout', `${state} within ${timeoutMs} ms`)
  }

  #tooLarge(): EgressError {
    return this.#error('response_too_large', `answered with more than ${this.#limit} bytes`)
  }

  #error(errorClass: EgressError['errorClass'], what: string, cause?: unknown): EgressError {
    return new EgressError(errorClass, `${this.#hostname} ${what}.`, {
      cause,
      address: this.#dialled?.address,
      phases: this.#phases(),
      tls: this.#dialled?.tls,
    })
  }
}

/** Read by the parser of URLs, so that a host has one spelling wherever it is judged. */
function connectDestination(host: string, port: number, ownPort: number): Destination {
  const isAddress = host.includes(':') && !host.startsWith('[')
  const url = readUrl(`https://${isAddress ? `[${host}]` : host}:${port}`)
  if (url.pathname !== '/' || url.search || url.hash) {
    throw new EgressError('blocked', 'A host is a name or an address, without a path.')
  }
  return { protocol: 'tcp:', hostname: destinationOf(url).hostname, port, ownPort }
}

interface Target {
  readonly origin: string
  /** With the query. */
  readonly path: string
  /** With the port, if it is not the protocol's own. */
  readonly host: string
  readonly hostname: string
  /** With the port in any case. */
  readonly authority: string
}

/** Remembers what URLs mean: reading one anew costs as much as the rest of the guard, and the same few are called again and again. */
function createTargetReader(): (text: string) => Target {
  const known = new Map<string, Target>()
  return (text) => {
    const seen = known.get(text)
    if (seen) return seen
    const url = readUrl(text)
    const { origin, host, hostname } = url
    const authority = `${hostname}:${destinationOf(url).port}`
    const target = { origin, path: `${url.pathname}${url.search}`, host, hostname, authority }
    known.set(text, target)
    const [oldest] = known.size > mostTargets ? known.keys() : []
    if (oldest !== undefined) known.delete(oldest)
    return target
  }
}

function checkHost({ host, authority }: Target, allowedHosts: readonly string[] | undefined): void {
  if (!allowedHosts) return
  const isNamed = (allowed: string) => allowed === host || allowed === authority
  if (allowedHosts.some((allowed) => isNamed(allowed.toLowerCase()))) return
  throw new EgressError(
    'blocked',
    `${host} is not among the hosts that may be called (${allowedHosts.join(', ') || 'none'}).`,
  )
}

function outgoingHeaders(
  given: Readonly<Record<string, string>> = {},
  bodyBytes: number | undefined,
): Record<string, string> {
  const headers: Record<string, string> = { 'accept-encoding': 'identity' }
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase()
    if (!ownHeaders.has(lower)) headers[lower] = value
  }
  headers['user-agent'] ??= 'Sluice/1'
  if (bodyBytes !== undefined) headers['content-length'] = String(bodyBytes)
  return headers
}

/** To a hundredth of a millisecond; absent phases stay absent. */
function rounded({ dns, connect, tls, first_byte, total }: EgressPhases): EgressPhases {
  const phases: { -readonly [Name in keyof EgressPhases]: number } = {}
  if (dns !== undefined) phases.dns = hundredths(dns)
  if (connect !== undefined) phases.connect = hundredths(connect)
  if (tls !== undefined) phases.tls = hundredths(tls)
  if (first_byte !== undefined) phases.first_byte = hundredths(first_byte)
  if (total !== undefined) phases.total = hundredths(total)
  return phases
}

const hundredths = (ms: number) => Math.round(ms * 100) / 100
