/**
 * The embedded mail server: accepts any mail on 127.0.0.1 and delivers none.
 * Each is kept as an `.eml` file, which every mail program opens, and the newest
 * are kept parsed for whoever wants to look: the console, the demo, a test.
 */
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import path from 'node:path'
import PostalMime, { type Email } from 'postal-mime'
import { SMTPServer, type SMTPServerDataStream } from 'smtp-server'
import { messageOf, SluiceError } from '../errors.ts'

export interface CaughtMail {
  /** Counts up from 1 in each process. */
  readonly number: number
  readonly at: Date
  /** The addresses of the SMTP envelope: who really gets it, blind copies included. */
  readonly envelope: { readonly from: string; readonly to: readonly string[] }
  readonly from: string
  readonly to: readonly string[]
  readonly subject: string
  /** Plain text, empty for a mail that has HTML only. */
  readonly text: string
  readonly html: string | undefined
  readonly attachments: readonly {
    readonly name: string
    readonly contentType: string
    readonly content: Buffer
  }[]
  /** Header names in lower case. */
  readonly headers: Readonly<Record<string, string>>
  /** Its `.eml`, if a folder was given. */
  readonly file: string | undefined
}

export interface MailCatcherOptions {
  /** Where `.eml` files go; none are written without it. */
  readonly folder?: string
  /** On 127.0.0.1; 0 takes a free one. */
  readonly port: number
  /** Larger mails are refused with 552. @default 25 MiB */
  readonly maxBytes?: number
}

export interface MailCatcher {
  /** `smtp://127.0.0.1:port` */
  readonly url: string
  readonly port: number
  /** The last 200, oldest first. */
  messages(): readonly CaughtMail[]
  /**
   * The oldest kept mail that fits, now or as soon as it comes.
   *
   * @throws Error after `ms` (default 5000) milliseconds.
   */
  waitFor(fits: (mail: CaughtMail) => boolean, ms?: number): Promise<CaughtMail>
  close(): Promise<void>
}

const keptMails = 200

/** @throws SluiceError CONFIGURATION when the port is taken. */
export async function startMailCatcher({
  folder,
  port,
  maxBytes = 25 * 1024 * 1024,
}: MailCatcherOptions): Promise<MailCatcher> {
  if (folder) await mkdir(folder, { recursive: true, mode: 0o700 })
  const kept: CaughtMail[] = []
  const arrivals = new EventTarget()
  let count = 0

  const server = new SMTPServer({
    authOptional: true,
    size: maxBytes,
    // Without a certificate that anybody would trust, offering TLS only breaks clients.
    disabledCommands: ['STARTTLS'],
    disableReverseLookup: true,
    // Idle connections of a client's pool are cut soon after close().
    closeTimeout: 500,
    onAuth: (_credentials, _session, done) => done(null, { user: 'anybody' }),
    onData(stream, { envelope }, done) {
      const from = envelope.mailFrom ? envelope.mailFrom.address : ''
      const to = envelope.rcptTo.map(({ address }) => address)
      receive(stream, { from, to }).then(
        () => done(),
        (error: Error) => done(error),
      )
    },
  })
  // A client that resets its connection is no reason to stop.
  server.on('error', () => undefined)

  async function receive(stream: SMTPServerDataStream, envelope: CaughtMail['envelope']): Promise<void> {
    const raw = await rawMail(stream)
    if (stream.sizeExceeded) {
      throw Object.assign(new Error(`Mails may be ${maxBytes} bytes long at most`), { responseCode: 552 })
    }
    const at = new Date()
    const parsed = await PostalMime.parse(raw, { attachmentEncoding: 'arraybuffer' })
    count += 1
    const file = folder && path.join(folder, fileName(at, count, parsed.subject))
    if (file) await writeFile(file, raw, { mode: 0o600 })
    kept.push(caught(parsed, { number: count, at, envelope, file }))
    kept.splice(0, kept.length - keptMails)
    arrivals.dispatchEvent(new Event('mail'))
  }

  try {
    server.listen(port, '127.0.0.1')
    await once(server.server, 'listening')
  } catch (cause) {
    throw new SluiceError(
      'CONFIGURATION',
      `Port ${port} on 127.0.0.1 is taken, so the embedded mail catcher cannot start (${messageOf(cause)}). Stop what uses it, or set EMBEDDED_SMTP_PORT to another port.`,
      { cause },
    )
  }
  const taken = (server.server.address() as AddressInfo).port

  return {
    url: `smtp://127.0.0.1:${taken}`,
    port: taken,
    messages: () => [...kept],
    async waitFor(fits, ms = 5000) {
      const deadline = AbortSignal.timeout(ms)
      for (;;) {
        const found = kept.find(fits)
        if (found) return found
        await once(arrivals, 'mail', { signal: deadline }).catch((cause) => {
          throw new Error(`No mail that fits came within ${ms} ms; ${count} came in all`, { cause })
        })
      }
    },
    close: () => new Promise<void>((resolve) => server.close(resolve)),
  }
}

async function rawMail(stream: SMTPServerDataStream): Promise<Buffer> {
  const chunks: Buffer[] = []
  // What comes after the limit is read, so that the client hears the answer, and dropped.
  for await (const chunk of stream) if (!stream.sizeExceeded) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function caught(mail: Email, rest: Pick<CaughtMail, 'number' | 'at' | 'envelope' | 'file'>): CaughtMail {
  return {
    ...rest,
    from: mail.from?.address ?? '',
    to: (mail.to ?? []).flatMap(({ address, group }) => address ?? group?.map((member) => member.address ?? '') ?? []),
    subject: mail.subject ?? '',
    text: mail.text ?? '',
    html: mail.html,
    attachments: mail.attachments.map(({ filename, mimeType, content }) => ({
      name: filename ?? '',
      contentType: mimeType,
      content: typeof content === 'string' ? Buffer.from(content) : Buffer.from(content as ArrayBuffer),
    })),
    headers: Object.fromEntries(mail.headers.map(({ key, value }) => [key.toLowerCase(), value])),
  }
}

/** Sorts by time; the subject helps a person who looks through the folder. */
function fileName(at: Date, number: number, subject = ''): string {
  const readable = subject
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 60)
  return `${at.toISOString().replace(/[:.]/g, '-')}-${number}${readable && `-${readable}`}.eml`
}
