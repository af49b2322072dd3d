import { afterAll, expect, test } from 'vitest'
import { createMailer } from './mail.ts'
import { startMailCatcher } from './mail-catcher.ts'

const catcher = await startMailCatcher({ port: 0, maxBytes: 100_000 })
const mailer = createMailer({ url: catcher.url, from: 'Sluice <no-reply@sluice.example>' })
afterAll(async () => {
  await mailer.close()
  await catcher.close()
})

test('a mail arrives with its sender, both bodies and the given id', async () => {
  const sent = await mailer.send({
    to: ['a@camden.example', 'b@camden.example'],
    subject: 'Neue Anfrage: Ø',
    text: 'plain',
    html: '<p>rich</p>',
    messageId: '<delivery-1@sluice.example>',
  })
  expect(sent).toMatchObject({
    messageId: '<delivery-1@sluice.example>',
    accepted: ['a@camden.example', 'b@camden.example'],
    response: expect.stringMatching(/^250/),
  })
  const caught = await catcher.waitFor(({ subject }) => subject === 'Neue Anfrage: Ø')
  expect(caught).toMatchObject({ from: 'no-reply@sluice.example', text: expect.stringContaining('plain') })
  expect(caught.html).toContain('<p>rich</p>')
  expect(caught.headers['message-id']).toBe('<delivery-1@sluice.example>')
})

test('a mail that the server refuses for good is told apart from a server that is away', async () => {
  const tooLarge = mailer.send({ to: 'a@camden.example', subject: 'Large', text: 'x'.repeat(200_000) })
  await expect(tooLarge).rejects.toMatchObject({ code: 'VALIDATION_FAILED' })

  const gone = await startMailCatcher({ port: 0 })
  await gone.close()
  const away = createMailer({ url: gone.url, from: 'a@example.org' })
  await expect(away.send({ to: 'a@camden.example', subject: 's', text: 't' })).rejects.toMatchObject({
    code: 'UNAVAILABLE',
  })
  await away.close()
})
