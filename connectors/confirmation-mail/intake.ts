/**
 * Fetches mails, each once, and loses none.
 *
 * What was read is known by its uid in the folder, and that cursor is saved together with the mails that a run hands
 * over: both are stored or neither. On the server a mail is marked or moved one run later, so only when it is certain
 * that it was stored; a worker may die at any point. Where the server counts anew (`uidValidity`), all mails are listed
 * once more, and the host knows those that it has.
 */
import type { CallContext, Json, Mailbox, MailHeader, RawSource, RawSources } from 'sluice/connector'
import type { Settings } from './settings.ts'
import { clean, sha256 } from './text.ts'

export interface State {
  cursor: Json
}

/** Of `state.cursor`. */
interface Cursor {
  readonly uidValidity: string
  readonly lastUid: number
  /** Stored by now, and not yet marked or moved. */
  readonly handed: readonly number[]
}

/** A run returns 8 MiB at most, in base64. */
const mostBytes = 5 * 1024 * 1024
const mostMails = 50
/** What is not marked by then stays as it is. */
const mostHanded = 1_000

/** In place of a mail that is larger than can be fetched. */
export const sizeHeader = 'X-Sluice-Mail-Too-Large'
const keyword = 'SluiceDone'

type Context = Pick<CallContext<{ settings: Settings; state: State }>, 'settings' | 'state' | 'mailbox' | 'log'>

/** @throws CapabilityError when the mailbox cannot be opened or read. */
export async function fetchMails({ settings, state, mailbox, log }: Context): Promise<RawSources> {
  const inbox = mailbox(accountOf(settings))
  const [oldest] = await inbox.list({ limit: 1 })
  if (!oldest) return { sources: [] }
  const cursor = cursorOf(state.cursor, oldest.uidValidity)
  const left = await finish(inbox, cursor.handed, settings, log)

  const query = {
    after: cursor.lastUid,
    limit: mostMails,
    ...(settings.since ? { since: settings.since } : {}),
    ...(settings.only_unread ? { unseen: true } : {}),
  }
  const headers = await inbox.list(query)
  const sources: RawSource[] = []
  const handed: number[] = []
  let bytes = 0
  let read = 0
  for (const header of headers) {
    if (header.uidValidity !== cursor.uidValidity) throw new Error('The folder was made anew while it was read.')
    if (sources.length > 0 && bytes + header.size > mostBytes) break
    const source = await sourceOf(inbox, header)
    read++
    if (!source) continue
    bytes += header.size > mostBytes ? 0 : header.size
    sources.push(source)
    handed.push(header.uid)
  }
  state.cursor = {
    uidValidity: cursor.uidValidity,
    lastUid: headers[read - 1]?.uid ?? cursor.lastUid,
    handed: settings.afterwards === 'leave' ? [] : [...left, ...handed].slice(-mostHanded),
  }
  // Called again, what was handed over now is marked at once.
  return { sources, more: read < headers.length || headers.length === mostMails }
}

/** How many mails there are, and are new, up to 500. */
export async function countMails(
  settings: Settings,
  { mailbox }: Pick<Context, 'mailbox'>,
): Promise<{ readonly count: string; readonly folder: string }> {
  const account = accountOf(settings)
  const headers = await mailbox(account).list({ limit: 500, ...(settings.since ? { since: settings.since } : {}) })
  return { count: headers.length === 500 ? '500+' : String(headers.length), folder: account.folder }
}

function accountOf({ host, user, password, folder }: Settings) {
  return { host, user, password, folder: folder || 'INBOX' }
}

function cursorOf(kept: Json | undefined, uidValidity: string): Cursor {
  const { uidValidity: before, lastUid, handed } = (kept ?? {}) as Partial<Cursor>
  if (before !== uidValidity || typeof lastUid !== 'number') return { uidValidity, lastUid: 0, handed: [] }
  return { uidValidity, lastUid, handed: Array.isArray(handed) ? handed : [] }
}

/** @returns those that are still to be finished. Trouble with that keeps no mail from being read. */
async function finish(
  inbox: Mailbox,
  uids: readonly number[],
  { afterwards = 'leave', processed_folder }: Settings,
  log: Context['log'],
): Promise<readonly number[]> {
  for (const [index, uid] of uids.entries()) {
    try {
      if (afterwards === 'move' && processed_folder) await inbox.move(uid, processed_folder)
      else if (afterwards === 'seen') await inbox.mark(uid, 'seen')
      else if (afterwards === 'flag') await inbox.mark(uid, keyword)
    } catch (error) {
      const { code, message } = error as { readonly code?: string; readonly message: string }
      const isGone = code === 'NOT_FOUND' && (await isMissing(inbox, uid))
      if (isGone) continue
      log.warn(`Mails that were read could not be marked or moved, which is tried again: ${message}`)
      return uids.slice(index)
    }
  }
  return []
}

/** Whether it was deleted, or moved by somebody else; what is not found may also be the folder to move to. */
async function isMissing(inbox: Mailbox, uid: number): Promise<boolean> {
  const [found] = await inbox.list({ after: uid - 1, limit: 1 })
  return found?.uid !== uid
}

/** Undefined for a mail that was deleted meanwhile. */
async function sourceOf(inbox: Mailbox, header: MailHeader): Promise<RawSource | undefined> {
  try {
    const fetched = await inbox.fetch(header.uid)
    // The host keeps nothing empty; a line end is as little of a mail.
    const source = fetched.length > 0 ? fetched : new Uint8Array([0x0a])
    return { source, uniqueSourceId: await idOf(source, header.messageId) }
  } catch (error) {
    const { code } = error as { readonly code?: string }
    if (code === 'NOT_FOUND') return undefined
    if (code !== 'TOO_LARGE') throw error
    const source = placeholderOf(header)
    return { source, uniqueSourceId: await idOf(source, header.messageId) }
  }
}

/**
 * The Message-ID and a hash of the body. The id alone is not enough: senders choose it, and some give a cancellation
 * that of the confirmation. The same mail over another way has other headers, and the same body.
 */
async function idOf(raw: Uint8Array, messageId: string): Promise<string> {
  const id = clean(messageId, 200)
  if (!id) return `sha256:${await sha256(raw)}`
  const body = await sha256(raw.subarray(endOfHeaders(raw)))
  return `${id} ${body.slice(0, 16)}`
}

function endOfHeaders(raw: Uint8Array): number {
  for (let at = raw.indexOf(0x0a); at !== -1; at = raw.indexOf(0x0a, at + 1)) {
    const next = raw[at + 1] === 0x0d ? at + 2 : at + 1
    if (raw[next] === 0x0a) return next + 1
  }
  return 0
}

function placeholderOf({ messageId, subject, from, date, size }: MailHeader): Uint8Array {
  const line = (text: string) => text.replaceAll(/[\p{Cc}]+/gu, ' ').slice(0, 300)
  const lines = [
    `${sizeHeader}: ${size}`,
    ...(messageId ? [`Message-ID: ${line(messageId)}`] : []),
    ...(from ? [`From: ${line(from)}`] : []),
    `Subject: ${line(subject)}`,
    ...(Number.isNaN(Date.parse(date)) ? [] : [`Date: ${new Date(date).toUTCString().replace('GMT', '+0000')}`]),
  ]
  return new TextEncoder().encode([...lines, '', ''].join('\r\n'))
}
