/** Postgres errors that a client's input caused, told as such. */
import { SluiceError } from '../errors.ts'

interface PostgresError {
  readonly code: string
  readonly message: string
  readonly detail?: string
  readonly constraint?: string
  readonly table?: string
}

/** By SQLSTATE; source: PostgreSQL manual, appendix A. */
const told: Readonly<Record<string, (error: PostgresError) => SluiceError>> = {
  '22P02': (error) => new SluiceError('VALIDATION_FAILED', `A value cannot be read: ${error.message}.`),
  '22P05': () => textWithNul(),
  '22021': () => textWithNul(),
  '22003': (error) => new SluiceError('VALIDATION_FAILED', `A number is out of range: ${error.message}.`),
  '22007': (error) => new SluiceError('VALIDATION_FAILED', `A date or time cannot be read: ${error.message}.`),
  '22008': (error) => new SluiceError('VALIDATION_FAILED', `A date or time is out of range: ${error.message}.`),
  '22023': (error) =>
    new SluiceError('VALIDATION_FAILED', `A value does not fit what is done to it: ${error.message}.`),
  '2201B': (error) => new SluiceError('VALIDATION_FAILED', `A regular expression cannot be read: ${error.message}.`),
  '22025': (error) => new SluiceError('VALIDATION_FAILED', `A pattern cannot be read: ${error.message}.`),
  '22019': (error) => new SluiceError('VALIDATION_FAILED', `A pattern cannot be read: ${error.message}.`),
  '23505': alreadyThere,
  '23503': (error) =>
    new SluiceError(
      'CONFLICT',
      `A row that this one refers to does not exist, or is still referred to (${error.constraint ?? 'foreign key'}).`,
    ),
  '23001': (error) => new SluiceError('CONFLICT', `A row is still referred to (${error.constraint ?? 'foreign key'}).`),
  '21000': () =>
    new SluiceError('VALIDATION_FAILED', 'Two of the given rows have the same key, and one would overwrite the other.'),
  '40001': () => overtaken(),
  '40P01': () => overtaken(),
  '23514': (error) => new SluiceError('VALIDATION_FAILED', `The row breaks a rule (${error.constraint ?? 'check'}).`),
  '23502': (error) => new SluiceError('VALIDATION_FAILED', `A required column is missing: ${error.message}.`),
  '54000': (error) => new SluiceError('TOO_LARGE', `The request is too large for the database: ${error.message}.`),
  '54001': () => new SluiceError('TOO_LARGE', 'The request nests too deeply for the database; make it simpler.'),
  '57014': () => new SluiceError('UNAVAILABLE', 'The request took too long and was stopped; ask for less at once.'),
}

/** The error to show for `error`, or null when it is not of the client's making. */
export function clientError(error: unknown): SluiceError | null {
  if (error instanceof SluiceError) return error
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return null
  const said = fromPrisma(error) ?? (error as unknown as PostgresError)
  return told[said.code]?.(said) ?? null
}

/** What Postgres said, where Prisma tells of it in words of its own. */
function fromPrisma(error: Error): PostgresError | undefined {
  const { meta } = error as { meta?: { driverAdapterError?: { cause?: unknown } } }
  const cause = meta?.driverAdapterError?.cause as
    | { originalCode?: string; originalMessage?: string; constraint?: { index?: string; fields?: readonly string[] } }
    | undefined
  if (typeof cause?.originalCode !== 'string') return undefined
  const { index, fields } = cause.constraint ?? {}
  return {
    code: cause.originalCode,
    message: cause.originalMessage ?? error.message,
    ...(index ? { constraint: index } : {}),
    ...(fields ? { detail: `Key (${fields.join(', ')})=` } : {}),
  }
}

/** Names the columns and the constraint, which `on_conflict` asks for; never a value, which may be another team's. */
function alreadyThere({ detail, constraint, table }: PostgresError): SluiceError {
  const columns = /^Key \((.+?)\)=/.exec(detail ?? '')?.[1]
  const where = table ? ` in ${table}` : ''
  const what = columns ? `with the same ${columns.split(', ').join(' and ')}` : 'of this kind'
  const known = constraint ? ` (${constraint})` : ''
  const other = columns?.split(', ').at(-1)
  return new SluiceError(
    'CONFLICT',
    `There is already a row${where} ${what}${known}. Choose another ${other ?? 'value'}, or change the row that is there.`,
  )
}

function overtaken(): SluiceError {
  return new SluiceError(
    'CONFLICT',
    'Others were writing the same rows at the same time. Nothing was written; try again.',
  )
}

/** What PostgreSQL cannot store, for those who look before they write. */
export function textWithNul(): SluiceError {
  return new SluiceError(
    'VALIDATION_FAILED',
    'A text holds the character U+0000 (\\u0000) or an unpaired surrogate, which PostgreSQL cannot store. Remove it.',
  )
}
