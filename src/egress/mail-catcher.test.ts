import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createTransport } from 'nodemailer'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type MailCatcher, startMailCatcher } from './mail-catcher.ts'

let folder: string
let catcher: MailCatcher

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-mail-'))
  catcher = await startMailCatcher({ folder, port: 0, maxBytes: 100_000 })
})
afterEach(async () => {
  await catcher.close()
  await rm(folder, { recursive: true })
})

const mail = { from: 'a@example.org', to: 'Planning <planning@camden.example>', subject: 'A session: ø', text: 'Hello' }
const send = (parts: object = {}) => createTransport(catcher.url).sendMail({ ...mail, ...parts })

test('catches a mail with its attachments and blind copies, and keeps it as a file', async () => {
  const attachment = { filename: 'session.json', content: Buffer.from('{"a":1}'), contentType: 'application/json' }
  await send({ bcc: 'archive@camden.example', attachments: [attachment] })
  const caught = await catcher.waitFor(({ subject }) => subject.startsWith('A session'))
  expect(caught).toMatchObject({
    from: 'a@example.org',
    to: ['planning@camden.example'],
    subject: 'A session: ø',
    envelope: { from: 'a@example.org', to: ['planning@camden.example', 'archive@camden.example'] },
    attachments: [{ name: 'session.json', contentType: 'application/json' }],
  })
  expect(caught.text.trim()).toBe('Hello')
  expect(caught.attachments[0]?.content.toString()).toBe('{"a":1}')

  const [file, ...others] = await readdir(folder)
  expect(others).toEqual([])
  expect(file).toMatch(/-1-A-session-ø\.eml$/)
  expect(path.join(folder, file ?? '')).toBe(caught.file)
  expect(await readFile(caught.file ?? '', 'utf8')).toContain('Content-Type: multipart/mixed')
})

test('accepts any user and password', async () => {
  const transport = createTransport({ url: catcher.url, auth: { user: 'somebody', pass: 'something' } })
  await transport.sendMail(mail)
  expect(catcher.messages()).toHaveLength(1)
})

test('waits for a mail that has not come yet, and gives up with a count', async () => {
  const awaited = catcher.waitFor(({ subject }) => subject === 'second')
  await send({ subject: 'first' })
  await send({ subject: 'second' })
  expect((await awaited).number).toBe(2)
  await expect(catcher.waitFor(({ subject }) => subject === 'third', 10)).rejects.toThrow('2 came in all')
})

test('keeps the last 200 in memory', async () => {
  const transport = createTransport({ url: catcher.url, pool: true, maxConnections: 5, maxMessages: 1000 })
  await Promise.all(Array.from({ length: 205 }, () => transport.sendMail(mail)))
  transport.close()
  expect(catcher.messages()).toHaveLength(200)
  expect(catcher.messages().at(-1)?.number).toBe(205)
  expect(await readdir(folder)).toHaveLength(205)
})

test('refuses a mail that is too large and keeps nothing of it', async () => {
  await expect(send({ text: 'x'.repeat(200_000) })).rejects.toMatchObject({ responseCode: 552 })
  expect(catcher.messages()).toEqual([])
  await send()
  expect(catcher.messages()).toHaveLength(1)
})

test('names the variable to change when its port is taken', async () => {
  await expect(startMailCatcher({ port: catcher.port })).rejects.toThrow('EMBEDDED_SMTP_PORT')
})
