/**
 * The id of a request: in its answer as `x-request-id`, in errors, in the log and in audit entries. A caller or proxy may
 * give one of its own, as `x-request-id` or as W3C Trace Context's `traceparent`, so that one id leads through the logs
 * of both. It is a caller's word: it finds entries, and proves nothing about them.
 */
import { randomUUID } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** Begins with a letter or digit: in a table of somebody's audit log it is no formula. */
const requestId = /^[A-Za-z0-9][\w.:-]{7,127}$/

/** Trace Context, section 3.2: version, trace-id, parent-id, flags. A later version may have more behind them. */
const traceparent = /^(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}(?:-.*)?$/

/**
 * The caller's id where it is 8 to 128 letters, digits and `_.:-`; else `<trace-id>-<parent-id>` of its `traceparent`,
 * which names its own step of the trace; else a new one.
 */
export function requestIdOf(headers: IncomingHttpHeaders): string {
  const given = headers['x-request-id']
  if (typeof given === 'string' && requestId.test(given)) return given
  const parent = headers.traceparent
  const [, trace, step] = (typeof parent === 'string' && parent.length <= 256 && traceparent.exec(parent)) || []
  return trace && step ? `${trace}-${step}` : randomUUID()
}
