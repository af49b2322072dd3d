import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import { type ImapOptions, type ImapPeer, startImap } from '../../test/connectors/peers/imap.ts'
import { loopbackCertificate } from './certificate.fixture.ts'
import type { Egress } from './egress.ts'
import { type MailboxAccount, type MailboxSession, mostMailBytes, openMailbox } from './mailbox.ts'
import { openGround } from './receivers.fixture.ts'

const ground = openGround()
let egress: Egress
beforeAll(() => {
  egress = ground.open({ ca: loopbackCertificate })
})

const peers: ImapPeer[] = []
const sessions: MailboxSession[] = []
afterEach(async () => {
  for (const session of sessions.splice(0)) session.close()
  await Promise.all(peers.splice(0).map((peer) => peer.close()))
})

async function peerWith(options: ImapOptions = {}) {
  const peer = await startImap(options)
  peers.push(peer)
  return peer
}

async function opened(
  { host, port, user, password }: ImapPeer,
  account: Partial<MailboxAccount> = {},
  { by = egress, callMs = 10_000 } = {},
) {
  const whole = { host, port, user, password, ...account }
  const session = await openMailbox(whole, {
    egress: by,
    allowedHosts: [`${whole.host}:${port}`],
    openMs: 10_000,
    callMs,
  })
  sessions.push(session)
  return session
}

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error) => error,
  )

const mail = (id: number, text = 'Hello') =>
  `From: "Ada L." <ada@example.org>\nTo: b@example.org\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe_${id}?=\nMessage-ID: <${id}@example.org>\n\n${text}\n`

test('mails are listed oldest first and read without being marked', async () => {
  const peer = await peerWith()
  const received = new Date('2026-01-31T09:30:00Z')
  peer.deliver(mail(1), { received })
  peer.deliver(mail(2), { received })
  const inbox = await opened(peer)
  const [first, second] = await inbox.list({})
  expect(first).toEqual({
    uid: 1,
    uidValidity: expect.stringMatching(/^\d+$/),
    messageId: '<1@example.org>',
    subject: 'Grüße 1',
    from: 'ada@example.org',
    date: '2026-01-31T09:30:00.000Z',
    size: peer.mails()[0]?.raw.length,
    seen: false,
    flags: [],
  })
  expect(second?.uid).toBe(2)
  expect((await inbox.fetch(1)).equals(peer.mails()[0]?.raw ?? Buffer.alloc(0))).toBe(true)
  expect([...(peer.mails()[0]?.flags ?? [])]).toEqual([])
})

test('a query narrows them: unread, without a keyword, since a day, after a uid, so many', async () => {
  const peer = await peerWith()
  for (const day of ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04']) {
    peer.deliver(mail(1), { received: new Date(`${day}T12:00:00Z`) })
  }
  const inbox = await opened(peer)
  await inbox.mark(1, 'seen')
  await inbox.mark(2, 'SluiceDone')
  const uids = async (query: Parameters<MailboxSession['list']>[0]) => (await inbox.list(query)).map(({ uid }) => uid)
  expect(await uids({ unseen: true })).toEqual([2, 3, 4])
  expect(await uids({ without: 'SluiceDone' })).toEqual([1, 3, 4])
  expect(await uids({ since: new Date('2026-01-03') })).toEqual([3, 4])
  expect(await uids({ after: 3 })).toEqual([4])
  expect(await uids({ after: 4 })).toEqual([])
  expect(await uids({ unseen: true, without: 'SluiceDone', limit: 1 })).toEqual([3])
})

test('a mail is moved to another folder', async () => {
  const peer = await peerWith()
  peer.addFolder('Done/2026')
  peer.deliver(mail(1))
  const inbox = await opened(peer)
  await inbox.move(1, 'Done/2026')
  expect([peer.mails().length, peer.mails('Done/2026').length]).toEqual([0, 1])
  peer.deliver(mail(2))
  expect(await failure(inbox.move(2, 'Nowhere'))).toMatchObject({ kind: 'not_found' })
  expect(await failure(inbox.move(99, 'Done/2026'))).toMatchObject({ kind: 'not_found' })
  const done = await opened(peer, { folder: 'Done/2026' })
  expect(await done.list({})).toHaveLength(1)
})

test('a server without MOVE copies and expunges that one mail; one without UIDPLUS too moves nothing', async () => {
  const older = await peerWith({ extensions: ['UIDPLUS'] })
  older.addFolder('Done')
  older.deliver(mail(1))
  older.deliver(mail(2))
  older.mails()[1]?.flags.add('\\Deleted')
  await (await opened(older)).move(1, 'Done')
  expect([older.mails().map(({ uid }) => uid), older.mails('Done').length]).toEqual([[2], 1])

  const oldest = await peerWith({ extensions: [] })
  oldest.addFolder('Done')
  oldest.deliver(mail(1))
  expect(await failure((await opened(oldest)).move(1, 'Done'))).toMatchObject({ kind: 'invalid' })
  expect(oldest.mails()).toHaveLength(1)
})

test('what a server does not keep is told, and so is a mail that is not there', async () => {
  const peer = await peerWith({ keywords: false })
  peer.deliver(mail(1))
  const inbox = await opened(peer)
  expect(await failure(inbox.mark(1, 'SluiceDone'))).toMatchObject({ kind: 'invalid' })
  await inbox.mark(1, 'seen')
  expect(await failure(inbox.mark(7, 'seen'))).toMatchObject({ kind: 'not_found' })
  expect(await failure(inbox.fetch(7))).toMatchObject({ kind: 'not_found' })
})

test('a mail that is too large is not brought, whatever the server announces', async () => {
  const peer = await peerWith()
  peer.deliver(mail(1, 'x'.repeat(mostMailBytes)))
  const inbox = await opened(peer)
  expect(await failure(inbox.fetch(1))).toMatchObject({ kind: 'too_large' })
  peer.trouble(/FETCH/, 'huge')
  expect(await failure(inbox.fetch(1))).toMatchObject({ errorClass: 'response_too_large' })
})

describe('opening', () => {
  test('tells a wrong password and a missing folder apart', async () => {
    const peer = await peerWith()
    expect(await failure(opened(peer, { password: 'wrong-pass-word' }))).toMatchObject({
      kind: 'refused',
      message: 'localhost refuses the user name or password: Wrong user or password.',
    })
    expect(await failure(opened(peer, { folder: 'Nope' }))).toMatchObject({ kind: 'not_found' })
  })

  test('needs a certificate that is trusted and is the host’s', async () => {
    const peer = await peerWith()
    expect(await failure(opened(peer, {}, { by: ground.open() }))).toMatchObject({ errorClass: 'tls' })
    const elsewhere = ground.open({ ca: loopbackCertificate, resolve: async () => ['127.0.0.1'] })
    expect(await failure(opened(peer, { host: 'mail.example.org' }, { by: elsewhere }))).toMatchObject({
      errorClass: 'tls',
    })
    expect(peer.commands).toEqual([])
  })

  test('is refused for hosts that nobody named and networks that are not public', async () => {
    const peer = await peerWith()
    const { host, port, user, password } = peer
    const elsewhere = openMailbox({ host, port, user, password }, { egress, allowedHosts: ['localhost'] })
    expect(await failure(elsewhere)).toMatchObject({ errorClass: 'blocked' })
    expect(await failure(opened(peer, {}, { by: ground.open({ allow: [] }) }))).toMatchObject({ errorClass: 'blocked' })
    expect(peer.connections()).toBe(0)
  })
})

test('a connection that is cut or silent ends the call', async () => {
  const peer = await peerWith()
  peer.deliver(mail(1))
  const inbox = await opened(peer)
  peer.trouble(/SEARCH/, 'cut')
  expect(await failure(inbox.list({}))).toMatchObject({ errorClass: 'protocol' })
  const slow = await opened(peer, {}, { callMs: 300 })
  peer.trouble(/SEARCH/, 'hangs')
  expect(await failure(slow.list({}))).toMatchObject({ errorClass: 'timeout' })
})
