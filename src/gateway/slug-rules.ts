/** What a slug and a name may be, which the type of their columns does not tell. */
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

/** As long as webhooks, connections and payload schemas may be called. */
const mostName = 200

/** What is shown to people has a name that they can see, and no novel. */
export const nameRules: TableRules = { beforeInsert: checkName, beforeUpdate: checkName }

function checkName(values: WrittenRow): WrittenRow {
  const { name } = values
  if (name === undefined || name === null) return values
  const length = String(name).trim().length
  if (length >= 1 && length <= mostName) return values
  throw new SluiceError('VALIDATION_FAILED', `name must have 1 to ${mostName} characters, not only blanks.`, {
    path: 'name',
  })
}
