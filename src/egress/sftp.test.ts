import { Readable } from 'node:stream'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type SftpOptions, type SftpPeer, sshKeyPair, startSftp } from '../../test/connectors/peers/sftp.ts'
import { createEgress, type Egress } from './egress.ts'
import { openGround } from './receivers.fixture.ts'
import { mostFileBytes, openSftp, type SftpAccount, type SftpSession } from './sftp.ts'

const ground = openGround()
let egress: Egress
beforeAll(() => {
  egress = ground.open()
})

const peers: SftpPeer[] = []
const sessions: SftpSession[] = []
afterEach(async () => {
  for (const session of sessions.splice(0)) session.close()
  await Promise.all(peers.splice(0).map((peer) => peer.close()))
})
const strict = createEgress({ allow: [] })
afterAll(() => strict.close())

async function peerWith(options: SftpOptions = {}) {
  const peer = await startSftp(options)
  peers.push(peer)
  return peer
}

const accountOf = ({ host, port, user, password, hostKey }: SftpPeer): SftpAccount => ({
  host,
  port,
  user,
  password,
  hostKey,
})

async function opened(peer: SftpPeer, account: Partial<SftpAccount> = {}, callMs?: number) {
  const session = await openSftp(
    { ...accountOf(peer), ...account },
    { egress, allowedHosts: [`127.0.0.1:${peer.port}`], openMs: 10_000, ...(callMs ? { callMs } : {}) },
  )
  sessions.push(session)
  return session
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error) => error,
  )

test.each([true, false])('a file is whole before it has its name (server replaces: %s)', async (replaces) => {
  const peer = await peerWith({ replaces })
  peer.addFolder('in')
  peer.addFile('in/1.csv', 'older')
  const session = await opened(peer)
  await session.put('in/1.csv', Buffer.from('newer'))
  expect([...peer.files]).toEqual([['in/1.csv', Buffer.from('newer')]])
  const [first = '', ...rest] = peer.changes
  expect(first).toMatch(/^open in\/\.1\.csv\.[0-9a-f]{12}\.part$/)
  const hidden = first.slice('open '.length)
  expect(rest).toContain(`write ${hidden}`)
  expect(rest.at(-1)).toBe(`rename ${hidden} in/1.csv`)
  expect(peer.changes.filter((line) => / in\/1\.csv$/.test(line) && line.startsWith('write'))).toEqual([])
})

test('files are listed, read, renamed and removed', async () => {
  const peer = await peerWith()
  peer.addFolder('in')
  peer.addFolder('in/old')
  peer.addFile('in/b.txt', 'bé')
  peer.addFile('in/a.txt', '')
  const session = await opened(peer)
  expect(await session.list('in')).toEqual([
    { name: 'a.txt', type: 'file', size: 0, modified: '2026-01-31T09:00:00.000Z' },
    { name: 'b.txt', type: 'file', size: 3, modified: '2026-01-31T09:00:00.000Z' },
    { name: 'old', type: 'folder', size: 0, modified: '2026-01-31T09:00:00.000Z' },
  ])
  expect((await session.get('in/b.txt')).toString()).toBe('bé')
  expect((await session.get('in/a.txt')).length).toBe(0)
  await session.rename('in/b.txt', 'in/a.txt')
  expect([...peer.files.keys()]).toEqual(['in/a.txt'])
  await session.remove('in/a.txt')
  await session.remove('in/a.txt')
  expect(peer.files.size).toBe(0)
})

test('large files go both ways; too large ones do not', async () => {
  const peer = await peerWith()
  const session = await opened(peer)
  const content = Buffer.alloc(1_500_000, 'abc')
  await session.put('large.bin', content)
  expect((await session.get('large.bin')).equals(content)).toBe(true)
  peer.addFile('huge.bin', Buffer.alloc(mostFileBytes + 1))
  expect(await failure(session.get('huge.bin'))).toMatchObject({ kind: 'too_large' })
})

test('a stream of any size is written while it is read, and leaves nothing behind when it breaks', async () => {
  const peer = await peerWith()
  const session = await opened(peer)
  const chunks = Array.from({ length: 100 }, (_, index) => Buffer.alloc(64 * 1024, index))
  const whole = Buffer.concat(chunks)
  expect(whole.length).toBeGreaterThan(mostFileBytes)
  const stream = Readable.from(chunks)
  await session.put('large.bin', { stream, size: whole.length, ms: 30_000 })
  expect(whole.equals(peer.files.get('large.bin') ?? Buffer.of())).toBe(true)
  expect(stream.destroyed).toBe(true)
  const broken = Readable.from(
    (async function* () {
      yield* chunks.slice(0, 3)
      throw new Error('gone')
    })(),
  )
  const error = await failure(session.put('other.bin', { stream: broken, size: whole.length, ms: 30_000 }))
  expect(error).toMatchObject({
    errorClass: 'protocol',
    message: 'What 127.0.0.1 was to keep could not be read to its end.',
  })
  const short = { stream: Readable.from(chunks.slice(0, 2)), size: 7, ms: 30_000 }
  expect((await failure(session.put('other.bin', short))).message).toMatch(/kept 131072 bytes of 7/)
  const late = { stream: new Readable({ read: () => undefined }), size: 7, ms: 50 }
  expect(await failure(session.put('other.bin', late))).toMatchObject({ errorClass: 'timeout' })
  expect(late.stream.destroyed).toBe(true)
  expect([...peer.files.keys()].filter((name) => !name.startsWith('.'))).toEqual(['large.bin'])
})

describe('the key of the server', () => {
  test('that is not known is told, and nothing is sent', async () => {
    const peer = await peerWith()
    const error = await failure(opened(peer, { hostKey: '' }))
    expect(error).toMatchObject({ kind: 'refused' })
    expect(error.message).toContain(`It showed ${peer.hostKey}.`)
    expect(peer.signIns).toEqual([])
  })

  test('that is another one is refused, and nothing is sent', async () => {
    const peer = await peerWith()
    const other = `SHA256:${'A'.repeat(43)}`
    const error = await failure(opened(peer, { hostKey: other }))
    expect(error.message).toContain(`showed another key than expected: ${peer.hostKey}. Nothing was sent.`)
    expect(peer.signIns).toEqual([])
    await opened(peer, { hostKey: `${other} ${peer.hostKey}` })
    expect(peer.signIns.at(-1)).toBe(`password ${peer.user}`)
  })
})

describe('signing in', () => {
  test('works with a key, and with one that has a passphrase', async () => {
    const pair = sshKeyPair()
    const locked = sshKeyPair('open-it')
    for (const { public: publicKey, private: privateKey, passphrase } of [
      { ...pair, passphrase: undefined },
      { ...locked, passphrase: 'open-it' },
    ]) {
      const peer = await peerWith({ publicKey })
      const account = { privateKey, ...(passphrase ? { passphrase } : {}) }
      const { password: _, ...rest } = accountOf(peer)
      const session = await openSftp({ ...rest, ...account }, { egress, allowedHosts: [`127.0.0.1:${peer.port}`] })
      sessions.push(session)
      expect(await session.list('.')).toEqual([])
    }
  })

  test('works where the password is asked for in a dialogue', async () => {
    const session = await opened(await peerWith({ method: 'keyboard-interactive' }))
    expect(await session.list('.')).toEqual([])
  })

  test('fails in words for a wrong password and for a key that is none', async () => {
    const peer = await peerWith()
    expect(await failure(opened(peer, { password: 'wrong' }))).toMatchObject({
      kind: 'refused',
      message: '127.0.0.1 refuses the user name, password or key.',
    })
    const { password: _, ...rest } = accountOf(peer)
    const error = await failure(
      openSftp({ ...rest, privateKey: 'no key' }, { egress, allowedHosts: [`127.0.0.1:${peer.port}`] }),
    )
    expect(error).toMatchObject({ kind: 'invalid' })
    expect(error.message).toMatch(/^The private key cannot be read/)
  })
})

describe('what a server can do wrong', () => {
  test('a refused or missing place is told as such, and no half file stays', async () => {
    const peer = await peerWith()
    const session = await opened(peer)
    expect(await failure(session.put('nowhere/1.csv', Buffer.from('a')))).toMatchObject({ kind: 'not_found' })
    peer.trouble(/^write/, 'full')
    expect(await failure(session.put('1.csv', Buffer.from('a')))).toMatchObject({ kind: 'invalid' })
    peer.trouble(/^rename/, 'refused')
    expect(await failure(session.put('1.csv', Buffer.from('a')))).toMatchObject({ kind: 'refused' })
    expect(await failure(session.get('1.csv'))).toMatchObject({ kind: 'not_found' })
    expect([...peer.files]).toEqual([])
  })

  test('a connection that is cut or silent ends the call', async () => {
    const peer = await peerWith()
    const session = await opened(peer)
    peer.trouble(/^write/, 'cut')
    expect(await failure(session.put('1.csv', Buffer.from('a')))).toMatchObject({ errorClass: 'protocol' })
    expect(await failure(session.list('.'))).toMatchObject({ errorClass: 'protocol' })
    const slow = await opened(peer, {}, 200)
    peer.trouble(/^open/, 'hangs')
    expect(await failure(slow.put('1.csv', Buffer.from('a')))).toMatchObject({ errorClass: 'timeout' })
  })

  test('what is no SSH, or says nothing, is told within its time', async () => {
    for (const [speak, errorClass] of [
      [(socket: { end(text: string): void }) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'), 'protocol'],
      [() => undefined, 'timeout'],
    ] as const) {
      const { port } = await ground.rawReceiver(speak)
      const account = { host: '127.0.0.1', port, user: 'a', password: 'b', hostKey: '' }
      const access = { egress, allowedHosts: [`127.0.0.1:${port}`], openMs: 500 }
      expect(await failure(openSftp(account, access))).toMatchObject({ errorClass })
    }
  })
})

describe('the guard', () => {
  test.each([
    ['10.0.0.1', /not a public address/],
    ['169.254.169.254', /metadata/],
    ['localhost', /private network/],
    ['[::1]', /not a public address/],
    ['0x7f.1', /not a public address/],
    ['user@example.com', /user name/],
    ['example.com/path', /without a path/],
  ])('%s is not dialled', async (host, message) => {
    const allowedHosts = ['10.0.0.1', '169.254.169.254', 'localhost', '::1', '127.0.0.1', 'example.com']
    const error = await failure(strict.connect({ host, port: 22, ownPort: 22, allowedHosts }))
    expect(error).toMatchObject({ errorClass: 'blocked' })
    expect(error.message).toMatch(message)
  })

  test('only named hosts are dialled, on the port that is named or the own one', async () => {
    const dialled = (port: number, ...allowedHosts: string[]) =>
      failure(strict.connect({ host: 'files.example.org', port, ownPort: 22, allowedHosts }))
    expect((await dialled(22, 'other.example.org')).message).toMatch(/not among the hosts/)
    expect((await dialled(2022, 'files.example.org')).message).toMatch(/not among the hosts/)
    expect((await dialled(25, 'files.example.org:25')).message).toMatch(/another service|could not be resolved/)
  })
})
