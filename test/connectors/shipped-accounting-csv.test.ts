import { parse } from 'csv-parse/sync'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type TestStorage, testStorage } from '../ground/storage.ts'
import { type ShippedGround, shippedGround } from './peers/ground.ts'
import { type SftpPeer, startSftp } from './peers/sftp.ts'

let ground: ShippedGround
/** The accounting's own S3, beside that of the installation. */
let accounting: TestStorage
beforeAll(async () => {
  ;[ground, accounting] = await Promise.all([shippedGround(), testStorage()])
})
afterAll(() => Promise.all([ground.close(), accounting.close()]))

let office: SftpPeer
let connection: string
beforeEach(async () => {
  office = await startSftp()
  office.addFolder('in')
  connection = await connected()
  return () => office.close()
})

const sftpSettings = () => ({
  target: 'sftp',
  folder: 'in',
  sftp_host: `127.0.0.1:${office.port}`,
  sftp_user: office.user,
  sftp_password: office.password,
  sftp_host_key: office.hostKey,
})
const connected = (settings: object = {}) => ground.connected('accounting-csv', { ...sftpSettings(), ...settings })

const booking = {
  referenceNumber: '7383012568246',
  customer: { lastname: 'ACME Ltd.', customerNumbers: [{ system: 'Foobar', customerNumber: '56288' }] },
  travelservices: [
    {
      travelServiceType: 'FLIGHT',
      transportDocuments: [373.25, 373.25].map((amount) => ({
        priceitems: [
          {
            priceItemType: 'FARE_PER_PAX',
            currency: 'CHF',
            amount,
            purchasePriceCurrency: 'EUR',
            purchasePrice: 345.6,
          },
          { priceItemType: 'TAX_PER_PAX', currency: 'CHF', amount: 101.25 },
        ],
      })),
    },
    {
      travelServiceType: 'HOTEL',
      departuredate: '2019-01-11',
      returndate: '2019-01-12',
      priceitems: [{ priceItemType: 'AUX_PER_BOOKING', currency: 'CHF', amount: 200 }],
    },
  ],
  payments: [{ currency: 'CHF', amount: 149 }],
}

const rowsOf = (content: string | Buffer | undefined) =>
  parse(content ?? '', { columns: true }) as Record<string, string>[]
const bookingDelivery = (of = connection, data: object = booking) => ground.delivery(of, { kind: 'booking', data })
/** The number of each file, in their order. */
const numbers = () => [...office.files.keys()].toSorted().map((name) => Number(/sluice-(\d{6})-/.exec(name)?.[1]))

test('a booking is one file with its sums, its number and its day', async () => {
  const delivery = await bookingDelivery()
  const { outcome, run } = await ground.attempt(delivery)
  expect([outcome, run?.log.map(({ message }) => message)]).toEqual(['succeeded', ['Wrote number 1: 1 line.']])
  const day = new Date().toISOString().slice(0, 8)
  const [[name = '', content] = []] = [...office.files]
  expect(name).toMatch(new RegExp(`^in/sluice-000001-${day}\\d\\d\\.csv$`))
  expect(run?.message).toBe(`Number 1: ${name.slice('in/'.length)}`)
  expect(rowsOf(content)).toEqual([
    {
      number: '1',
      date: name.slice(-14, -4),
      kind: 'booking',
      reference: '7383012568246',
      customer: 'ACME Ltd.',
      currency: 'CHF',
      amount: '1149.00',
      paid: '149.00',
      open: '1000.00',
      session: delivery.session_id,
    },
  ])
  expect(JSON.stringify(run)).not.toContain(office.password)
  expect(JSON.stringify(run)).not.toContain('ACME')
})

test('columns, titles, separator and the form of amounts are as they are set', async () => {
  const settings = {
    columns: 'Beleg=number; customer_number\ndeparture,return, currency, amount, Einkauf=purchase',
    separator: 'semicolon',
    amounts: 'comma',
    first_number: 1001,
  }
  await ground.attempt(await bookingDelivery(await connected(settings)))
  const [[name, content] = []] = [...office.files]
  expect(name).toContain('sluice-001001-')
  expect(content?.toString()).toBe(
    'Beleg;customer_number;departure;return;currency;amount;Einkauf\r\n' +
      '1001;56288;2019-01-11;2019-01-12;CHF;1149,00;0,00\r\n' +
      '1001;56288;2019-01-11;2019-01-12;EUR;0,00;691,20\r\n',
  )
})

test('an application has its fee in pounds', async () => {
  const data = {
    passport: {
      data: { 'applicant.name.first': 'Ada', 'applicant.name.last': 'Lovelace', 'application.fee.payable': 129 },
    },
    govUkPayment: { amount: 12_900, reference: 'ref-1', state: { status: 'success', finished: true } },
  }
  const of = await connected({
    columns: 'reference, customer, currency, amount, paid, open, payment',
    amounts: 'minor',
  })
  await ground.attempt(await ground.delivery(of, { data }))
  expect(rowsOf([...office.files.values()][0])).toEqual([
    {
      reference: 'ref-1',
      customer: 'Ada Lovelace',
      currency: 'GBP',
      amount: '12900',
      paid: '12900',
      open: '0',
      payment: 'pay-1',
    },
  ])
})

test('into S3 it is an object, written the same way', async () => {
  const { S3_ENDPOINT, S3_REGION, S3_BUCKET, S3_ACCESS_KEY, S3_SECRET_KEY } = accounting.config
  const of = await connected({
    target: 's3',
    endpoint: S3_ENDPOINT,
    region: S3_REGION,
    bucket: S3_BUCKET,
    access_key_id: S3_ACCESS_KEY,
    secret_access_key: S3_SECRET_KEY,
    folder: 'books/2026',
  })
  const delivery = await bookingDelivery(of)
  const { outcome, run } = await ground.attempt(delivery)
  expect(outcome).toBe('succeeded')
  await ground.attempt(delivery, 2)
  const keys: string[] = []
  for await (const { key } of accounting.files.list('books/')) keys.push(key)
  expect(keys).toEqual([`books/2026/${run?.message?.slice('Number 1: '.length)}`])
  const content = await accounting.files.get(keys[0] ?? '').then((stream) => stream.toArray())
  expect(rowsOf(Buffer.concat(content))).toMatchObject([{ number: '1', amount: '1149.00' }])
  expect(office.signIns).toEqual([])
})

describe('numbers', () => {
  test('have no gap and no repeat, also when many sessions come at once', async () => {
    const deliveries = await Promise.all(Array.from({ length: 6 }, () => bookingDelivery()))
    const reports = await Promise.all(deliveries.map((delivery) => ground.attempt(delivery)))
    expect(reports.map(({ outcome }) => outcome)).toEqual(Array(6).fill('succeeded'))
    expect(numbers()).toEqual([1, 2, 3, 4, 5, 6])
    const sessions = [...office.files.values()].map((content) => rowsOf(content)[0]?.session)
    expect(new Set(sessions)).toEqual(new Set(deliveries.map(({ session_id }) => session_id)))
  })

  test('stay with their session in every attempt, and the file stays the same', async () => {
    const delivery = await bookingDelivery()
    await ground.attempt(delivery)
    const before = [...office.files].map(([name, content]) => [name, content.toString()])
    expect(await ground.attempt(delivery, 2)).toMatchObject({ outcome: 'succeeded' })
    expect([...office.files].map(([name, content]) => [name, content.toString()])).toEqual(before)
    await ground.attempt(await bookingDelivery())
    expect(numbers()).toEqual([1, 2])
  })

  test('stay when the answer was lost, and nobody else gets them meanwhile', async () => {
    const first = await bookingDelivery()
    office.trouble(/^rename/, 'lost')
    expect(await ground.attempt(first)).toMatchObject({ outcome: 'failed', final: false })
    const second = await bookingDelivery()
    await ground.attempt(second)
    await ground.attempt(first, 2)
    const bySession = new Map(
      [...office.files.values()].map((content) => [rowsOf(content)[0]?.session, rowsOf(content)[0]?.number]),
    )
    expect([...bySession]).toEqual(
      expect.arrayContaining([
        [first.session_id, '1'],
        [second.session_id, '2'],
      ]),
    )
    expect(numbers()).toEqual([1, 2])
  })

  test('stay when the worker dies before the run is stored', async () => {
    const first = await bookingDelivery()
    await ground.attempt(first)
    // As the database is when the statement that stores run and state never came.
    await ground.database.prisma.connection.update({ where: { id: connection }, data: { state: {} } })
    const second = await bookingDelivery()
    await ground.attempt(second)
    await ground.attempt(first, 2)
    expect(numbers()).toEqual([1, 2])
    const [one, two] = [...office.files].toSorted().map(([, content]) => rowsOf(content)[0]?.session)
    expect([one, two]).toEqual([first.session_id, second.session_id])
  })

  test('go to the next session when the server surely took nothing', async () => {
    const first = await bookingDelivery()
    office.trouble(/^open/, 'refused')
    const refused = await ground.attempt(first)
    expect(refused).toMatchObject({ outcome: 'failed', final: false })
    expect(refused.run?.message).toMatch(/does not allow that/)
    const second = await bookingDelivery()
    await ground.attempt(second)
    expect(numbers()).toEqual([1])
    await ground.attempt(first, 2)
    expect(numbers()).toEqual([1, 2])
  })
})

describe('a server that is not as it should be', () => {
  test.each([
    ['a wrong password', { sftp_password: 'not-the-password' }, /refuses the user name, password or key/],
    ['another key', { sftp_host_key: `SHA256:${'A'.repeat(43)}` }, /showed another key than expected: SHA256:/],
    ['no such folder', { folder: 'nowhere' }, /has no nowhere/],
  ])('%s can be mended', async (_, settings, message) => {
    const report = await ground.attempt(await bookingDelivery(await connected(settings)))
    expect(report).toMatchObject({ outcome: 'failed', final: false })
    expect(report.run?.message).toMatch(message)
    expect(office.files.size).toBe(0)
  })
})
