/**
 * Runs inside the sandbox: takes a bundle and runs from standard input, calls
 * the connector, and speaks for it on standard output. It is sent to Deno as
 * one file of plain JavaScript, so it imports types only.
 *
 * The connector runs in this very realm and may change any built-in object, so
 * everything the channel needs is taken before the bundle is loaded, methods
 * are called through `uncurried` and never through a prototype, messages have
 * no prototype, and the token exists only in this closure. All globals beside
 * the language and a few harmless ones are deleted: `Deno`, `process`, `fetch`,
 * `Worker`, `WebAssembly` and 200 more. Deno starts with code generation from
 * strings switched off, so nothing that imports can be made at run time.
 */
import type { AnswerMessage, LoadMessage, LogLevel, RequestAnswer, RunMessage } from './protocol.ts'

declare const Deno: {
  readonly stdin: { read(into: Uint8Array): Promise<number | null> }
  readonly stdout: { writeSync(from: Uint8Array): number }
  exit(code: number): never
}

const kept = new Set<PropertyKey>([
  // The language. Not among it: eval, Atomics and SharedArrayBuffer (they block), WebAssembly.
  ...['Object', 'Function', 'Array', 'Number', 'Boolean', 'String', 'Symbol', 'BigInt', 'Date', 'Promise', 'RegExp'],
  ...['Error', 'AggregateError', 'EvalError', 'RangeError', 'ReferenceError', 'SyntaxError', 'TypeError', 'URIError'],
  ...['SuppressedError', 'DisposableStack', 'AsyncDisposableStack', 'globalThis', 'JSON', 'Math', 'Intl', 'Temporal'],
  ...['ArrayBuffer', 'DataView', 'Uint8Array', 'Int8Array', 'Uint16Array', 'Int16Array', 'Uint32Array', 'Int32Array'],
  ...['BigUint64Array', 'BigInt64Array', 'Uint8ClampedArray', 'Float16Array', 'Float32Array', 'Float64Array'],
  ...['Map', 'Set', 'WeakMap', 'WeakSet', 'WeakRef', 'FinalizationRegistry', 'Iterator', 'Proxy', 'Reflect'],
  ...['parseFloat', 'parseInt', 'isFinite', 'isNaN', 'Infinity', 'NaN', 'undefined', 'escape', 'unescape'],
  ...['decodeURI', 'decodeURIComponent', 'encodeURI', 'encodeURIComponent'],
  // Of the web platform, what neither reaches out nor loads code.
  ...['URL', 'URLSearchParams', 'TextEncoder', 'TextDecoder', 'atob', 'btoa', 'structuredClone', 'crypto', 'self'],
  ...['AbortController', 'AbortSignal', 'Event', 'EventTarget', 'DOMException', 'queueMicrotask'],
])

const { apply, ownKeys, deleteProperty, defineProperty } = Reflect
const uncurried = <This, Arguments extends unknown[], Result>(
  method: (this: This, ...parameters: Arguments) => Result,
): ((self: This, ...parameters: Arguments) => Result) =>
  Function.prototype.call.bind(method) as (self: This, ...parameters: Arguments) => Result

const { parse, stringify } = JSON
const { isArray } = Array
const { create, freeze, keys } = Object
const PlainPromise = Promise
const PlainProxy = Proxy
const PlainError = Error
const PlainTypeError = TypeError
const PlainBytes = Uint8Array
const text = String
const toNumber = Number
const { floor } = Math
const indexOf = uncurried(String.prototype.indexOf)
const slice = uncurried(String.prototype.slice)
const join = uncurried(Array.prototype.join as (this: unknown[], separator: string) => string)
const subarray = uncurried(Uint8Array.prototype.subarray as (this: Uint8Array, from: number, to?: number) => Uint8Array)
const base64 = uncurried(
  (Uint8Array.prototype as unknown as { toBase64(): string }).toBase64 as (this: Uint8Array) => string,
)
const fromBase64 = (Uint8Array as unknown as { fromBase64(encoded: string): Uint8Array }).fromBase64.bind(Uint8Array)
const byteLengthOf = uncurried(
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'byteLength')?.get as (
    this: Uint8Array,
  ) => number,
)
const typeNameOf = uncurried(
  Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), Symbol.toStringTag)?.get as (
    this: unknown,
  ) => string | undefined,
)
const isBytes = (value: unknown): value is Uint8Array => {
  // Throwing for each object of a session made returning it more than twice as dear.
  if (typeNameOf(value) !== 'Uint8Array') return false
  try {
    base64(value as Uint8Array)
    return true
  } catch {
    return false
  }
}
const setBytes = uncurried(Uint8Array.prototype.set as (this: Uint8Array, from: Uint8Array, at: number) => void)
const PlainDecoder = TextDecoder
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encode = uncurried(TextEncoder.prototype.encode)
const decode = uncurried(TextDecoder.prototype.decode)
const streaming = freeze({ __proto__: null, stream: true }) as unknown as { stream: true }
const read = Deno.stdin.read.bind(Deno.stdin)
const writeSync = Deno.stdout.writeSync.bind(Deno.stdout)
const exit = Deno.exit.bind(Deno)
const toAddress = (source: string) => URL.createObjectURL(new Blob([source], { type: 'text/javascript' }))
const forget = URL.revokeObjectURL.bind(URL)
const listen = (globalThis as unknown as EventTarget).addEventListener.bind(globalThis) as (
  type: string,
  listener: (event: Event & { readonly reason?: unknown; readonly error?: unknown }) => void,
) => void

interface Call {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
}

let token = ''
let functions: Record<string, ((...parameters: unknown[]) => unknown) | undefined> = create(null)
/** The run under way, 0 if none: one at a time. */
let current = 0
let logLines = 0
let maxLogLines = 0
let callCount = 0
let calls: Record<number, Call | undefined> = create(null)
let timerCount = 0
let running: Record<number, true | undefined> = create(null)
const armAfter = AbortSignal.timeout.bind(AbortSignal)
const onSignal = uncurried(
  AbortSignal.prototype.addEventListener as (this: AbortSignal, type: 'abort', then: () => void) => void,
)

listen('unhandledrejection', (event) => {
  event.preventDefault()
  fail(current, `A promise was rejected and nobody handled it: ${reasonOf(event.reason)}`)
})
listen('error', (event) => {
  event.preventDefault()
  fail(current, `An error was thrown and nobody handled it: ${reasonOf(event.error)}`)
})
void main()

async function main(): Promise<void> {
  const buffer = new PlainBytes(65_536)
  let rest = ''
  for (;;) {
    const size = await read(buffer)
    // The worker is gone.
    if (size === null) return exit(0)
    let chunk = decode(decoder, subarray(buffer, 0, size), streaming)
    for (let end = indexOf(chunk, '\n'); end !== -1; end = indexOf(chunk, '\n')) {
      const line = rest + slice(chunk, 0, end)
      rest = ''
      chunk = slice(chunk, end + 1)
      receive(parse(line))
    }
    rest += chunk
  }
}

function receive(message: LoadMessage | RunMessage | AnswerMessage): void {
  if (message.type === 'run') void start(message)
  else if (message.type === 'answer') settle(message)
  else void load(message)
}

async function load(message: LoadMessage): Promise<void> {
  token = message.token
  try {
    const address = toAddress(message.bundle)
    close()
    const module = await import(address)
    forget(address)
    functions = functionsOf(module)
    send({ type: 'ready', functions: keys(functions), settings: module.default?.settings ?? null })
  } catch (error) {
    send({ type: 'unloadable', message: reasonOf(error) })
  }
}

/** By name: those of the default export, and exported ones beside it. A function as default export is `consume`. */
function functionsOf(module: Record<string, unknown>): typeof functions {
  const found: typeof functions = create(null)
  const { default: connector } = module
  for (const name of keys(module)) {
    const value = module[name]
    if (typeof value === 'function') found[name === 'default' ? 'consume' : name] = value as () => unknown
  }
  if (typeof connector === 'object' && connector !== null) {
    for (const name of keys(connector)) {
      const value = (connector as Record<string, unknown>)[name]
      if (typeof value === 'function') found[name] = (...parameters) => apply(value, connector, parameters)
    }
  }
  if (keys(found).length === 0) {
    throw new PlainError('Its default export is neither a function nor defineConnector({ consume }).')
  }
  return found
}

/**
 * Takes away what the connector shall not have. What stays becomes a plain
 * value: Deno fills in many globals at their first use, and that code must not
 * run after the connector could change what it stands on. Symbols stay as they
 * are: they hold the state of `globalThis` as an event target.
 */
function close(): void {
  const global = globalThis as unknown as Record<string, unknown>
  const values = create(null)
  for (const key of ownKeys(global)) if (typeof key !== 'symbol' && kept.has(key)) values[key] = global[key]
  // Some load more at the first call.
  after(0, () => undefined)
  queueMicrotask(() => undefined)
  structuredClone({ date: new Date(), map: new Map() })
  crypto.getRandomValues(new Uint8Array(1))
  void crypto.subtle.digest('SHA-256', new Uint8Array(1))
  new URL('https://example.org/?a=1').searchParams.get('a')
  for (const key of ownKeys(global)) {
    if (typeof key === 'symbol') continue
    deleteProperty(global, key)
    if (key in values) defineProperty(global, key, { value: values[key], writable: true, configurable: true })
  }
  deleteProperty(URL, 'createObjectURL')
  deleteProperty(URL, 'revokeObjectURL')
  const write =
    (level: LogLevel) =>
    (...words: unknown[]) =>
      log(current, level, words)
  const info = write('info')
  const debug = write('debug')
  const console = { log: info, info, debug, dir: debug, trace: debug, warn: write('warn'), error: write('error') }
  const clear = (id: number) => {
    running[id] = undefined
  }
  const timed =
    (repeats: boolean) =>
    (callback: unknown, ms?: unknown, ...parameters: unknown[]): number => {
      if (typeof callback !== 'function') throw new PlainTypeError('A timer needs a function.')
      const id = ++timerCount
      running[id] = true
      const fire = () => {
        if (!running[id]) return
        if (repeats) after(ms, fire)
        else running[id] = undefined
        apply(callback, undefined, parameters)
      }
      after(ms, fire)
      return id
    }
  const own = {
    console: freeze(console),
    setTimeout: timed(false),
    setInterval: timed(true),
    clearTimeout: clear,
    clearInterval: clear,
  }
  for (const key of keys(own)) global[key] = own[key as keyof typeof own]
}

/**
 * The timer under `setTimeout` and `setInterval`. Deno's own would load Node's
 * timers at their first use, which takes 10 ms of a start of 40. A timer that
 * was cleared, or whose run has ended, still fires, and finds that nobody waits.
 */
function after(ms: unknown, then: () => void): void {
  const wanted = toNumber(ms)
  const delay = wanted > 0 ? (wanted < 2_147_483_647 ? wanted : 2_147_483_647) : 0
  onSignal(armAfter(floor(delay)), 'abort', then)
}

/** Timers end with the run. */
function stopTimers(): void {
  running = create(null)
}

async function start({ run, method, parameters, input, maxLogLines: lines }: RunMessage): Promise<void> {
  current = run
  logLines = 0
  maxLogLines = lines
  callCount = 0
  calls = create(null)
  try {
    const called = functions[method]
    if (!called) {
      current = 0
      send({ type: 'absent', run })
      return
    }
    const state = (input.state ?? {}) as Record<string, unknown>
    const given = unpacked(parameters) as unknown[]
    const { extendsBooking, ...contents } = input
    const { extensionData } = input
    const began = stringify(extensionData)
    const booking = extendsBooking ? (input.session ?? given[0]) : undefined
    const holder = typeof booking === 'object' ? (booking as { extensionData?: unknown } | null) : null
    if (holder) holder.extensionData = extensionData
    const context = {
      ...contents,
      event: freeze(input.event),
      settings: freeze(input.settings),
      state: guarded(state),
      delivery: freeze(input.delivery),
      ...capabilities(run),
    }
    given[given.length] = context
    const value = await apply(called, undefined, given)
    if (run !== current) return
    // A connector may change the object, or put another in its place.
    const replaced = holder && holder.extensionData !== extensionData ? holder.extensionData : undefined
    const left = replaced ?? (context as { extensionData?: unknown }).extensionData
    const changed = extensionData !== undefined && stringify(left) !== began
    send({
      type: 'returned',
      run,
      value: value === undefined ? null : packed(value),
      state,
      ...(changed ? { extensionData: left } : null),
    })
    current = 0
    stopTimers()
  } catch (error) {
    fail(run, reasonOf(error))
  }
}

function fail(run: number, message: string): void {
  if (run === 0 || run !== current) return
  current = 0
  stopTimers()
  send({ type: 'threw', run, message: slice(message, 0, 4000) })
}

/** Bytes become `{"$bytes": base64}`. */
function packed(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (isBytes(value)) return { __proto__: null, $bytes: base64(value) }
  const copy: Record<PropertyKey, unknown> = isArray(value) ? ([] as never) : create(null)
  for (const key of keys(value)) copy[key] = packed((value as Record<string, unknown>)[key])
  return copy
}

/** The opposite. */
function unpacked(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const names = keys(value)
  const encoded = (value as Record<string, unknown>).$bytes
  if (names.length === 1 && typeof encoded === 'string') return fromBase64(encoded)
  for (const name of names) {
    ;(value as Record<string, unknown>)[name] = unpacked((value as Record<string, unknown>)[name])
  }
  return value
}

/** State of which only what the manifest declares can be changed. */
function guarded(state: Record<string, unknown>): unknown {
  const refuse = (key: PropertyKey) => {
    throw new PlainError(
      `There is no state "${text(key)}". Declare it in connector.json: {"key": "${text(key)}", "type": "INTERNAL"}.`,
    )
  }
  const known = create(null)
  for (const key of keys(state)) known[key] = true
  const handler = {
    __proto__: null,
    set: (target: Record<string, unknown>, key: string, value: unknown) => {
      if (!known[key]) refuse(key)
      target[key] = value
      return true
    },
    defineProperty: (_target: unknown, key: string) => refuse(key),
    deleteProperty: (target: Record<string, unknown>, key: string) => {
      if (known[key]) target[key] = null
      return true
    },
    setPrototypeOf: () => false,
    preventExtensions: () => false,
  }
  return new PlainProxy(state, handler as ProxyHandler<Record<string, unknown>>)
}

function capabilities(run: number): object {
  const request = async ({ bodyType, ...outgoing }: Record<string, unknown>) => {
    const body = bodyOf(outgoing.body, bodyType)
    const answer = (await ask(run, 'request', { ...outgoing, body })) as RequestAnswer
    return {
      statusCode: answer.statusCode,
      headers: answer.headers,
      response: received(answer, outgoing.responseType),
    }
  }
  const brief = async (outgoing: Record<string, unknown>) => {
    const { statusCode, response } = await request(outgoing)
    return { statusCode, response }
  }
  const sending = (method: string) => (url: unknown, body: unknown, options?: object) =>
    brief({ ...options, method, url: addressOf(url), body })
  const asking = (method: string) => (url: unknown, options?: object) =>
    brief({ ...options, method, url: addressOf(url) })
  const addressOf = (url: unknown) => (typeof url === 'object' && url !== null ? (url as { url: unknown }).url : url)
  const write = (level: LogLevel) => (message: unknown) => log(run, level, [message])
  return {
    request: freeze({
      get: asking('GET'),
      head: asking('HEAD'),
      delete: asking('DELETE'),
      post: sending('POST'),
      put: sending('PUT'),
      patch: sending('PATCH'),
      send: request,
    }),
    files: freeze(sessionFiles(run)),
    store: freeze(ownFiles(run)),
    mail: freeze({ send: (message: unknown) => ask(run, 'mail', message) }),
    mailbox: (account: unknown) => freeze(mailFolder(run, account)),
    sftp: (account: unknown) => freeze(remoteFiles(run, account)),
    known: (ids: unknown) => ask(run, 'known', ids),
    log: freeze({ debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') }),
  }
}

/** Without a `bodyType`, text is the body as it is, bytes are bytes, and other values are sent as JSON. */
function bodyOf(body: unknown, bodyType: unknown): unknown {
  if (body === undefined || (body === null && bodyType === undefined)) return null
  const type = bodyType ?? (typeof body === 'string' ? 'text' : isBytes(body) ? 'bytes' : 'json')
  switch (type) {
    case 'json':
      return { json: body }
    case 'text':
      return { text: text(body) }
    case 'bytes':
      return { base64: base64(body as Uint8Array) }
    case 'base64':
      return { base64: body }
    case 'form':
      return { form: body }
    case 'file':
      return { file: body }
    case 'archive':
      return { archive: held(body, 'An archive is a list of entries.') }
    case 'multipart': {
      const parts = held(body, 'A multipart body is a list of parts.')
      for (let index = 0; index < parts.length; index++) {
        const part = parts[index] as { archive?: unknown }
        if (part.archive !== undefined) part.archive = held(part.archive, 'An archive is a list of entries.')
      }
      return { parts }
    }
    default:
      throw new PlainTypeError(
        `There is no bodyType "${text(type)}". It is json, text, bytes, base64, form, multipart, file or archive.`,
      )
  }
}

/** Parts or entries, with `content` as what it is: text or bytes. */
function held(list: unknown, message: string): unknown[] {
  if (!isArray(list)) throw new PlainTypeError(message)
  const copies: unknown[] = []
  for (let index = 0; index < list.length; index++) {
    const { content, ...copy } = list[index]
    if (content !== undefined)
      copy[isBytes(content) ? 'base64' : 'text'] = isBytes(content) ? base64(content) : text(content)
    copies[index] = copy
  }
  return copies
}

interface Chunk {
  readonly base64: string | null
}

interface Encoded {
  readonly base64: string
}

function sessionFiles(run: number): object {
  const stream = async function* (name: unknown) {
    const { handle } = (await ask(run, 'files.open', { name: nameOf(name) })) as { handle: number }
    let ended = false
    try {
      for (;;) {
        const { base64: encoded } = (await ask(run, 'files.chunk', { handle })) as Chunk
        ended = encoded === null
        if (encoded === null) return
        yield fromBase64(encoded)
      }
    } finally {
      // Whoever stops reading lets the host stop too; after the run it has stopped already.
      if (!ended && run === current) await ask(run, 'files.close', { handle })
    }
  }
  const read = async (name: unknown) => {
    const { handle, file } = (await ask(run, 'files.open', { name: nameOf(name) })) as {
      handle: number
      file: { size: number }
    }
    const whole = new PlainBytes(file.size)
    for (let at = 0; ; ) {
      const { base64: encoded } = (await ask(run, 'files.chunk', { handle })) as Chunk
      if (encoded === null) return whole
      const bytes = fromBase64(encoded)
      setBytes(whole, bytes, at)
      at += byteLengthOf(bytes)
    }
  }
  return {
    list: () => ask(run, 'files.list', null),
    read,
    text: async (name: unknown) => decode(new PlainDecoder(), await read(name)),
    stream,
  }
}

function ownFiles(run: number): object {
  const get = async (name: unknown) => {
    const { base64: encoded } = (await ask(run, 'store.get', { name })) as Chunk
    return encoded === null ? undefined : fromBase64(encoded)
  }
  return {
    list: () => ask(run, 'store.list', null),
    get,
    text: async (name: unknown) => {
      const found = await get(name)
      return found === undefined ? undefined : decode(new PlainDecoder(), found)
    },
    put: (name: unknown, content: unknown, options?: { readonly keep?: unknown }) =>
      ask(run, 'store.put', {
        name,
        base64: base64(isBytes(content) ? content : encode(encoder, text(content))),
        keep: options?.keep,
      }),
    remove: (name: unknown) => ask(run, 'store.remove', { name }),
  }
}

/** Every call says anew which account it means; the host keeps the connection open. */
function mailFolder(run: number, account: unknown): object {
  return {
    list: (query: unknown) => ask(run, 'mailbox.list', { account, query: query === undefined ? {} : query }),
    fetch: async (uid: unknown) => fromBase64(((await ask(run, 'mailbox.fetch', { account, uid })) as Encoded).base64),
    mark: async (uid: unknown, flag: unknown) => void (await ask(run, 'mailbox.mark', { account, uid, flag })),
    move: async (uid: unknown, folder: unknown) => void (await ask(run, 'mailbox.move', { account, uid, folder })),
  }
}

function remoteFiles(run: number, account: unknown): object {
  return {
    put: async (path: unknown, content: unknown) => {
      await ask(run, 'sftp.put', { account, path, ...contentOf(content) })
    },
    list: (path: unknown) => ask(run, 'sftp.list', { account, path: path === undefined ? '.' : path }),
    get: async (path: unknown) => fromBase64(((await ask(run, 'sftp.get', { account, path })) as Encoded).base64),
    rename: async (from: unknown, to: unknown) => void (await ask(run, 'sftp.rename', { account, from, to })),
    remove: async (path: unknown) => void (await ask(run, 'sftp.remove', { account, path })),
  }
}

/** Text or bytes, or what the host streams: `{ file }`, `{ archive }`. */
function contentOf(content: unknown): object {
  if (typeof content !== 'object' || content === null || isBytes(content)) {
    return { base64: base64(isBytes(content) ? content : encode(encoder, text(content))) }
  }
  const { file, archive } = content as { readonly file?: unknown; readonly archive?: unknown }
  return archive === undefined ? { file } : { archive: held(archive, 'An archive is a list of entries.') }
}

/** Of a file, or its name or id. */
function nameOf(file: unknown): unknown {
  return typeof file === 'object' && file !== null ? (file as { id: unknown }).id : file
}

function received({ body, encoding }: RequestAnswer, responseType: unknown): unknown {
  if (responseType === 'base64') return body
  if (encoding === 'base64') return fromBase64(body)
  if (responseType === 'json') return parse(body)
  if (encoding === 'text') return body
  try {
    return parse(body)
  } catch {
    return body
  }
}

function ask(run: number, kind: string, argument: unknown): Promise<unknown> {
  return new PlainPromise((resolve, reject) => {
    if (run !== current) {
      reject(new PlainError('The run is over: what it waited for must be awaited before it returns.'))
      return
    }
    const call = ++callCount
    calls[call] = { resolve, reject }
    send({ type: 'call', run, call, kind, argument: argument === undefined ? null : argument })
  })
}

function settle({ run, call, value, error }: AnswerMessage): void {
  const waiting = calls[call]
  if (run !== current || !waiting) return
  calls[call] = undefined
  if (error === null) {
    waiting.resolve(value)
    return
  }
  const thrown = new PlainError(error.message) as Error & { code: string }
  thrown.code = error.code
  waiting.reject(thrown)
}

function log(run: number, level: LogLevel, values: unknown[]): void {
  if (run === 0 || run !== current || ++logLines > maxLogLines + 1) return
  const words: string[] = []
  for (let index = 0; index < values.length; index++) words[index] = shown(values[index])
  // The line too many goes out empty, so that the host knows that there was more.
  send({ type: 'log', run, level, message: logLines > maxLogLines ? '' : slice(join(words, ' '), 0, 8000) })
}

function shown(value: unknown): string {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null && !isArray(value) && 'stack' in value) return reasonOf(value)
  try {
    return stringify(value) ?? text(value)
  } catch {
    return text(value)
  }
}

function reasonOf(error: unknown): string {
  try {
    if (typeof error !== 'object' || error === null) return text(error)
    const { name, message } = error as Error
    return name === 'Error' || !name ? text(message) : `${text(name)}: ${text(message)}`
  } catch {
    return 'unknown'
  }
}

/** Blocks while the pipe is full: a connector that writes faster than the host reads waits. */
function send(message: object): void {
  const body = stringify({ __proto__: null, ...message })
  const bytes = encode(encoder, `${token} ${body}\n`)
  const size = byteLengthOf(bytes)
  for (let sent = 0; sent < size; ) sent += writeSync(sent === 0 ? bytes : subarray(bytes, sent))
}
