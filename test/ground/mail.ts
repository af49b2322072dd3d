/** A mail server for a test; nothing is written to disk. */
import { type MailCatcher, startMailCatcher } from '../../src/egress/mail-catcher.ts'

/**
 * @example
 * const mail = await testMail()
 * await mail.waitFor(({ to }) => to.includes('planning@camden.example'))
 */
export function testMail(): Promise<MailCatcher> {
  return startMailCatcher({ port: 0 })
}
