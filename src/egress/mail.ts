/**
 * Outgoing mail. The server is the operator's own choice (`SMTP_URL`), so it is
 * not judged like the address of a third party; what is bounded is time, size
 * and the number of connections.
 */
import { createTransport } from 'nodemailer'
import { messageOf, SluiceError } from '../errors.ts'

export interface MailOptions {
  /** `smtp://user:password@host:587`, or `smtps://…` for TLS from the first byte. */
  readonly url: string
  /** Sender of every mail: `Name <address>`. */
  readonly from: string
}

export interface Mail {
  /** One address or several. */
  readonly to: string | readonly string[]
  readonly subject: string
  readonly text: string
  readonly html?: string
  /** Sent as `Message-ID`. The same id for a repeated mail lets the receiving side recognise it. */
  readonly messageId?: string
}

export interface SentMail {
  readonly messageId: string
  /** Addresses that the server took on. */
  readonly accepted: readonly string[]
  /** The server's last answer. */
  readonly response: string
}

export interface Mailer {
  /** @throws SluiceError VALIDATION_FAILED when the server refuses the mail for good; UNAVAILABLE when it may take it later. */
  send(mail: Mail): Promise<SentMail>
  close(): Promise<void>
}

/**
 * @example
 * const mailer = createMailer({ url: config.SMTP_URL, from: config.MAIL_FROM })
 * await mailer.send({ to: 'officer@camden.example', subject: 'A new application', text: '…' })
 */
export function createMailer({ url, from }: MailOptions): Mailer {
  const transport = createTransport({
    ...serverOf(url),
    pool: true,
    maxConnections: 4,
    connectionTimeout: 10_000,
    greetingTimeout: 10_000,
    socketTimeout: 30_000,
    dnsTimeout: 5000,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    async send({ to, subject, text, html, messageId }) {
      try {
        const recipients = typeof to === 'string' ? to : [...to]
        const sent = await transport.sendMail({ from, to: recipients, subject, text, html, messageId })
        return { messageId: sent.messageId, accepted: sent.accepted.map(addressOf), response: sent.response }
      } catch (cause) {
        const status = (cause as { responseCode?: unknown }).responseCode
        const isRefused = typeof status === 'number' && status >= 500
        throw new SluiceError(
          isRefused ? 'VALIDATION_FAILED' : 'UNAVAILABLE',
          `The mail was not sent: ${messageOf(cause)}.`,
          { cause },
        )
      }
    },
    async close() {
      transport.close()
    },
  }
}

function serverOf(text: string) {
  const url = URL.parse(text)
  if (!url || !/^smtps?:$/.test(url.protocol)) {
    throw new SluiceError('CONFIGURATION', 'SMTP_URL must look like smtp://user:password@host:587.')
  }
  const secure = url.protocol === 'smtps:'
  return {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port) || (secure ? 465 : 587),
    secure,
    ...(url.username
      ? { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }
      : {}),
  }
}

function addressOf(recipient: string | { readonly address: string }): string {
  return typeof recipient === 'string' ? recipient : recipient.address
}
