/** What an answer that is no success means for the delivery. */
import type { Result, Status } from 'sluice/connector'

/** The session was processed and cannot succeed: listed as failed and not sent again. */
export function final(message: string): Result {
  return { returnCode: 999, message }
}

/**
 * 5xx, 408, 425 and 429 are thrown: the same request may succeed later. 401 and 403 are failures that are tried again,
 * because somebody can mend the credential meanwhile. Any other answer is about this very session, so it is final.
 *
 * @param who the receiver's name, as people know it.
 * @param detail what it said, in words.
 */
export function refusal(who: string, statusCode: number, detail = ''): Status | Result {
  const said = `${who} answered ${statusCode}${detail ? `: ${detail}` : ''}`.slice(0, 500)
  if (statusCode >= 500 || [408, 425, 429].includes(statusCode)) throw new Error(`${said}. It is tried again.`)
  if (statusCode === 401 || statusCode === 403) return `${said}. Check the credential in the settings.`
  return final(`${said}. It is not tried again.`)
}
