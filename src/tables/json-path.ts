/** The `path` argument of jsonb columns: `$.a.b[0]`, `a.b`, `$["user.role"][0]`. */
import { SluiceError } from '../errors.ts'

const step = /\.?([A-Za-z_][\w-]*)|\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|\['((?:[^'\\]|\\.)*)'\]/y

/**
 * Keys and indexes, as Postgres's `#>` takes them.
 *
 * @throws SluiceError VALIDATION_FAILED with the place where reading stopped.
 * @example parseJsonPath('$.passport.data["user.role"][0]', 'path') // ['passport', 'data', 'user.role', '0']
 */
export function parseJsonPath(text: string, path: string): string[] {
  const keys: string[] = []
  step.lastIndex = text.startsWith('$') ? 1 : 0
  while (step.lastIndex < text.length) {
    const at = step.lastIndex
    const match = step.exec(text)
    if (!match) {
      throw new SluiceError(
        'VALIDATION_FAILED',
        `${path} cannot be read at "${text.slice(at, at + 20)}". Write it like $.passport.data["user.role"][0].`,
        { path },
      )
    }
    const quoted = match[3] ?? match[4]
    keys.push(match[1] ?? match[2] ?? (quoted as string).replace(/\\(.)/g, '$1'))
  }
  return keys
}
