/**
 * What the worker (the host) and a sandboxed process (the guest) say to each
 * other, one JSON value a line: host to guest on standard input, guest to host
 * on standard output, there behind the process's own token and a space.
 *
 * The connector shares the guest's memory, so the host believes a guest nothing:
 * every line is parsed strictly, counted against the run's limits, and means at
 * most what this one connection may do anyway. The token only keeps text that
 * somehow got to standard output from being taken for a message.
 */
import { z } from 'zod'

/** First line to a new process. It answers `ready` or `unloadable`. */
export interface LoadMessage {
  readonly type: 'load'
  readonly token: string
  /** Source of the bundle. */
  readonly bundle: string
}

export interface RunMessage {
  readonly type: 'run'
  /** Counts up in each process; every message about the run carries it. */
  readonly run: number
  readonly maxLogLines: number
  /** Name of the exported function, such as `consume`. */
  readonly method: string
  /** It is called with these, and with the context made of `input` behind them. Bytes are packed (`bytes.ts`). */
  readonly parameters: readonly unknown[]
  readonly input: RunInput
}

/** To one call. `value` or `error` is null. */
export interface AnswerMessage {
  readonly type: 'answer'
  readonly run: number
  readonly call: number
  readonly value: unknown
  readonly error: { readonly message: string; readonly code: string } | null
}

/** The value of an answered `request`. */
export interface RequestAnswer {
  readonly statusCode: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
  /** What `body` is: bytes, text, or text that claims to be JSON. */
  readonly encoding: 'base64' | 'text' | 'json'
}

/** What the connector's context holds beside its capabilities, in the words of the SDK. All of it may be left out. */
export interface RunInput {
  readonly session?: unknown
  readonly event?: unknown
  readonly trip?: unknown
  readonly config?: unknown
  readonly settings?: unknown
  /** All INTERNAL settings; one without a value is null. @default none */
  readonly state?: Readonly<Record<string, unknown>>
  readonly delivery?: unknown
  /** Of the session: a part for each connector. */
  readonly extensionData?: Readonly<Record<string, unknown>>
  /** The session (or else the first parameter) is a booking, and gets the very same `extensionData` as its own. @default false */
  readonly extendsBooking?: boolean
}

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]

const run = z.int().positive()
/** `readGuestLine` looks at all values of a message at once: Zod's own `json` took most of a warm run's time in the worker. */
const json = z.custom<JsonValue>((value) => value !== undefined)

type JsonValue = z.core.util.JSONType

const guestMessage = z.discriminatedUnion('type', [
  /** Loaded; with the names of the functions that the connector has, and the settings that its code declares. */
  z.strictObject({ type: z.literal('ready'), functions: z.array(z.string()), settings: json }),
  z.strictObject({ type: z.literal('unloadable'), message: z.string() }),
  z.strictObject({ type: z.literal('call'), run, call: z.int().positive(), kind: z.string(), argument: json }),
  z.strictObject({ type: z.literal('log'), run, level: z.enum(logLevels), message: z.string() }),
  /** The function returned. Bytes in `value` are packed; `extensionData` is there when it was changed. */
  z.strictObject({
    type: z.literal('returned'),
    run,
    value: json,
    state: z.record(z.string(), json),
    extensionData: json.optional(),
  }),
  /** It threw, or returned what cannot be told. */
  z.strictObject({ type: z.literal('threw'), run, message: z.string() }),
  /** There is no such function. */
  z.strictObject({ type: z.literal('absent'), run }),
])

export type GuestMessage = z.infer<typeof guestMessage>

/** Undefined for anything but a message of this process. */
export function readGuestLine(line: string, token: string): GuestMessage | undefined {
  if (!line.startsWith(`${token} `)) return undefined
  try {
    const message: unknown = JSON.parse(line.slice(token.length + 1))
    return isSound(message) ? guestMessage.parse(message) : undefined
  } catch {
    return undefined
  }
}

/** How deep a message may nest: whoever handles it may recurse. */
const deepest = 1000

/** What `JSON.parse` gave is JSON, but for numbers that are too large. Keys with which a copy could get a prototype are taken out. */
function isSound(message: unknown): boolean {
  const open: [unknown, number][] = [[message, 0]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [value, depth] = next
    if (typeof value === 'number' && !Number.isFinite(value)) return false
    if (typeof value !== 'object' || value === null) continue
    if (depth > deepest) return false
    for (const [key, inner] of Object.entries(value)) {
      if (key === '__proto__') delete (value as Record<string, unknown>)[key]
      else if (typeof inner === 'object' || typeof inner === 'number') open.push([inner, depth + 1])
    }
  }
  return true
}
