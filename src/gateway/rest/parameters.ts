/** What a REST request says in its path and query string, checked. Each error says what to send instead. */
import { SluiceError } from '../../errors.ts'

export const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** The id in the path, in lower case. @throws SluiceError NOT_FOUND: nothing has such an id. */
export function idOf(params: Readonly<Record<string, string>>, name: string): string {
  const id = params[name] ?? ''
  if (!uuidPattern.test(id))
    throw new SluiceError('NOT_FOUND', `There is nothing of the ${name} "${id.slice(0, 60)}": ids are UUIDs.`)
  return id.toLowerCase()
}

/**
 * A query string in which a mistyped parameter is told, and not passed over: `aftr=…` would give the whole list.
 *
 * @throws SluiceError BAD_REQUEST
 */
export function requireKnown(query: URLSearchParams, known: readonly string[]): void {
  for (const name of new Set(query.keys())) {
    if (!known.includes(name)) {
      const list = known.length > 0 ? `It takes: ${known.join(', ')}.` : 'It takes none.'
      throw badParameter(name.slice(0, 60), `There is no parameter "${name.slice(0, 60)}" here. ${list}`)
    }
    if (query.getAll(name).length > 1) throw badParameter(name, `Send "${name}" once.`)
  }
}

/** A whole number within bounds. @throws SluiceError BAD_REQUEST */
export function wholeNumber(
  query: URLSearchParams,
  name: string,
  { least, most, otherwise }: { readonly least: number; readonly most: number; readonly otherwise: number },
): number {
  const text = query.get(name)
  if (text === null) return otherwise
  const number = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (number >= least && number <= most) return number
  throw badParameter(name, `"${name}" must be a whole number from ${least} to ${most}.`)
}

/** A position, or the place between positions that `next` may be: 16 or 32 hexadecimal digits. Empty is the beginning. */
export function cursorOf(query: URLSearchParams, name: string): string {
  const text = query.get(name) ?? ''
  if (/^([0-9a-f]{16}|[0-9a-f]{32})?$/.test(text)) return text
  throw badParameter(name, `"${name}" must be the "next" of an earlier answer, or left out to begin at the start.`)
}

/** A slug; null when there is none. */
export function slugOf(query: URLSearchParams, name: string): string | null {
  const text = query.get(name)
  if (text === null) return null
  if (text.length > 0 && text.length <= 200 && !text.includes('\0')) return text
  throw badParameter(name, `"${name}" must be the slug of a ${name}.`)
}

/** One or more of `known`, with commas between; null when there is none. */
export function someOf<T extends string>(
  query: URLSearchParams,
  name: string,
  known: readonly T[],
): readonly T[] | null {
  const text = query.get(name)
  if (text === null) return null
  const list = text.split(',')
  if (list.every((one) => (known as readonly string[]).includes(one))) return [...new Set(list)] as T[]
  throw badParameter(name, `"${name}" must be one or more of ${known.join(', ')}, with commas between.`)
}

export function badParameter(path: string, message: string): SluiceError {
  return new SluiceError('BAD_REQUEST', message, { path })
}
