/**
 * Reading mailboxes over IMAP (RFC 3501, 9051), by imapflow over a connection that the guard dialled. Only TLS from
 * the first byte, which RFC 8314 wants; the certificate must be the host's. Reading leaves a mail unread.
 */
import { ImapFlow } from 'imapflow'
import { messageOf } from '../errors.ts'
import { EgressError } from './errors.ts'
import { type RemoteAccess, RemoteRefusal, said, within } from './remote.ts'

export interface MailboxAccount {
  readonly host: string
  /** @default 993 */
  readonly port?: number
  readonly user: string
  readonly password: string
  /** @default 'INBOX' */
  readonly folder?: string
}

/** What a mail must be; all of it. */
export interface MailboxQuery {
  readonly unseen?: boolean
  /** A keyword that it does not have. */
  readonly without?: string
  /** Arrived on this day or later. */
  readonly since?: Date
  /** Above this uid. */
  readonly after?: number
  /** @default 100 */
  readonly limit?: number
}

export interface MailboxHeader {
  readonly uid: number
  readonly uidValidity: string
  /** Empty for a mail without. */
  readonly messageId: string
  readonly subject: string
  /** Bare address; empty without. */
  readonly from: string
  /** When the server received it: ISO 8601. */
  readonly date: string
  readonly size: number
  readonly seen: boolean
  readonly flags: readonly string[]
}

/** One folder. Every method throws EgressError, or RemoteRefusal where the server says no. */
export interface MailboxSession {
  /** Oldest first. */
  list(query: MailboxQuery): Promise<readonly MailboxHeader[]>
  /** The raw message, of {@link mostMailBytes} at most. */
  fetch(uid: number): Promise<Buffer>
  /** @param flag `seen`, `flagged`, `answered` or a keyword */
  mark(uid: number, flag: string): Promise<void>
  move(uid: number, folder: string): Promise<void>
  /** Ends the connection. */
  close(): void
}

export const imapPort = 993
/** Of one raw message. */
export const mostMailBytes = 5 * 1024 * 1024
/** A line of the server without a literal, such as the uids that a search found. */
const mostLineBytes = 4 * 1024 * 1024

const systemFlags: Readonly<Record<string, string>> = {
  seen: '\\Seen',
  flagged: '\\Flagged',
  answered: '\\Answered',
}

/**
 * Connects, signs in and opens the folder.
 *
 * @throws EgressError when the host may not be or cannot be reached; RemoteRefusal when it refuses the credential or
 *   has no such folder.
 * @example
 * const inbox = await openMailbox({ host: 'imap.example.org', user, password }, { egress, allowedHosts: ['imap.example.org'] })
 * const [first] = await inbox.list({ unseen: true })
 */
export async function openMailbox(
  { host, port = imapPort, user, password, folder = 'INBOX' }: MailboxAccount,
  { egress, allowedHosts, openMs = 20_000, callMs = 30_000, signal }: RemoteAccess,
): Promise<MailboxSession> {
  const begun = performance.now()
  const { socket, hostname, address, secureContext } = await egress.connect({
    host,
    port,
    ownPort: imapPort,
    allowedHosts,
    ...(signal ? { signal } : {}),
  })
  const client = new ImapFlow({
    host: hostname,
    port,
    secure: true,
    // It makes its own TLS connection, over exactly this socket.
    tls: { socket, secureContext },
    auth: { user, pass: password },
    logger: false,
    clientInfo: { name: 'Sluice', version: false, vendor: false, 'support-url': false },
    disableAutoIdle: true,
    disableCompression: true,
    connectionTimeout: openMs,
    greetingTimeout: openMs,
    socketTimeout: callMs,
    maxLineLength: mostLineBytes,
    maxLiteralSize: mostMailBytes + 64 * 1024,
    maxResponseSize: mostMailBytes + 2 * mostLineBytes,
  })
  // What breaks between two calls is told by the next one; during a call, this says why it broke.
  let broken: unknown
  client.on('error', (error) => {
    broken ??= error
  })
  const close = () => {
    client.close()
    socket.destroy()
  }
  signal?.addEventListener('abort', close, { once: true })
  const late = () => {
    close()
    return new EgressError('timeout', `${hostname} did not answer in time.`, { address })
  }
  const failure = (error: unknown): Error => {
    const isGone = /^(NoConnection|EConnectionClosed)$/.test(String((error as { code?: unknown }).code))
    return failureOf(isGone ? (broken ?? error) : error, hostname, address)
  }
  try {
    const left = Math.max(1, openMs - (performance.now() - begun))
    await within(left, client.connect(), late)
    await within(callMs, client.mailboxOpen(folder), late)
  } catch (error) {
    close()
    if ((error as { mailboxMissing?: unknown }).mailboxMissing) {
      throw new RemoteRefusal('not_found', `The mailbox has no folder "${folder.slice(0, 100)}".`, error)
    }
    throw failure(error)
  }

  // One after the other, as the server would do them anyway.
  let last: Promise<unknown> = Promise.resolve()
  const inTurn = <T>(call: () => Promise<T>): Promise<T> => {
    const turn = last.then(() => within(callMs, call(), late)).catch((error) => Promise.reject(failure(error)))
    last = turn.catch(() => undefined)
    return turn
  }
  const uidValidity = () => (client.mailbox ? String(client.mailbox.uidValidity) : '')
  const byUid = { uid: true }
  const flagsOf = async (uid: number) => {
    const found = await client.fetchOne(String(uid), { uid: true, flags: true }, byUid)
    if (!found) throw new RemoteRefusal('not_found', `The folder has no mail ${uid}. It may have been moved.`)
    return found.flags ?? new Set<string>()
  }

  return {
    list: ({ unseen, without, since, after, limit = 100 }) =>
      inTurn(async () => {
        const found = await client.search(
          {
            all: true,
            ...(unseen ? { seen: false } : {}),
            ...(without === undefined ? {} : { unKeyword: without }),
            ...(since ? { since } : {}),
            ...(after === undefined ? {} : { uid: `${after + 1}:*` }),
          },
          byUid,
        )
        if (!Array.isArray(found)) throw new EgressError('protocol', `${hostname} could not search the folder.`)
        // `n:*` also finds the last one when it is below n.
        const uids = found.filter((uid) => uid > (after ?? 0)).sort((a, b) => a - b)
        const wanted = uids.slice(0, limit)
        if (wanted.length === 0) return []
        const query = { uid: true, envelope: true, size: true, internalDate: true, flags: true }
        const mails = await client.fetchAll(wanted.join(','), query, byUid)
        return mails
          .filter(({ uid }) => wanted.includes(uid))
          .sort((a, b) => a.uid - b.uid)
          .map(({ uid, envelope, size = 0, internalDate, flags = new Set<string>() }) => ({
            uid,
            uidValidity: uidValidity(),
            messageId: (envelope?.messageId ?? '').slice(0, 1000),
            subject: (envelope?.subject ?? '').slice(0, 1000),
            from: (envelope?.from?.[0]?.address ?? '').slice(0, 320),
            date: isoOf(internalDate),
            size,
            seen: flags.has('\\Seen'),
            flags: [...flags].slice(0, 100),
          }))
      }),
    fetch: (uid) =>
      inTurn(async () => {
        const found = await client.fetchOne(
          String(uid),
          { uid: true, size: true, source: { start: 0, maxLength: mostMailBytes + 1 } },
          byUid,
        )
        if (!found || found.source === undefined) {
          throw new RemoteRefusal('not_found', `The folder has no mail ${uid}. It may have been moved.`)
        }
        if (found.source.length > mostMailBytes) {
          throw new RemoteRefusal('too_large', `Mail ${uid} is larger than ${mostMailBytes} bytes.`)
        }
        return found.source
      }),
    mark: (uid, flag) =>
      inTurn(async () => {
        const wanted = systemFlags[flag] ?? flag
        await flagsOf(uid)
        await client.messageFlagsAdd(String(uid), [wanted], byUid)
        const flags = await flagsOf(uid)
        if ([...flags].some((each) => each.toLowerCase() === wanted.toLowerCase())) return
        throw new RemoteRefusal(
          'invalid',
          `${hostname} does not keep "${flag}". Mark mails "seen", or move them to another folder.`,
        )
      }),
    move: (uid, to) =>
      inTurn(async () => {
        await flagsOf(uid)
        // Without either, a move would end in EXPUNGE, which takes every mail that anybody marked as deleted.
        if (!['MOVE', 'UIDPLUS', 'IMAP4rev2'].some((each) => client.capabilities.has(each))) {
          throw new RemoteRefusal('invalid', `${hostname} cannot move a single mail. Mark it instead.`)
        }
        const moved = await client.messageMove(String(uid), to, byUid)
        if (moved) return
        throw new RemoteRefusal('not_found', `${hostname} could not move the mail: is there a folder "${said(to)}"?`)
      }),
    close() {
      signal?.removeEventListener('abort', close)
      // Polite, but nobody waits for the answer.
      const ended = client.usable ? client.logout().catch(() => undefined) : Promise.resolve()
      const timeout = setTimeout(close, 1000)
      void ended.finally(() => {
        clearTimeout(timeout)
        close()
      })
    },
  }
}

function isoOf(date: Date | string | undefined): string {
  const time = date === undefined ? Number.NaN : new Date(date).getTime()
  return Number.isNaN(time) ? '' : new Date(time).toISOString()
}

function failureOf(error: unknown, hostname: string, address: string): Error {
  if (error instanceof EgressError || error instanceof RemoteRefusal) return error
  const given = error as {
    readonly code?: unknown
    readonly authenticationFailed?: unknown
    readonly responseText?: unknown
  }
  const answer = said(given.responseText)
  const words = answer ? `: ${answer}` : ''
  if (given.authenticationFailed) {
    return new RemoteRefusal('refused', `${hostname} refuses the user name or password${words}.`, error)
  }
  const code = typeof given.code === 'string' ? given.code : ''
  if (/^(LineTooLarge|LiteralTooLarge|ResponseTooLarge)$/.test(code)) {
    return new EgressError('response_too_large', `${hostname} answered with more than is taken.`, {
      cause: error,
      address,
    })
  }
  if (/TIMEOUT/.test(code)) {
    return new EgressError('timeout', `${hostname} did not answer in time.`, { cause: error, address })
  }
  if (/CERT|TLS|SSL|SELF_SIGNED|UNABLE_TO/.test(code)) {
    return new EgressError('tls', `No secure connection to ${hostname}: ${said(messageOf(error))}.`, {
      cause: error,
      address,
    })
  }
  return new EgressError('protocol', `${hostname} broke the connection or did not speak IMAP${words}.`, {
    cause: error,
    address,
  })
}
