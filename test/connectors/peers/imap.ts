/**
 * A small IMAP4rev1 server (RFC 3501, with UIDPLUS and MOVE) over TLS for localhost and 127.0.0.1: what a client that reads
 * a mailbox sends, and nothing more. It keeps mails in memory, counts what it was asked, and can have trouble.
 */
import type { AddressInfo, Socket } from 'node:net'
import tls from 'node:tls'
import { loopbackCertificate, otherKey } from '../../../src/egress/certificate.fixture.ts'

export interface StoredMail {
  readonly uid: number
  readonly raw: Buffer
  readonly flags: Set<string>
  readonly received: Date
}

interface Folder {
  readonly uidValidity: number
  uidNext: number
  mails: StoredMail[]
}

export interface ImapOptions {
  readonly user?: string
  readonly password?: string
  /** Whether it keeps words of its clients as flags. @default true */
  readonly keywords?: boolean
  /** @default ['UIDPLUS', 'MOVE'] */
  readonly extensions?: readonly string[]
}

export interface ImapPeer {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Every command, without its tag and in the order in which it came. Passwords are left out. */
  readonly commands: readonly string[]
  /** Connections that are open. */
  connections(): number
  /** @returns the uid */
  deliver(raw: string | Buffer, options?: { readonly folder?: string; readonly received?: Date }): number
  mails(folder?: string): readonly StoredMail[]
  addFolder(name: string): void
  /** The next commands that fit: `cut` ends the connection, `hangs` never answers, `huge` announces more than anybody wants. */
  trouble(fits: RegExp, ...troubles: ('cut' | 'hangs' | 'huge')[]): void
  close(): Promise<void>
}

/** A token of a command: an atom or string, or a list of them. */
type Token = string | readonly Token[]

export async function startImap({
  user = 'bookings',
  password = 'imap-pass-word',
  keywords = true,
  extensions = ['UIDPLUS', 'MOVE'],
}: ImapOptions = {}): Promise<ImapPeer> {
  const folders = new Map<string, Folder>()
  const commands: string[] = []
  const planned: { readonly fits: RegExp; readonly trouble: 'cut' | 'hangs' | 'huge' }[] = []
  const open = new Set<Socket>()
  let validity = 1_700_000_000
  const addFolder = (name: string) => void folders.set(name, { uidValidity: validity++, uidNext: 1, mails: [] })
  addFolder('INBOX')

  const server = tls.createServer({ key: otherKey, cert: loopbackCertificate, noDelay: true }, (socket) => {
    open.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => open.delete(socket))
    speak(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo

  function speak(socket: tls.TLSSocket): void {
    let isKnown = false
    let selected: Folder | undefined
    let buffer = Buffer.alloc(0)
    const say = (...parts: (string | Buffer)[]) => {
      if (!socket.writable) return
      for (const part of parts) socket.write(part)
      socket.write('\r\n')
    }
    say(`* OK [CAPABILITY ${capability()}] ready`)
    socket.on('data', (chunk: Buffer) => {
      buffer = Buffer.concat([buffer, chunk])
      for (;;) {
        const command = readCommand(buffer, (text) => say(text))
        if (!command) return
        buffer = buffer.subarray(command.end)
        answer(command.tokens)
      }
    })

    /** What it returns means nothing. */
    function answer([tag, given, ...rest]: readonly Token[]): unknown {
      const isByUid = String(given).toUpperCase() === 'UID'
      const name = String(isByUid ? rest[0] : given).toUpperCase()
      const parameters = isByUid ? rest.slice(1) : rest
      const isSecret = name === 'LOGIN' || name === 'AUTHENTICATE'
      const line = [isByUid ? 'UID' : '', name, isSecret ? '' : shown(parameters)].filter(Boolean).join(' ')
      commands.push(line)
      const index = planned.findIndex(({ fits }) => fits.test(line))
      const [found] = index === -1 ? [] : planned.splice(index, 1)
      if (found?.trouble === 'cut') return void socket.destroy()
      if (found?.trouble === 'hangs') return
      if (found?.trouble === 'huge') return say('* 1 FETCH (UID 1 BODY[] {2000000000}')
      const ok = (words = 'done') => say(`${tag} OK ${words}`)
      const no = (words: string) => say(`${tag} NO ${words}`)
      switch (name) {
        case 'CAPABILITY':
          say(`* CAPABILITY ${capability()}`)
          return ok()
        case 'ID':
          say('* ID NIL')
          return ok()
        case 'NOOP':
          return ok()
        case 'LOGOUT':
          say('* BYE until next time')
          ok()
          return void socket.end()
        case 'LOGIN':
          isKnown = parameters[0] === user && parameters[1] === password
          return isKnown
            ? ok(`[CAPABILITY ${capability()}] welcome`)
            : no('[AUTHENTICATIONFAILED] Wrong user or password')
      }
      if (!isKnown) return say(`${tag} BAD Sign in first`)
      switch (name) {
        case 'LIST':
        case 'LSUB': {
          const pattern = String(parameters[1])
          const names = pattern === '' ? [''] : [...folders.keys()].filter((each) => matches(pattern, each))
          for (const each of names) say(`* ${name} (${each === '' ? '\\Noselect' : ''}) "/" "${each}"`)
          return ok()
        }
        case 'SELECT': {
          const folder = folders.get(folderName(parameters[0]))
          if (!folder) return no('[NONEXISTENT] No such folder')
          selected = folder
          say('* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)')
          say(`* OK [PERMANENTFLAGS (\\Answered \\Flagged \\Deleted \\Seen${keywords ? ' \\*' : ''})] kept`)
          say(`* ${folder.mails.length} EXISTS`)
          say('* 0 RECENT')
          say(`* OK [UIDVALIDITY ${folder.uidValidity}] valid`)
          say(`* OK [UIDNEXT ${folder.uidNext}] next`)
          return ok('[READ-WRITE] selected')
        }
      }
      if (!selected) return say(`${tag} BAD Select a folder first`)
      const folder = selected
      switch (name) {
        case 'SEARCH': {
          const found = folder.mails.filter((mail) => fits(mail, parameters, folder))
          say(`* SEARCH ${found.map(({ uid }) => uid).join(' ')}`.trimEnd())
          return ok()
        }
        case 'FETCH':
          for (const mail of inSet(folder, String(parameters[0]))) {
            say(`* ${folder.mails.indexOf(mail) + 1} FETCH (`, ...itemsOf(mail, parameters[1] as Token), ')')
          }
          return ok()
        case 'STORE': {
          const flags = parameters[2] as readonly string[]
          for (const mail of inSet(folder, String(parameters[0]))) {
            for (const flag of flags) {
              if (String(parameters[1]).startsWith('-')) mail.flags.delete(flag)
              else if (flag.startsWith('\\') || keywords) mail.flags.add(flag)
            }
            if (!String(parameters[1]).toUpperCase().endsWith('.SILENT')) {
              say(`* ${folder.mails.indexOf(mail) + 1} FETCH (UID ${mail.uid} FLAGS (${[...mail.flags].join(' ')}))`)
            }
          }
          return ok()
        }
        case 'COPY':
        case 'MOVE': {
          const to = folders.get(folderName(parameters[1]))
          if (!to) return no('[TRYCREATE] No such folder')
          const moved = inSet(folder, String(parameters[0]))
          const copies = moved.map((mail) => ({ ...mail, flags: new Set(mail.flags), uid: to.uidNext++ }))
          to.mails.push(...copies)
          const map = `${moved.map(({ uid }) => uid).join(',')} ${copies.map(({ uid }) => uid).join(',')}`
          say(`* OK [COPYUID ${to.uidValidity} ${map}] copied`)
          if (name === 'MOVE') expunge(folder, (mail) => moved.includes(mail))
          return ok()
        }
        case 'EXPUNGE': {
          const set = isByUid ? inSet(folder, String(parameters[0])) : folder.mails
          expunge(folder, (mail) => mail.flags.has('\\Deleted') && set.includes(mail))
          return ok()
        }
        default:
          return say(`${tag} BAD No such command`)
      }
    }

    function expunge(folder: Folder, fits: (mail: StoredMail) => boolean): void {
      for (const mail of folder.mails.filter(fits)) {
        say(`* ${folder.mails.indexOf(mail) + 1} EXPUNGE`)
        folder.mails = folder.mails.filter((each) => each !== mail)
      }
    }
  }

  function capability(): string {
    return ['IMAP4rev1', 'ID', ...extensions].join(' ')
  }

  return {
    host: 'localhost',
    port,
    user,
    password,
    commands,
    connections: () => open.size,
    deliver(raw, { folder: name = 'INBOX', received = new Date() } = {}) {
      const folder = folders.get(name)
      if (!folder) throw new Error(`no folder ${name}`)
      const uid = folder.uidNext++
      const text = typeof raw === 'string' ? Buffer.from(raw.replaceAll(/\r?\n/g, '\r\n')) : raw
      folder.mails.push({ uid, raw: text, flags: new Set(), received })
      return uid
    },
    mails: (name = 'INBOX') => folders.get(name)?.mails ?? [],
    addFolder,
    trouble: (fits, ...troubles) => void planned.push(...troubles.map((trouble) => ({ fits, trouble }))),
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** One command with its literals; undefined while it is not whole. Literals are asked for as they come. */
function readCommand(
  buffer: Buffer,
  say: (text: string) => void,
): { readonly tokens: readonly Token[]; readonly end: number } | undefined {
  const text: string[] = []
  let at = 0
  for (;;) {
    const end = buffer.indexOf('\r\n', at)
    if (end === -1) return undefined
    const line = buffer.toString('latin1', at, end)
    const literal = /\{(\d+)(\+?)\}$/.exec(line)
    if (!literal) {
      text.push(line)
      return { tokens: tokensOf(text), end: end + 2 }
    }
    const size = Number(literal[1])
    if (buffer.length < end + 2 + size) {
      if (literal[2] === '' && buffer.length === end + 2) say('+ go on')
      return undefined
    }
    text.push(line.slice(0, literal.index), `\0${buffer.toString('utf8', end + 2, end + 2 + size)}`)
    at = end + 2 + size
  }
}

/** @param pieces lines, and between them literals behind a NUL. */
function tokensOf(pieces: readonly string[]): readonly Token[] {
  const stack: Token[][] = [[]]
  const add = (token: Token) => stack.at(-1)?.push(token)
  for (const piece of pieces) {
    if (piece.startsWith('\0')) {
      add(piece.slice(1))
      continue
    }
    for (const [token, quoted] of piece.matchAll(/"((?:[^"\\]|\\.)*)"|\(|\)|[^\s()"]*\[[^\]]*\][^\s()"]*|[^\s()"]+/g)) {
      if (token === '(') stack.push([])
      else if (token === ')') {
        const list = stack.pop() ?? []
        add(list)
      } else add(quoted === undefined ? token : quoted.replaceAll(/\\(.)/g, '$1'))
    }
  }
  return stack[0] ?? []
}

function shown(tokens: readonly Token[]): string {
  return tokens.map((token) => (typeof token === 'string' ? token : `(${shown(token)})`)).join(' ')
}

/** INBOX has no case. */
function folderName(token: Token | undefined): string {
  return String(token).toUpperCase() === 'INBOX' ? 'INBOX' : String(token)
}

function matches(pattern: string, name: string): boolean {
  const text = pattern.replaceAll(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll(/[*%]/g, '.*')
  return new RegExp(`^${text}$`, 'i').test(name)
}

function inSet({ mails }: Folder, set: string): StoredMail[] {
  const last = mails.at(-1)?.uid ?? 0
  const ranges = set.split(',').map((range) => range.split(':').map((each) => (each === '*' ? last : Number(each))))
  return mails.filter(({ uid }) =>
    ranges.some(([from = 0, to = from]) => uid >= Math.min(from, to) && uid <= Math.max(from, to)),
  )
}

function fits(mail: StoredMail, keys: readonly Token[], folder: Folder): boolean {
  for (let at = 0; at < keys.length; at++) {
    const key = String(keys[at]).toUpperCase()
    const value = () => String(keys[++at])
    const holds =
      key === 'ALL' ||
      (key === 'SEEN' && mail.flags.has('\\Seen')) ||
      (key === 'UNSEEN' && !mail.flags.has('\\Seen')) ||
      (key === 'KEYWORD' && mail.flags.has(value())) ||
      (key === 'UNKEYWORD' && !mail.flags.has(value())) ||
      (key === 'UID' && inSet(folder, value()).includes(mail)) ||
      // Of the day, whatever the hour.
      (key === 'SINCE' && mail.received >= new Date(`${value()} UTC`))
    if (!holds) return false
  }
  return true
}

function itemsOf(mail: StoredMail, items: Token): (string | Buffer)[] {
  const parts: (string | Buffer)[] = []
  for (const each of typeof items === 'string' ? [items] : items) {
    const item = String(each).toUpperCase()
    if (parts.length > 0) parts.push(' ')
    const body = /^BODY(?:\.PEEK)?\[\](?:<(\d+)\.(\d+)>)?$/.exec(item)
    if (body) {
      const from = Number(body[1] ?? 0)
      const content = mail.raw.subarray(from, body[2] === undefined ? undefined : from + Number(body[2]))
      if (!item.includes('PEEK')) mail.flags.add('\\Seen')
      parts.push(`BODY[]${body[1] === undefined ? '' : `<${from}>`} {${content.length}}\r\n`, content)
    } else if (item === 'UID') parts.push(`UID ${mail.uid}`)
    else if (item === 'FLAGS') parts.push(`FLAGS (${[...mail.flags].join(' ')})`)
    else if (item === 'RFC822.SIZE') parts.push(`RFC822.SIZE ${mail.raw.length}`)
    else if (item === 'INTERNALDATE') parts.push(`INTERNALDATE "${internalDate(mail.received)}"`)
    else if (item === 'ENVELOPE') parts.push(`ENVELOPE ${envelopeOf(mail.raw)}`)
    else throw new Error(`FETCH of ${item} is not there`)
  }
  return parts
}

function internalDate(date: Date): string {
  const [, day, month, year, time] = /^\w+, (\d+) (\w+) (\d+) ([\d:]+)/.exec(date.toUTCString()) ?? []
  return `${day}-${month}-${year} ${time} +0000`
}

function envelopeOf(raw: Buffer): string {
  const [head = ''] = raw.toString('utf8').split('\r\n\r\n')
  const lines = head.replaceAll(/\r\n[ \t]+/g, ' ').split('\r\n')
  const header = (name: string) =>
    lines
      .find((line) => line.toLowerCase().startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()
  const text = (value: string | undefined) => (value === undefined ? 'NIL' : `"${value.replaceAll(/["\\]/g, '\\$&')}"`)
  const address = (value: string | undefined) => {
    const [, name, mailbox, host] = /^(?:"?([^"<]*?)"?\s*<)?([^<>@\s]+)@([^<>\s]+?)>?$/.exec(value ?? '') ?? []
    return mailbox ? `((${text(name || undefined)} NIL ${text(mailbox)} ${text(host)}))` : 'NIL'
  }
  const from = address(header('from'))
  const rest = [from, from, from, address(header('to')), 'NIL', 'NIL', text(header('in-reply-to'))]
  return `(${[text(header('date')), text(header('subject')), ...rest, text(header('message-id'))].join(' ')})`
}
