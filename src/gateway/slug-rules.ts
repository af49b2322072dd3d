/** What a slug may be, which the type of its column does not tell. */
import { SluiceError } from '../errors.ts'
import type { TableRules, WrittenRow } from '../tables/write-rules.ts'

/** As long as sources may name a team or a flow (`submit_session`). */
const mostSlug = 200

/**
 * A slug names a row in requests, addresses and patterns: text without blanks and control characters. One that is
 * empty or too long for a submission would be a flow that no session can reach.
 */
export const slugRules: TableRules = { beforeInsert: checkSlug, beforeUpdate: checkSlug }

function checkSlug(values: WrittenRow): WrittenRow {
  const { slug } = values
  if (slug === undefined || slug === null) return values
  if (!/^[^\s\p{Cc}]+$/u.test(String(slug)) || String(slug).length > mostSlug) {
    const message = `slug must have 1 to ${mostSlug} characters and no blanks, such as apply-for-a-certificate.`
    throw new SluiceError('VALIDATION_FAILED', message, { path: 'slug' })
  }
  return values
}
