/**
 * One structured log (pino) for every process. Secrets never reach it: the paths
 * below are redacted in a logged object, and what looks like a secret is redacted
 * wherever it stands, in a message, an address or the text of a foreign error.
 */
import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

const secretPaths = [
  'authorization',
  'headers.authorization',
  'req.headers.authorization',
  'headers.cookie',
  'req.headers.cookie',
  'password',
  '*.password',
  'secret',
  '*.secret',
  'token',
  '*.token',
  'access_token',
  '*.access_token',
  'client_secret',
  '*.client_secret',
  'connectionParams',
]

/**
 * What secrets look like: ours (`access/key-format.ts`, `webhooks/secrets.ts`), tokens, `Authorization` headers,
 * passwords in addresses, and fields of forms and queries that hold one.
 */
const secretTexts: readonly (readonly [RegExp, string])[] = [
  [/sluice([a-z]+)_[\w-]{16,}/g, 'sluice$1_[redacted]'],
  [/whs(ec|k)_[0-9A-Za-z+/=_-]+/g, 'whs$1_[redacted]'],
  [/eyJ[\w-]{5,}\.[\w-]+\.[\w-]*/g, '[redacted]'],
  [/\b(basic|bearer)( +|%20|\+)[\w+/=.~%-]{8,}/gi, '$1 [redacted]'],
  [/(\/\/[^\s/:@"]*):[^\s/@"]+@/g, '$1:[redacted]@'],
  [/\b(password|secret|client_secret|client_assertion|token|access_token|refresh_token)=[^&\s"\\]+/gi, '$1=[redacted]'],
]

/** A line of the log without what looks like a secret in it. JSON stays JSON: no pattern reaches over a quote. */
export function withoutSecrets(line: string): string {
  let text = line
  for (const [pattern, replacement] of secretTexts) text = text.replace(pattern, replacement)
  return text
}

export interface LogOptions {
  readonly name: string
  readonly level: string
  /** @default standard error, so that standard output stays for people and pipes */
  readonly destination?: DestinationStream
}

/** Creates a process's logger. */
export function createLog({ name, level, destination = pino.destination({ dest: 2, sync: true }) }: LogOptions): Log {
  return pino(
    {
      name,
      level,
      base: { name, pid: process.pid },
      redact: { paths: secretPaths, censor: '[redacted]' },
      hooks: { streamWrite: withoutSecrets },
    },
    destination,
  )
}

/** A logger that writes nothing, for parts built in tests. */
export const silentLog: Log = pino({ level: 'silent' })
