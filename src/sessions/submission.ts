/** What an event source may submit, and the fingerprint by which a repeated submission is known. */
import { createHash } from 'node:crypto'
import { z } from 'zod'
import { SluiceError } from '../errors.ts'

/** Any JSON object, as it came: zod's record is a copy without the key `__proto__`, which a session may have. */
export const jsonObject = z.custom<Record<string, unknown>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
  { message: 'must be a JSON object' },
)

const submissionSchema = z.strictObject({
  id: z.uuid({ message: 'must be a UUID; it makes the submission idempotent' }).optional(),
  team: z.string().min(1).max(200),
  flow: z.string().min(1).max(200),
  kind: z.enum(['application', 'booking']).default('application'),
  data: jsonObject,
  payment_id: z.string().max(200).nullish(),
  config: jsonObject.nullish(),
  schema_url: z.url().max(2_000).nullish(),
})

export type Submission = z.infer<typeof submissionSchema>

/** An update names what changes; what it leaves out stays. */
const changeSchema = z.strictObject({
  id: z.uuid(),
  data: jsonObject.optional(),
  payment_id: z.string().max(200).nullish(),
  config: jsonObject.nullish(),
  schema_url: z.url().max(2_000).nullish(),
  expected_revision: z.number().int().min(1).nullish(),
})

export type SessionChange = z.infer<typeof changeSchema>

/** @throws SluiceError VALIDATION_FAILED naming each field that is wrong. */
export function parseSubmission(input: unknown): Submission {
  const parsed = checked(submissionSchema, input)
  return { ...parsed, ...(parsed.id ? { id: parsed.id.toLowerCase() } : {}) }
}

/** @throws SluiceError VALIDATION_FAILED naming each field that is wrong. */
export function parseChange(input: unknown): SessionChange {
  const parsed = checked(changeSchema, input)
  return { ...parsed, id: parsed.id.toLowerCase() }
}

function checked<Schema extends z.ZodType>(schema: Schema, input: unknown): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (parsed.success) return parsed.data
  const issues = parsed.error.issues.map((issue) => ({
    path: ['object', ...issue.path].join('.'),
    message: issue.message,
  }))
  throw new SluiceError('VALIDATION_FAILED', issues.map(({ path, message }) => `${path}: ${message}`).join('; '), {
    path: issues[0]?.path,
    details: { issues },
  })
}

/** What a session says, and what makes two of them equal. */
export type SessionContent = Omit<Submission, 'id'>

/**
 * SHA-256 over the submission with its keys in order: equal content, equal hash, however it was written.
 *
 * @param print `canonicalJson` of each part; for who has the text of `data` already
 */
export function contentHash(
  { team, flow, kind, data, payment_id, config, schema_url }: SessionContent,
  print: (part: unknown) => string = canonicalJson,
): Buffer {
  const content = { team, flow, kind, data, payment_id, config, schema_url }
  return createHash('sha256').update(canonicalJson(content, print)).digest()
}

/** Equal values, equal text: keys in order, without those that are null. */
export function canonicalJson(value: unknown, print: (part: unknown) => string = canonicalJson): string {
  if (Array.isArray(value)) return `[${value.map((item) => print(item)).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value)
    .filter(([, item]) => item !== undefined && item !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${print(item)}`).join(',')}}`
}
