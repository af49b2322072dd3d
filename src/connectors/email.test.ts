import path from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ConnectorGround, connectorGround, unhurried } from './ground.fixture.ts'

const emailFolder = path.join(import.meta.dirname, '../../connectors/email')

let ground: ConnectorGround
beforeAll(async () => {
  ground = await connectorGround()
})
afterAll(() => ground.close())

test('mails a summary and a link, and nothing of the data; a repeated mail has the same id', async () => {
  const carrier = ground.carrier()
  const connection = await ground.connected(emailFolder, {
    settings: {
      recipient: 'planning@camden.example, duty@camden.example',
      subject_prefix: '[Planning]',
      link_template: 'https://office.example/sessions/{id}?team={team}',
    },
  })
  const delivery = await ground.delivery(connection, { data: { applicant: 'Ada Lovelace', postcode: 'SE10 9NF' } })

  expect(await carrier.deliver(delivery, unhurried)).toMatchObject({ outcome: 'succeeded' })
  const mail = await ground.mail.waitFor(({ subject }) => subject.startsWith('[Planning]'))
  expect(mail.envelope.to).toEqual(['planning@camden.example', 'duty@camden.example'])
  expect(mail.subject).toBe(`[Planning] New: Apply for <planning> (${delivery.session_id.slice(-8)})`)
  const link = `https://office.example/sessions/${delivery.session_id}?team=camden`
  expect(mail.text).toContain(
    'A new application has been submitted to Camden & Co through the service "Apply for <planning>".',
  )
  expect(mail.text).toContain(`Reference:  ${delivery.session_id}`)
  expect(mail.text).toContain('Payment:    pay-1')
  expect(mail.text).toContain(`Open it: ${link}`)
  expect(mail.html).toContain(`<a href="${link}">Open it</a>`)
  expect(mail.html).toContain('Camden &amp; Co through the service &quot;Apply for &lt;planning&gt;&quot;')
  expect(JSON.stringify(mail)).not.toMatch(/Ada|Lovelace|SE10/)

  await carrier.deliver({ ...delivery, attempt: 2 }, unhurried)
  const again = await ground.mail.waitFor(({ number }) => number > mail.number)
  expect(again.headers['message-id']).toBe(mail.headers['message-id'])
  expect(mail.headers['message-id']).toContain(delivery.id)

  const [run] = await ground.runs(delivery)
  expect(run).toMatchObject({
    status: 'succeeded',
    message: null,
    log: [{ level: 'info', message: 'Mailed 2 recipients.' }],
    calls: [{ kind: 'mail', target: '2 recipients', status: 'sent' }],
  })
})

test('settings that cannot work are told in words', async () => {
  const carrier = ground.carrier()
  await expect(ground.connected(emailFolder)).rejects.toThrow('"Recipient" (recipient) is mandatory. Give it a value.')
  const badLink = await ground.connected(emailFolder, {
    settings: { recipient: 'a@b.example', link_template: 'javascript:alert(1)' },
  })
  expect(await carrier.deliver(await ground.delivery(badLink), unhurried)).toMatchObject({
    outcome: 'failed',
    error_class: 'connector',
    error_message: 'The setting "link_template" must begin with https:// or http://.',
  })
  const badAddress = await ground.connected(emailFolder, { settings: { recipient: 'nobody' } })
  const report = await carrier.deliver(await ground.delivery(badAddress), unhurried)
  expect(report.error_message).toMatch(/mail\.send cannot be called like this: to/)
})

test('a mail server that is away is a failed run, to be tried again', async () => {
  const away = await connectorGround({ smtpUrl: 'smtp://127.0.0.1:1' })
  const connection = await away.connected(emailFolder, { settings: { recipient: 'a@b.example' } })
  const delivery = await away.delivery(connection)
  const report = await away.carrier().deliver(delivery, unhurried)
  expect(report).toMatchObject({ outcome: 'failed', error_class: 'connector', final: false })
  expect(report.error_message).toMatch(/The mail was not sent/)
  expect((await away.runs(delivery))[0]?.calls).toMatchObject([{ kind: 'mail', status: 'unavailable' }])
  await away.close()
})
