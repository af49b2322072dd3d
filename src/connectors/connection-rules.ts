/** What editors may set of a connection that is there. */
import { z } from 'zod'
import { SluiceError } from '../errors.ts'
import { deliverySettings, eventList, parsePattern } from '../tables/event-shape.ts'

const mostJsonBytes = 8 * 1024

const jsonObject = z
  .record(z.string(), z.json(), { message: 'must be an object' })
  .refine((value) => JSON.stringify(value).length <= mostJsonBytes, {
    message: `may be ${mostJsonBytes} bytes of JSON at most`,
  })

/** `concurrency` is runs at once; `timeout_ms` is for a whole run. */
const settings = z.object({
  name: z
    .string()
    .trim()
    .min(1, { message: 'write 1 to 200 characters' })
    .max(200, { message: 'write 1 to 200 characters' }),
  config: jsonObject,
  pattern: jsonObject,
  concurrency: z.int().min(1).max(64),
  timeout_ms: z.int().min(1000).max(300_000),
  events: eventList,
  ...deliverySettings,
})

/**
 * A connection as it stands after a change.
 *
 * @throws SluiceError VALIDATION_FAILED that names the column.
 */
export function checkConnectionRow(row: Readonly<Record<string, unknown>>): void {
  const result = settings.safeParse(row)
  if (!result.success) {
    const [issue] = result.error.issues
    const path = issue?.path.join('.')
    throw new SluiceError('VALIDATION_FAILED', `${path}: ${issue?.message ?? 'is not valid'}.`, { path })
  }
  parsePattern(result.data.pattern)
}
