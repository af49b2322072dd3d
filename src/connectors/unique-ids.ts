/** What is left of a source's own id when its content is purged: enough to know it again, and not what it was. */
import { createHash } from 'node:crypto'

/** @example digestOfUniqueId('B-1') // 'sha256:…', 71 characters */
export function digestOfUniqueId(id: string): string {
  return `sha256:${createHash('sha256').update(id).digest('hex')}`
}
