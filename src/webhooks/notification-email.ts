/** Where a team wants to be mailed how its webhooks and connections fare. */
import { checkedEmail } from '../access/people.ts'
import { SluiceError } from '../errors.ts'
import type { TableRules, WrittenRow } from '../tables/write-rules.ts'

/** `teams.notification_email` is one address, in small letters, or null for the team's editors. */
export const notificationEmailRules: TableRules = { beforeInsert: check, beforeUpdate: check }

function check(values: WrittenRow): WrittenRow {
  const { notification_email: given } = values
  if (given === undefined || given === null) return values
  try {
    return { ...values, notification_email: checkedEmail(String(given)) }
  } catch (cause) {
    const message = 'notification_email must be one e-mail address, or null for the editors of the team.'
    throw new SluiceError('VALIDATION_FAILED', message, { path: 'notification_email', cause })
  }
}
