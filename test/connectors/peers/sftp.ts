/**
 * An SFTP server over files in memory, by the server of ssh2. It takes a password, the same by keyboard-interactive, or a
 * key; notes every change in its order, and can have trouble.
 */
import { randomBytes } from 'node:crypto'
import type { AddressInfo, Socket } from 'node:net'
import { type Connection, Server, type SFTPWrapper, utils } from 'ssh2'
import { fingerprintOf } from '../../../src/egress/sftp.ts'

const { STATUS_CODE, OPEN_MODE, flagsToString } = utils.sftp

export interface SftpOptions {
  readonly user?: string
  readonly password?: string
  /** How it takes the password. @default 'password' */
  readonly method?: 'password' | 'keyboard-interactive'
  /** The public key that it takes instead. */
  readonly publicKey?: string
  /** Whether a rename may replace a file (OpenSSH's extension). @default true */
  readonly replaces?: boolean
}

export interface SftpPeer {
  readonly host: string
  readonly port: number
  readonly user: string
  readonly password: string
  /** Of its key: `SHA256:…`. */
  readonly hostKey: string
  /** Content by path, hidden ones included. */
  readonly files: ReadonlyMap<string, Buffer>
  /** `open`, `write`, `rename`, `remove` with their paths. */
  readonly changes: readonly string[]
  /** Attempts to sign in: method and user. */
  readonly signIns: readonly string[]
  connections(): number
  addFolder(path: string): void
  addFile(path: string, content: string | Buffer): void
  /** The next changes that fit: `refused` and `full` are answers, `cut` ends the connection, `lost` does it and then cuts it. */
  trouble(fits: RegExp, ...troubles: SftpTrouble[]): void
  close(): Promise<void>
}

export type SftpTrouble = 'refused' | 'full' | 'cut' | 'lost' | 'hangs'

/** Of ed25519, in OpenSSH's form. ssh2 makes one in some 250 that it cannot read itself. */
export function sshKeyPair(passphrase?: string): { readonly public: string; readonly private: string } {
  for (;;) {
    const pair = utils.generateKeyPairSync(
      'ed25519',
      passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr', rounds: 2 },
    )
    if (!(utils.parseKey(pair.private, passphrase) instanceof Error)) return pair
  }
}

export async function startSftp({
  user = 'camden',
  password = 'sftp-pass-word',
  method = 'password',
  publicKey,
  replaces = true,
}: SftpOptions = {}): Promise<SftpPeer> {
  const pair = sshKeyPair()
  const files = new Map<string, Buffer>()
  const folders = new Set(['.', '/'])
  const changes: string[] = []
  const signIns: string[] = []
  const planned: { readonly fits: RegExp; readonly trouble: SftpTrouble }[] = []
  const open = new Set<Connection>()
  const sockets = new Set<Socket>()

  const server = new Server({ hostKeys: [pair.private] }, (client) => {
    open.add(client)
    client.on('error', () => undefined)
    client.once('close', () => open.delete(client))
    client.on('authentication', (context) => {
      signIns.push(`${context.method} ${context.username}`)
      const isUser = context.username === user
      if (context.method === 'password' && method === 'password' && isUser && context.password === password) {
        return context.accept()
      }
      if (context.method === 'keyboard-interactive' && method === 'keyboard-interactive' && isUser) {
        return context.prompt([{ prompt: 'Password:', echo: false }], ([given]) =>
          given === password ? context.accept() : context.reject(),
        )
      }
      if (context.method === 'publickey' && publicKey !== undefined && isUser) {
        const key = utils.parseKey(publicKey)
        if (!(key instanceof Error) && key.getPublicSSH().equals(context.key.data)) {
          const { signature, blob, hashAlgo } = context
          if (!signature || !blob || key.verify(blob, signature, hashAlgo) === true) return context.accept()
        }
      }
      return context.reject(publicKey === undefined ? [method] : ['publickey'])
    })
    client.on('ready', () => {
      client.on('session', (accept) => {
        accept().on('sftp', (acceptSftp) => serve(acceptSftp(), client))
      })
    })
  })
  // Beneath it is a server of node:net, which the types do not tell.
  ;(server as unknown as { _srv: { on(event: 'connection', then: (socket: Socket) => void): void } })._srv.on(
    'connection',
    (socket) => {
      socket.setNoDelay(true)
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    },
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const parsed = utils.parseKey(pair.public)
  if (parsed instanceof Error) throw parsed

  function serve(sftp: SFTPWrapper, client: Connection): void {
    type Handle = { readonly path: string; readonly list?: string[]; sent?: boolean }
    const handles = new Map<string, Handle>()
    const handleFor = (handle: Handle): Buffer => {
      const key = randomBytes(4)
      handles.set(key.toString('hex'), handle)
      return key
    }
    const of = (key: Buffer) => handles.get(key.toString('hex'))
    const status = (id: number, code: number, words = '') => sftp.status(id, code, words)
    /** Does a change unless it shall fail. */
    const change = (id: number, line: string, work: () => number | undefined, answered = true) => {
      changes.push(line)
      const index = planned.findIndex(({ fits }) => fits.test(line))
      const [found] = index === -1 ? [] : planned.splice(index, 1)
      if (found?.trouble === 'hangs') return
      if (found?.trouble === 'cut') return void client.end()
      if (found?.trouble === 'refused') return status(id, STATUS_CODE.PERMISSION_DENIED, 'Not here')
      if (found?.trouble === 'full') return status(id, STATUS_CODE.FAILURE, 'No space left')
      const code = work() ?? STATUS_CODE.OK
      if (found?.trouble === 'lost') return void client.end()
      if (answered || code !== STATUS_CODE.OK) status(id, code)
    }
    const folderOf = (path: string) => (path.includes('/') ? path.slice(0, path.lastIndexOf('/')) || '/' : '.')
    const attrsOf = (path: string) => {
      const isFolder = folders.has(path)
      const time = 1_769_850_000
      return {
        mode: isFolder ? 0o40755 : 0o100644,
        uid: 1,
        gid: 1,
        size: files.get(path)?.length ?? 0,
        atime: time,
        mtime: time,
      }
    }

    sftp.on('OPEN', (id, path, flags) => {
      const mode = flagsToString(flags)
      if (mode?.startsWith('r') && (flags & OPEN_MODE.WRITE) === 0) {
        return files.has(path) ? sftp.handle(id, handleFor({ path })) : status(id, STATUS_CODE.NO_SUCH_FILE)
      }
      change(
        id,
        `open ${path}`,
        () => {
          if (!folders.has(folderOf(path))) return STATUS_CODE.NO_SUCH_FILE
          files.set(path, Buffer.alloc(0))
          sftp.handle(id, handleFor({ path }))
          return undefined
        },
        false,
      )
    })
    /** What lies behind files that grow, so that not each write copies all of it. */
    const rooms = new Map<string, Buffer>()
    sftp.on('WRITE', (id, key, offset, data) => {
      const path = of(key)?.path ?? ''
      change(id, `write ${path}`, () => {
        const before = files.get(path) ?? Buffer.alloc(0)
        const end = Math.max(before.length, offset + data.length)
        let room = rooms.get(path)
        if (!room || room.length < end || room.buffer !== before.buffer) {
          room = Buffer.alloc(end * 2)
          before.copy(room)
          rooms.set(path, room)
        }
        data.copy(room, offset)
        files.set(path, room.subarray(0, end))
        return undefined
      })
    })
    sftp.on('READ', (id, key, offset, length) => {
      const content = files.get(of(key)?.path ?? '') ?? Buffer.alloc(0)
      if (offset >= content.length) return status(id, STATUS_CODE.EOF)
      sftp.data(id, content.subarray(offset, offset + length))
    })
    const stat = (id: number, path: string) =>
      files.has(path) || folders.has(path) ? sftp.attrs(id, attrsOf(path)) : status(id, STATUS_CODE.NO_SUCH_FILE)
    sftp.on('FSTAT', (id, key) => stat(id, of(key)?.path ?? ''))
    sftp.on('STAT', stat)
    sftp.on('LSTAT', stat)
    sftp.on('CLOSE', (id, key) => {
      handles.delete(key.toString('hex'))
      status(id, STATUS_CODE.OK)
    })
    sftp.on('OPENDIR', (id, path) => {
      if (!folders.has(path)) return status(id, STATUS_CODE.NO_SUCH_FILE)
      const inside = [...files.keys(), ...folders].filter((each) => each !== path && folderOf(each) === path)
      sftp.handle(id, handleFor({ path, list: ['.', '..', ...inside] }))
    })
    sftp.on('READDIR', (id, key) => {
      // One at a time, as some servers do.
      const next = of(key)?.list?.shift()
      if (next === undefined) return status(id, STATUS_CODE.EOF)
      const filename = next.slice(next.lastIndexOf('/') + 1)
      sftp.name(id, [{ filename, longname: filename, attrs: attrsOf(next) }])
    })
    sftp.on('REMOVE', (id, path) => {
      change(id, `remove ${path}`, () => (files.delete(path) ? undefined : STATUS_CODE.NO_SUCH_FILE))
    })
    const rename = (id: number, from: string, to: string, replace: boolean) => {
      change(id, `rename ${from} ${to}`, () => {
        const content = files.get(from)
        if (!content) return STATUS_CODE.NO_SUCH_FILE
        if (files.has(to) && !replace) return STATUS_CODE.FAILURE
        files.delete(from)
        files.set(to, content)
        return undefined
      })
    }
    sftp.on('RENAME', (id, from, to) => rename(id, from, to, false))
    sftp.on('EXTENDED', (id, name, data) => {
      if (name !== 'posix-rename@openssh.com' || !replaces) return status(id, STATUS_CODE.OP_UNSUPPORTED)
      const length = data.readUInt32BE(0)
      const from = data.toString('utf8', 4, 4 + length)
      const to = data.toString('utf8', 8 + length, 8 + length + data.readUInt32BE(4 + length))
      rename(id, from, to, true)
    })
  }

  return {
    host: '127.0.0.1',
    port,
    user,
    password,
    hostKey: fingerprintOf(parsed.getPublicSSH()),
    files,
    changes,
    signIns,
    connections: () => open.size,
    addFolder: (path) => void folders.add(path),
    addFile: (path, content) => void files.set(path, Buffer.from(content)),
    trouble: (fits, ...troubles) => void planned.push(...troubles.map((trouble) => ({ fits, trouble }))),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
