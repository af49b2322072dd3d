/**
 * Files on a server over SSH (draft-ietf-secsh-filexfer-02, as OpenSSH has it), by ssh2 over a connection that the
 * guard dialled. A server is known by the fingerprint of its key; without one that fits, no credential is sent.
 */
import { createHash, randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { Client, type ConnectConfig, type FileEntryWithStats, type SFTPWrapper, type Stats } from 'ssh2'
import { messageOf } from '../errors.ts'
import { EgressError } from './errors.ts'
import { type RemoteAccess, RemoteRefusal, said, within } from './remote.ts'

/** With `password` or `privateKey`. */
export interface SftpAccount {
  readonly host: string
  /** @default 22 */
  readonly port?: number
  readonly user: string
  readonly password?: string
  /** OpenSSH's form or PEM. */
  readonly privateKey?: string
  readonly passphrase?: string
  /** `SHA256:…`, several separated by blanks. */
  readonly hostKey?: string
}

export interface SftpFile {
  readonly name: string
  readonly type: 'file' | 'folder' | 'other'
  readonly size: number
  /** ISO 8601. */
  readonly modified: string
}

/** What is written while it is read, however large it is. */
export interface SftpStream {
  readonly stream: Readable
  /** In bytes. */
  readonly size: number
  /** For all of it together, in place of that of one call. */
  readonly ms: number
}

/** Every method throws EgressError, or RemoteRefusal where the server says no. */
export interface SftpSession {
  /** Under a hidden name first, renamed when it is whole. A stream is read to its end or destroyed. */
  put(path: string, content: Buffer | SftpStream): Promise<void>
  /** By name, without `.` and `..`. */
  list(path: string): Promise<readonly SftpFile[]>
  get(path: string): Promise<Buffer>
  /** Replaces what is there. */
  rename(from: string, to: string): Promise<void>
  /** One that is not there is no error. */
  remove(path: string): Promise<void>
  /** Ends the connection. */
  close(): void
}

export const sftpPort = 22
/** Of one file that is held, in both directions. */
export const mostFileBytes = 5 * 1024 * 1024
const mostEntries = 5000
/** Pieces of a stream that are under way at the same time: servers answer each, and far ones take long. */
const mostWrites = 16
/** Codes of SSH_FXP_STATUS. */
const status = { eof: 1, noSuchFile: 2, permissionDenied: 3, failure: 4, unsupported: 8 } as const

/**
 * Connects, checks the server's key, signs in.
 *
 * @throws EgressError when the host may not be or cannot be reached; RemoteRefusal when its key is another one, no
 *   fingerprint is given, or it refuses the credential.
 * @example
 * const office = await openSftp({ host: 'files.example.org', user, password, hostKey: 'SHA256:…' }, { egress, allowedHosts: ['files.example.org'] })
 * await office.put('in/1.csv', Buffer.from('1,2\n'))
 */
export async function openSftp(
  { host, port = sftpPort, user, password, privateKey, passphrase, hostKey = '' }: SftpAccount,
  { egress, allowedHosts, openMs = 20_000, callMs = 30_000, signal }: RemoteAccess,
): Promise<SftpSession> {
  const begun = performance.now()
  const { socket, hostname, address } = await egress.connect({
    host,
    port,
    ownPort: sftpPort,
    allowedHosts,
    ...(signal ? { signal } : {}),
  })
  const client = new Client()
  const known = hostKey.split(/[\s,]+/).filter(Boolean)
  let refusal: RemoteRefusal | undefined
  let broken: Error | undefined
  const close = () => {
    client.destroy()
    socket.destroy()
  }
  signal?.addEventListener('abort', close, { once: true })
  const late = () => {
    close()
    return new EgressError('timeout', `${hostname} did not answer in time.`, { address })
  }
  const failure = (error: unknown): Error => refusal ?? failureOf(error, hostname, address)
  const config: ConnectConfig = {
    sock: socket,
    username: user,
    ...(password === undefined ? {} : { password }),
    ...(privateKey === undefined ? {} : { privateKey }),
    ...(passphrase === undefined ? {} : { passphrase }),
    // Some servers take a password in no other way.
    tryKeyboard: password !== undefined,
    readyTimeout: openMs,
    keepaliveInterval: 0,
    hostVerifier: (key: Buffer) => {
      const seen = fingerprintOf(key)
      refusal = known.includes(seen) ? undefined : unknownKey(hostname, seen, known)
      return refusal === undefined
    },
  }
  let sftp: SFTPWrapper
  try {
    sftp = await within(Math.max(1, openMs - (performance.now() - begun)), opened(client, config, password), late)
  } catch (error) {
    signal?.removeEventListener('abort', close)
    close()
    throw failure(error)
  }
  const gone = Promise.withResolvers<never>()
  gone.promise.catch(() => undefined)
  const end = (error?: Error) => {
    broken ??= new EgressError('protocol', `${hostname} broke the connection.`, { cause: error, address })
    gone.reject(broken)
  }
  client.on('error', end).on('close', () => end())

  /** One call of the wrapper, as a promise that ends with the connection. */
  const call = <T>(start: (done: (error: Error | null | undefined, value?: T) => void) => void): Promise<T> => {
    if (broken) return Promise.reject(broken)
    const answered = new Promise<T>((resolve, reject) => {
      start((error, value) => (error ? reject(error) : resolve(value as T)))
    })
    answered.catch(() => undefined)
    return Promise.race([answered, gone.promise])
  }
  const doing = async <T>(path: string, what: () => Promise<T>, ms = callMs): Promise<T> => {
    try {
      return await within(ms, what(), late)
    } catch (error) {
      throw pathFailure(error, hostname, path) ?? failure(error)
    }
  }
  const unlink = (path: string) =>
    call<void>((done) => sftp.unlink(path, done)).catch((error) => {
      if ((error as { code?: unknown }).code !== status.noSuchFile) throw error
    })
  const replace = async (from: string, to: string) => {
    try {
      await call<void>((done) => sftp.ext_openssh_rename(from, to, done))
    } catch (error) {
      if ((error as { code?: unknown }).code !== status.unsupported && !/not support/i.test(messageOf(error)))
        throw error
      // Version 3 of the protocol renames to a free name only.
      await unlink(to)
      await call<void>((done) => sftp.rename(from, to, done))
    }
  }

  return {
    async put(path, content) {
      const isHeld = Buffer.isBuffer(content)
      const bytes = isHeld ? content.length : content.size
      const write = async () => {
        const cut = path.lastIndexOf('/') + 1
        const hidden = `${path.slice(0, cut)}.${path.slice(cut)}.${randomBytes(6).toString('hex')}.part`
        try {
          if (isHeld) await call<void>((done) => sftp.writeFile(hidden, content, done))
          else await writeStream(hidden, content.stream)
          const { size } = await call<Stats>((done) => sftp.stat(hidden, done))
          if (size !== bytes) throw new EgressError('protocol', `${hostname} kept ${size} bytes of ${bytes}.`)
          await replace(hidden, path)
        } catch (error) {
          await unlink(hidden).catch(() => undefined)
          const cause = isHeld ? null : content.stream.errored
          if (cause === null) throw error
          throw new EgressError('protocol', `What ${hostname} was to keep could not be read to its end.`, { cause })
        }
      }
      try {
        await doing(path, write, isHeld ? callMs : content.ms)
      } finally {
        if (!isHeld) content.stream.destroy()
      }
    },
    list: (path) =>
      doing(path, async () => {
        const handle = await call<Buffer>((done) => sftp.opendir(path, done))
        // Unfiltered: a batch of which nothing is left would look like the end. The types know no options.
        const readdir = sftp.readdir.bind(sftp) as unknown as (
          at: Buffer,
          options: { full: boolean },
          done: (error: Error | null | undefined, list?: FileEntryWithStats[]) => void,
        ) => void
        try {
          const entries: FileEntryWithStats[] = []
          for (;;) {
            const more = await call<FileEntryWithStats[]>((done) => readdir(handle, { full: true }, done)).catch(
              (error) => {
                if ((error as { code?: unknown }).code === status.eof) return []
                throw error
              },
            )
            if (more.length === 0) break
            entries.push(...more)
            if (entries.length > mostEntries) {
              throw new RemoteRefusal('too_large', `${said(path)} holds more than ${mostEntries} files.`)
            }
          }
          return entries
            .filter(({ filename }) => filename !== '.' && filename !== '..')
            .map(({ filename, attrs }) => fileOf(filename, attrs))
            .sort((a, b) => (a.name < b.name ? -1 : 1))
        } finally {
          await call<void>((done) => sftp.close(handle, done)).catch(() => undefined)
        }
      }),
    get: (path) =>
      doing(path, async () => {
        const handle = await call<Buffer>((done) => sftp.open(path, 'r', done))
        try {
          return await wholeFile(handle, path)
        } finally {
          await call<void>((done) => sftp.close(handle, done)).catch(() => undefined)
        }
      }),
    rename: (from, to) => doing(from, () => replace(from, to)),
    remove: (path) => doing(path, () => unlink(path)),
    close() {
      signal?.removeEventListener('abort', close)
      client.end()
      setTimeout(close, 1000).unref()
    },
  }

  async function writeStream(path: string, stream: Readable): Promise<void> {
    const handle = await call<Buffer>((done) => sftp.open(path, 'w', done))
    const underWay = new Set<Promise<void>>()
    let at = 0
    try {
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        const from = at
        at += chunk.length
        const written = call<void>((done) => sftp.write(handle, chunk, 0, chunk.length, from, done))
        underWay.add(written)
        written.then(
          () => underWay.delete(written),
          () => undefined,
        )
        if (underWay.size >= mostWrites) await Promise.race(underWay)
      }
      await Promise.all(underWay)
    } finally {
      // Large pieces are sent in parts, which must not come behind the end.
      await Promise.allSettled(underWay)
      await call<void>((done) => sftp.close(handle, done)).catch(() => undefined)
    }
  }

  async function wholeFile(handle: Buffer, path: string): Promise<Buffer> {
    const { size } = await call<Stats>((done) => sftp.fstat(handle, done))
    if (size > mostFileBytes) throw tooLarge(path)
    const whole = Buffer.alloc(mostFileBytes + 1)
    let at = 0
    for (;;) {
      const room = Math.min(32 * 1024, whole.length - at)
      if (room === 0) throw tooLarge(path)
      const read = await call<number>((done) =>
        sftp.read(handle, whole, at, room, at, (error, bytes) => {
          // The end of the file is an error to some versions and none to others.
          const isEnd = (error as { code?: unknown } | undefined)?.code === status.eof
          done(isEnd ? undefined : error, isEnd ? 0 : bytes)
        }),
      )
      if (read === 0) return Buffer.from(whole.subarray(0, at))
      at += read
    }
  }
}

/** As `ssh-keygen -lf` writes it. @example 'SHA256:cQkS…' */
export function fingerprintOf(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`
}

function unknownKey(hostname: string, seen: string, known: readonly string[]): RemoteRefusal {
  return new RemoteRefusal(
    'refused',
    known.length === 0
      ? `No fingerprint of ${hostname}'s key is set, so nothing was sent. It showed ${seen}. Ask its operator whether that is right, and put it into the settings.`
      : `${hostname} showed another key than expected: ${seen}. Nothing was sent. Somebody may stand between; ask its operator before you change the fingerprint in the settings.`,
  )
}

function opened(client: Client, config: ConnectConfig, password: string | undefined): Promise<SFTPWrapper> {
  return new Promise((resolve, reject) => {
    client.on('error', reject)
    client.once('close', () => reject(new Error('closed')))
    client.on('keyboard-interactive', (_name, _instructions, _language, prompts, finish) => {
      finish(prompts.map(({ echo }) => (echo ? '' : (password ?? ''))))
    })
    client.once('ready', () => client.sftp((error, sftp) => (error ? reject(error) : resolve(sftp))))
    client.connect(config)
  })
}

function fileOf(name: string, attrs: Stats): SftpFile {
  return {
    name,
    type: attrs.isDirectory() ? 'folder' : attrs.isFile() ? 'file' : 'other',
    size: attrs.size ?? 0,
    modified: new Date((attrs.mtime ?? 0) * 1000).toISOString(),
  }
}

function tooLarge(path: string): RemoteRefusal {
  return new RemoteRefusal('too_large', `${said(path)} is larger than ${mostFileBytes} bytes.`)
}

/** What the server says of a path; undefined for anything else. */
function pathFailure(error: unknown, hostname: string, path: string): RemoteRefusal | undefined {
  if (error instanceof EgressError || error instanceof RemoteRefusal) return undefined
  const { code } = error as { readonly code?: unknown }
  const where = said(path)
  if (code === status.noSuchFile) {
    return new RemoteRefusal('not_found', `${hostname} has no ${where}, or not its folder.`, error)
  }
  if (code === status.permissionDenied) {
    return new RemoteRefusal('refused', `${hostname} does not allow that on ${where}.`, error)
  }
  if (typeof code === 'number') {
    return new RemoteRefusal('invalid', `${hostname} could not do that on ${where}: ${said(messageOf(error))}.`, error)
  }
  return undefined
}

function failureOf(error: unknown, hostname: string, address: string): Error {
  if (error instanceof EgressError || error instanceof RemoteRefusal) return error
  const { level } = error as { readonly level?: unknown }
  if (level === 'client-authentication') {
    return new RemoteRefusal('refused', `${hostname} refuses the user name, password or key.`, error)
  }
  if (/private ?key|passphrase/i.test(messageOf(error))) {
    return new RemoteRefusal('invalid', `The private key cannot be read: ${said(messageOf(error))}.`, error)
  }
  if (level === 'client-timeout') {
    return new EgressError('timeout', `${hostname} did not answer in time.`, { cause: error, address })
  }
  return new EgressError(
    'protocol',
    `${hostname} broke the connection or did not speak SSH: ${said(messageOf(error))}.`,
    { cause: error, address },
  )
}
