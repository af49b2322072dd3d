/**
 * One structured log (pino) for every process. Secrets never reach it: the
 * paths below are redacted wherever they appear in a logged object.
 */
import { type Logger, pino } from 'pino'

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

/** Creates a process's logger. Logs go to standard error, so that standard output stays for people and pipes. */
export function createLog({ name, level }: { readonly name: string; readonly level: string }): Log {
  return pino(
    { name, level, base: { name, pid: process.pid }, redact: { paths: secretPaths, censor: '[redacted]' } },
    pino.destination({ dest: 2, sync: true }),
  )
}

/** A logger that writes nothing, for parts built in tests. */
export const silentLog: Log = pino({ level: 'silent' })
