/** The `path` argument of jsonb columns, in all spellings of Hasura: `$.a.b[0]`, `a.b`, `.a`, `[0].a`, `$["user.role"]['a']`. */
import { SluiceError } from '../errors.ts'

const step = /\.([\p{L}_][\p{L}\p{N}_-]*)|\[(\d{1,9})\]|\["((?:[^"\\]|\\.)*)"\]|\['((?:[^'\\]|\\.)*)'\]/uy

/** Steps that one path may take. */
const most = 50

/**
 * Keys and indexes, as Postgres's `#>` takes them.
 *
 * @throws SluiceError VALIDATION_FAILED with the place where reading stopped.
 * @example parseJsonPath('$.passport.data["user.role"][0]', 'path') // ['passport', 'data', 'user.role', '0']
 */
export function parseJsonPath(text: string, path: string): string[] {
  const keys: string[] = []
  // A first key needs no dot.
  const read = /^[\p{L}_]/u.test(text) ? `.${text}` : text
  step.lastIndex = text.startsWith('$') ? 1 : 0
  while (step.lastIndex < read.length) {
    const at = step.lastIndex
    const match = step.exec(read)
    if (keys.length === most) {
      throw new SluiceError('VALIDATION_FAILED', `${path} takes more than ${most} steps.`, { path })
    }
    if (!match) {
      throw new SluiceError(
        'VALIDATION_FAILED',
        `${path} cannot be read at "${read.slice(at, at + 20)}". Write it like $.passport.data["user.role"][0].`,
        { path },
      )
    }
    const quoted = match[3] ?? match[4]
    keys.push(match[1] ?? match[2] ?? (quoted as string).replace(/\\(.)/g, '$1'))
  }
  return keys
}
