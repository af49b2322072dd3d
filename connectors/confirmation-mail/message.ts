/** A raw mail, read: who sent it, when, and the HTML and JSON-LD in it, however deep they are packed. */
import { clean, domainOf } from './text.ts'
import PostalMime from './vendor/postal-mime.js'

export interface Mail {
  readonly subject?: string
  /** Domain of the sender's address, as the mail claims it. */
  readonly senderDomain?: string
  readonly senderName?: string
  /** ISO 8601, UTC. */
  readonly date?: string
  /** With its angle brackets. */
  readonly messageId?: string
  /** All its HTML parts; empty without any. */
  readonly html: string
  /** Parts that are JSON-LD themselves. */
  readonly jsonLd: readonly string[]
}

/** Multipart in multipart, bytes of all headers: real mails need a tenth. */
const limits = { maxNestingDepth: 50, maxHeadersSize: 512 * 1024, forceRfc822Attachments: true }
/** Every line is an object for a while. Five megabytes of an attachment have 70,000. */
const mostLines = 300_000
/** Forwarded in forwarded, and forwarded mails altogether. */
const deepest = 4
const mostForwarded = 20

/**
 * The mail, and behind it those that it forwards as attachments.
 *
 * @throws Error when its parts are nested too deeply, its headers are too large, or it has too many lines or forwards.
 */
export async function readMails(raw: Uint8Array): Promise<readonly [Mail, ...Mail[]]> {
  let lines = 0
  for (let at = raw.indexOf(0x0a); at !== -1; at = raw.indexOf(0x0a, at + 1)) lines++
  if (lines > mostLines) throw new Error(`The mail has more than ${mostLines} lines.`)
  const { mail, forwarded } = await readMail(raw)
  const mails: [Mail, ...Mail[]] = [mail]
  const waiting = forwarded.map((each) => ({ raw: each, depth: 1 }))
  for (let next = waiting.shift(); next; next = waiting.shift()) {
    if (mails.length > mostForwarded || next.depth > deepest) {
      throw new Error(`The mail forwards more than ${mostForwarded} mails, or more than ${deepest} within each other.`)
    }
    const inner = await readMail(next.raw)
    mails.push(inner.mail)
    for (const each of inner.forwarded) waiting.push({ raw: each, depth: next.depth + 1 })
  }
  return mails
}

async function readMail(raw: Uint8Array): Promise<{ readonly mail: Mail; readonly forwarded: readonly Uint8Array[] }> {
  const { from, subject, date, messageId, html = '', attachments } = await PostalMime.parse(raw, limits)
  const contents = (type: string) =>
    attachments.flatMap(({ mimeType, content }) => (mimeType === type ? [bytesOf(content)] : []))
  const moment = date === undefined ? Number.NaN : Date.parse(date)
  const [line, name, senderDomain] = [clean(subject ?? ''), clean(from?.name ?? ''), domainOf(from?.address)]
  return {
    mail: {
      ...(line ? { subject: line } : {}),
      ...(senderDomain ? { senderDomain } : {}),
      ...(name ? { senderName: name } : {}),
      ...(Number.isNaN(moment) ? {} : { date: new Date(moment).toISOString() }),
      ...(messageId && clean(messageId, 200) ? { messageId: clean(messageId, 200) } : {}),
      html,
      jsonLd: contents('application/ld+json')
        .slice(0, 20)
        .map((bytes) => new TextDecoder().decode(bytes)),
    },
    forwarded: contents('message/rfc822'),
  }
}

function bytesOf(content: ArrayBuffer | Uint8Array | string): Uint8Array {
  if (typeof content === 'string') return new TextEncoder().encode(content)
  return content instanceof Uint8Array ? content : new Uint8Array(content)
}
