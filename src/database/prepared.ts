/**
 * Names for prepared statements. Postgres plans a named statement once per
 * connection instead of at every run, which for our reads is most of their
 * cost; but it keeps each name for as long as the connection lives. So only
 * texts that come again get a name, and only so many.
 */
import { createHash } from 'node:crypto'

export interface PreparedNames {
  /** The name to run `text` under, or undefined for one that is rare. */
  nameOf(text: string): string | undefined
}

export interface PreparedNamesOptions {
  /** Runs of a text before it is worth a plan of its own. @default 3 */
  readonly worthAfter?: number
  /** Names per connection; about 50 KB of server memory each. @default 500 */
  readonly most?: number
}

export function createPreparedNames({ worthAfter = 3, most = 500 }: PreparedNamesOptions = {}): PreparedNames {
  const names = new Map<string, string>()
  const seen = new Map<string, number>()
  return {
    nameOf(text) {
      const known = names.get(text)
      if (known || names.size >= most) return known
      const times = (seen.get(text) ?? 0) + 1
      if (times < worthAfter) {
        if (seen.size >= 5_000) seen.clear()
        seen.set(text, times)
        return undefined
      }
      seen.delete(text)
      const name = `q${createHash('sha256').update(text).digest('base64url').slice(0, 22)}`
      names.set(text, name)
      return name
    },
  }
}
