import { readdirSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { convert, metadataOf } from '../../connectors/confirmation-mail/convert.ts'
import { BrokenJson, parseLoosely } from '../../connectors/confirmation-mail/json.ts'
import { readMarkup } from '../../connectors/confirmation-mail/markup.ts'
import { amountOf } from '../../connectors/confirmation-mail/money.ts'
import type { Settings } from '../../connectors/confirmation-mail/settings.ts'
import { localTimeOf } from '../../connectors/confirmation-mail/times.ts'
import { bundleConnector } from '../../src/connectors/bundle.ts'
import { createSandboxPool, type SandboxPool } from '../../src/connectors/sandbox/pool.ts'
import { checkConnector } from '../../src/connectors/vendor/check.ts'
import { travelJsonSchema } from '../../src/travel/json-schemas.ts'
import type { Booking } from '../../src/travel/model.ts'
import { parseBooking } from '../../src/travel/parse.ts'
import { misplacedTicketFees } from '../../src/travel/ticket-fees.ts'
import { shippedFolder } from './peers/ground.ts'

const folder = path.join(import.meta.dirname, 'mails')
const mail = (name: string) => readFileSync(path.join(folder, `${name}.eml`))
const none: Settings = { host: 'imap.example', user: 'u', password: 'p' }

const ajv = new Ajv2020({ allErrors: true, strict: false })
formats.default(ajv)
const followsSchema = ajv.compile(travelJsonSchema('booking'))

/** The booking of a mail, which parser and schema take. */
async function bookingOf(raw: Uint8Array, settings: Partial<Settings> = {}): Promise<Booking> {
  const { booking } = await convert(raw, { ...none, ...settings })
  const sent = JSON.parse(JSON.stringify(booking))
  expect(followsSchema(sent) ? [] : followsSchema.errors).toEqual([])
  expect(misplacedTicketFees(parseBooking(sent))).toEqual([])
  return parseBooking(sent)
}

const html = (text: string, headers = '') =>
  Buffer.from(`From: Shop <a@shop.example>\r\n${headers}Content-Type: text/html; charset=utf-8\r\n\r\n${text}`)
const script = (json: unknown) =>
  html(`<script type="application/ld+json">${typeof json === 'string' ? json : JSON.stringify(json)}</script>`)
const flight = (more: object = {}, trip: object = {}) => ({
  '@type': 'FlightReservation',
  reservationNumber: 'AB1',
  underName: { '@type': 'Person', name: 'Mira Testfeld' },
  reservationFor: {
    '@type': 'Flight',
    flightNumber: '12',
    departureAirport: { iataCode: 'ZRH' },
    arrivalAirport: { iataCode: 'LHR' },
    departureTime: '2027-03-04T09:10',
    ...trip,
  },
  ...more,
})

describe('mails of every kind', () => {
  test('a flight there and back for two: legs, tickets with their share of the price', async () => {
    const booking = await bookingOf(mail('flight'))
    expect(booking).toMatchObject({
      referenceNumber: 'PCRESW',
      sourceDomain: 'mail.alpenflug.example',
      providerSourcename: 'Alpenflug',
      supplier: 'Alpenflug',
      created: '2027-01-15T17:02:11.000Z',
      departuredate: '2027-03-04',
      returndate: '2027-03-30',
      totalprice: 948.99,
      totalpricecurrency: 'CHF',
      destination: { iataCode: 'INV', name: 'Inverness Airport', countryCode: 'GB' },
    })
    const [service, ...others] = booking.travelservices ?? []
    expect(others).toEqual([])
    expect(service).toMatchObject({ travelServiceType: 'FLIGHT', bookingstatus: 'CONFIRMED', priceitems: [] })
    const legs = service?.segmentedLegs?.map(({ segments }) =>
      segments?.map((each) => [
        `${each.providerCode}${each.connectionnumber}`,
        each.departingFromLocation?.iataCode,
        each.departuretime,
        each.arrivingAtLocation?.iataCode,
        each.arrivaltime,
      ]),
    )
    expect(legs).toEqual([
      [
        ['ZX1954', 'ZRH', '2027-03-04T09:10:00', 'AMS', '2027-03-04T10:55:00'],
        ['ZX929', 'AMS', '2027-03-04T12:10:00', 'INV', '2027-03-04T12:50:00'],
      ],
      [['ZX930', 'INV', '2027-03-30T13:20:00', 'ZRH', '2027-03-30T17:00:00']],
    ])
    const [first] = service?.segmentedLegs?.[0]?.segments ?? []
    expect(first).toMatchObject({ departingDetails: 'Terminal 2, Gate B34', travelclass: 'Economy' })
    const names = new Map(
      booking.participants?.map((each) => (typeof each === 'string' ? [each, each] : [each.uuid, each.fullname])),
    )
    const documents = service?.transportDocuments ?? []
    const tickets = documents.filter(({ transportDocumentType }) => transportDocumentType === 'TICKET')
    expect(
      tickets.map(({ referenceNumber, traveler, priceitems, associatedSegments }) => [
        referenceNumber,
        names.get(traveler as string),
        priceitems?.map((item) => typeof item !== 'string' && item.amount),
        associatedSegments?.length,
      ]),
    ).toEqual([
      ['0742798225234', 'Mira Testfeld', [474.5], 3],
      ['0742798225235', 'Jonas Beispiel', [474.49], 3],
    ])
    expect(documents).toHaveLength(2)
  })

  test('a hotel in microdata and Latin-1, with an apostrophe in its price', async () => {
    const booking = await bookingOf(mail('hotel'))
    expect(booking).toMatchObject({ referenceNumber: 'H-4471', totalprice: 1240.5, supplier: 'Hôtel du Lac' })
    expect(booking.travelservices).toMatchObject([
      {
        travelServiceType: 'HOTEL',
        departuredate: '2027-04-11',
        returndate: '2027-04-13',
        singleSegment: {
          providerDescription: 'Hôtel du Lac',
          serviceDescription: 'Double room with a view of the lake',
          street: 'Rue du Musée 7',
          zip: '1201',
          city: 'Genève',
          startLocation: { name: 'Genève', countryCode: 'CH' },
          startTime: '2027-04-11T15:00:00',
          endTime: '2027-04-13T11:00:00',
          primaryTraveller: 'Mira Testfeld',
        },
      },
    ])
  })

  test('train tickets in a graph, forwarded as an attached mail: the booking is the railway’s', async () => {
    const booking = await bookingOf(mail('train-forwarded'))
    expect(booking).toMatchObject({ sourceDomain: 'exempelbahn.example', referenceNumber: 'QX7T2M', totalprice: 74.85 })
    const [service] = booking.travelservices ?? []
    expect(service?.segmentedLegs?.[0]?.segments).toMatchObject([
      {
        departingFromLocation: { name: 'Zürich HB' },
        departingDetails: 'Platform 8',
        arrivalDetails: 'Platform 28',
        connectionnumber: 'EC 193',
      },
    ])
    expect(service?.transportDocuments).toMatchObject([
      { referenceNumber: 'T-1001', priceitems: [{ priceItemType: 'FARE_PER_PAX', amount: 49.9, currency: 'EUR' }] },
      { referenceNumber: 'T-1002', priceitems: [{ amount: 24.95 }] },
    ])
    expect(await metadataOf(mail('train-forwarded'), none)).toEqual({
      createdAt: '2027-04-10T10:30:00.000Z',
      mimeType: 'message/rfc822',
      description: 'Fwd: Ihre Fahrkarten',
      participants: 'Mira Testfeld, Jonas Beispiel',
      discardAsIntermediate: false,
    })
  })

  test('a coach in a table that nobody closed, not yet confirmed', async () => {
    const booking = await bookingOf(mail('bus'))
    expect(booking.participants).toMatchObject([{ firstname: 'JONAS', lastname: 'BEISPIEL' }])
    expect(booking.travelservices).toMatchObject([
      {
        travelServiceType: 'BUS',
        bookingstatus: 'PROCESSING',
        providerName: 'Glen Coaches',
        segmentedLegs: [{ segments: [{ connectionnumber: 'M90', departuretime: '2027-06-01T07:05:00' }] }],
        priceitems: [{ priceItemType: 'DEFAULT', amount: 28.4, currency: 'GBP' }],
      },
    ])
  })

  test('a rental car beside attachments; an address that is no web address is left out', async () => {
    const booking = await bookingOf(mail('rental-car'))
    expect(booking.url).toBeUndefined()
    expect(booking).toMatchObject({ totalprice: 1180, totalpricecurrency: 'GBP', supplier: 'Kilometer Rent' })
    expect(booking.travelservices?.[0]).toMatchObject({
      travelServiceType: 'CARRENTAL',
      singleSegment: {
        serviceDescription: 'Compact, four doors',
        startLocation: { name: 'Kilometer Rent, Inverness Airport', countryCode: 'GB' },
        endLocation: { name: 'Kilometer Rent, Edinburgh' },
        startTime: '2027-03-04T13:30:00',
      },
    })
  })

  test('a package is one booking with the agency’s number and a service for each reservation', async () => {
    const booking = await bookingOf(mail('package'))
    expect(booking).toMatchObject({
      referenceNumber: 'AG-2027-118',
      providerName: 'Fernweh Reisen',
      totalprice: 2200.5,
      totalpricecurrency: 'EUR',
      departuredate: '2027-09-01',
      returndate: '2027-09-09',
    })
    expect(booking.travelservices?.map((each) => [each.travelServiceType, each.referenceNumber])).toEqual([
      ['FLIGHT', 'K9LMNO'],
      ['HOTEL', 'HK-77'],
    ])
    expect(booking.participants).toHaveLength(1)
  })

  test('a cancellation has the key of the confirmation, and is cancelled', async () => {
    const [confirmed, cancelled] = [await convert(mail('flight'), none), await convert(mail('flight-cancelled'), none)]
    expect(confirmed.key).toBe('mail.alpenflug.example/PCRESW')
    expect(cancelled.key).toBe(confirmed.key)
    expect((await bookingOf(mail('flight-cancelled'))).travelservices?.[0]?.bookingstatus).toBe('CANCELED')
    const separate = await convert(mail('train-forwarded'), { ...none, later_mails: 'separate' })
    expect(separate.key).toBe('exempelbahn.example/QX7T2M/<fwd-1@example.org>')
  })

  test('converting again gives the same, UUIDs included', async () => {
    expect(await convert(mail('flight'), none)).toEqual(await convert(mail('flight'), none))
  })

  test('a mail without markup is discarded, one with broken markup fails and quotes nothing', async () => {
    expect(await convert(mail('newsletter'), none)).toEqual({
      discard: true,
      message: 'The mail has no schema.org markup of a reservation.',
    })
    await expect(convert(mail('broken'), none)).rejects.toThrow(
      'The markup of the reservation is broken: it is no JSON from line 1 on.',
    )
    await expect(convert(script({ '@type': 'LodgingReservation' }), none)).rejects.toThrow(
      'a LodgingReservation says neither what is reserved nor when',
    )
  })

  test('every mail here has a test', () => {
    expect(readdirSync(folder).sort()).toEqual(
      [
        'broken',
        'bus',
        'flight-cancelled',
        'flight',
        'hotel',
        'newsletter',
        'package',
        'rental-car',
        'train-forwarded',
      ].map((name) => `${name}.eml`),
    )
  })
})

describe('minimal settings', () => {
  const passport = /X0000001|1984-02-29|2031-08-01/

  test('passport data is neither in the booking nor in the mail that is kept', async () => {
    const { booking, updatedRawSource, message } = await convert(mail('package'), none)
    expect(JSON.stringify(booking)).not.toMatch(passport)
    expect(String(updatedRawSource)).not.toMatch(passport)
    expect(message).toContain('Passport data was left out')
    const again = await convert(Buffer.from(String(updatedRawSource)), none)
    expect(again.booking).toEqual(booking)
    expect(again.updatedRawSource).toBeUndefined()
  })

  test('it is there when somebody wants it', async () => {
    const wanted = { ...none, include_passport_data: true }
    const { updatedRawSource } = await convert(mail('package'), wanted)
    expect(updatedRawSource).toBeUndefined()
    expect((await bookingOf(mail('package'), wanted)).participants).toMatchObject([
      { birthdate: '1984-02-29', passportCountry: 'CH', passportNumber: 'X0000001', passportExpiration: '2031-08-01' },
    ])
  })

  test('seats, memberships, remarks and tables in restaurants come on request only', async () => {
    expect(JSON.stringify(await bookingOf(mail('flight')))).not.toMatch(/ZX-100200|Seat/)
    const members = await bookingOf(mail('flight'), { include_travel_preferences: true })
    expect(members.participants).toMatchObject([
      { extendedProfileData: { memberships: [{ number: 'ZX-100200', program: 'Gipfelclub' }] } },
      { fullname: 'Jonas Beispiel' },
    ])
    const documents = members.travelservices?.[0]?.transportDocuments ?? []
    const [, jonas] = members.participants ?? []
    expect(documents.filter(({ transportDocumentType }) => transportDocumentType === 'EMD')).toHaveLength(6)
    expect(documents.find(({ description }) => description === 'Seat 14D')).toMatchObject({
      traveler: (jonas as { uuid: string }).uuid,
      parentReferenceNumber: '0742798225235',
    })
    const seated = await bookingOf(mail('train-forwarded'), { include_travel_preferences: true })
    expect(seated.travelservices?.[0]?.transportDocuments?.[2]).toMatchObject({ description: 'Coach 263, Seat 71' })
    const all = await bookingOf(mail('package'), { include_non_travel_data: true })
    expect(all.comment).toBe('Two bags of 23 kg.')
    expect(all.travelservices?.[2]).toMatchObject({
      travelServiceType: 'MISC',
      singleSegment: { serviceTypeCode: 'EVENT', startTime: '2027-09-03T19:30:00' },
    })
  })

  test('mails of other senders are discarded when the senders are named', async () => {
    const named = { ...none, senders: 'alpenflug.example, desk@exempelbahn.example' }
    expect((await convert(mail('flight'), named)).booking).toBeDefined()
    expect(await convert(mail('hotel'), named)).toMatchObject({ discard: true })
    expect(await convert(mail('train-forwarded'), named)).toMatchObject({ discard: true })
  })
})

describe('markup as senders write it', () => {
  test.each([
    ['a comment around it', `<!--\n${JSON.stringify(flight())}\n-->`],
    ['CDATA around it', `//<![CDATA[\n${JSON.stringify(flight())}\n//]]>`],
    ['a comma too many', JSON.stringify(flight()).replace('{', '{ "a": [1, 2, ],').replace(/\}$/, ', }')],
    ['line breaks in a text', JSON.stringify(flight()).replace('Mira Testfeld', 'Mira\nTestfeld')],
    ['entities', JSON.stringify(flight()).replaceAll('"', '&quot;')],
    ['a list in a list', JSON.stringify([[flight()]])],
    ['an order around it', JSON.stringify({ '@type': 'Order', acceptedOffer: { itemOffered: flight() } })],
    ['types as addresses', JSON.stringify({ ...flight(), '@type': ['http://schema.org/FlightReservation'] })],
  ])('%s', async (_what, text) => {
    const booking = await bookingOf(script(text))
    expect(booking).toMatchObject({ referenceNumber: 'AB1', participants: [{ fullname: 'Mira Testfeld' }] })
  })

  test('one that is broken beside a good one: the good one counts, and the mail is listed', async () => {
    const text = `<script type="application/ld+json">${JSON.stringify(flight())}</script>
      <script type="application/ld+json">{"@type": "LodgingReservation",</script>`
    const { booking, returnCode, message } = await convert(html(text), none)
    expect(booking?.travelservices).toHaveLength(1)
    expect(returnCode).toBe(999)
    expect(message).toContain('Missing: it is no JSON')
  })

  test('a time that is none is left out and named, without its value', async () => {
    const { booking, returnCode, message } = await convert(
      script(flight({}, { arrivalTime: 'late, 2027-02-30' })),
      none,
    )
    expect(booking?.travelservices?.[0]?.segmentedLegs?.[0]?.segments?.[0]).not.toHaveProperty('arrivaltime')
    expect([returnCode, message]).toEqual([
      999,
      'Read 1 FlightReservation. Missing: arrivalTime is no time such as 2027-03-04T20:15:00.',
    ])
  })

  test('repeated word by word it counts once; the same price everywhere is that of the whole, others are shares', async () => {
    const priced = (name: string, totalPrice: number) =>
      flight({ underName: { name }, ticketNumber: name, totalPrice, priceCurrency: 'JPY' })
    const total = async (...all: object[]) => (await bookingOf(script(all))).totalprice
    expect(await total(priced('A B', 301), priced('A B', 301), priced('C D', 301))).toBe(301)
    expect(await total(priced('A B', 300), priced('C D', 150))).toBe(450)
    const booking = await bookingOf(script([priced('A B', 301), priced('C D', 301)]))
    expect(booking.travelservices?.[0]?.transportDocuments).toMatchObject([
      { priceitems: [{ amount: 151 }] },
      { priceitems: [{ amount: 150 }] },
    ])
  })

  test('a segment is cancelled when it is so for all travellers', async () => {
    const cancelled = { reservationStatus: 'http://schema.org/ReservationCancelled' }
    const other = { underName: { name: 'Jonas Beispiel' } }
    const statuses = async (...all: object[]) => {
      const [service] = (await bookingOf(script(all))).travelservices ?? []
      return [service?.bookingstatus, service?.segmentedLegs?.[0]?.segments?.[0]?.bookingstatus]
    }
    expect(await statuses(flight(), flight({ ...cancelled, ...other }))).toEqual(['CONFIRMED', 'CONFIRMED'])
    expect(await statuses(flight({ ...cancelled }), flight({ ...other }))).toEqual(['CONFIRMED', 'CONFIRMED'])
    expect(await statuses(flight(cancelled), flight({ ...cancelled, ...other }))).toEqual(['CANCELED', 'CANCELED'])
  })

  test.each<[string | undefined, string]>([
    [undefined, 'CONFIRMED'],
    ['https://schema.org/ReservationConfirmed', 'CONFIRMED'],
    ['http://schema.org/Confirmed', 'CONFIRMED'],
    ['ReservationHold', 'OPTION'],
    ['http://schema.org/Pending', 'PROCESSING'],
    ['Cancelled', 'CANCELED'],
    ['constructor', 'UNDEFINED'],
  ])('status %s is %s', async (reservationStatus, expected) => {
    const booking = await bookingOf(script(flight({ reservationStatus })))
    expect(booking.travelservices?.[0]?.bookingstatus).toBe(expected)
  })

  test.each<[string, object | undefined]>([
    ['2027-03-04T20:15:00-08:00', { day: '2027-03-04', time: '2027-03-04T20:15:00', zone: '-08:00' }],
    ['2027-03-04T20:15Z', { day: '2027-03-04', time: '2027-03-04T20:15:00', zone: 'Z' }],
    ['2027-03-04 20:15:30.123+0100', { day: '2027-03-04', time: '2027-03-04T20:15:30', zone: '+0100' }],
    ['20270304T2015', { day: '2027-03-04', time: '2027-03-04T20:15:00' }],
    ['2027-03-04', { day: '2027-03-04' }],
    ['2027-02-29', undefined],
    ['2027-03-04T24:00', undefined],
    ['04.03.2027', undefined],
    ['', undefined],
  ])('the local part of %s', (text, expected) => {
    expect(localTimeOf(text)).toEqual(expected)
  })

  test.each<[string, number | undefined]>([
    ['1240.5', 1240.5],
    ["CHF 1'240.50", 1240.5],
    ['1.234,50 €', 1234.5],
    ['1,234.50', 1234.5],
    ['1,234', 1234],
    ['12,5', 12.5],
    ['1.234.567', 1234567],
    ['-20', -20],
    ['free', undefined],
  ])('the amount of %s', (text, expected) => {
    expect(amountOf(text)).toBe(expected)
  })
})

describe('hostile mails', () => {
  /** Every mail ends in a booking, a discard or an error of our own, in bounded time. */
  async function settles(raw: Uint8Array) {
    const started = performance.now()
    const result = await convert(raw, none).catch((error: unknown) => error)
    expect(performance.now() - started).toBeLessThan(60_000)
    if (!(result instanceof Error)) return result as Awaited<ReturnType<typeof convert>>
    expect(result.message).not.toMatch(/is not a function|undefined|call stack|Invalid array length/)
    return result
  }

  test.each<[string, () => Uint8Array]>([
    ['elements within each other', () => html('<b>'.repeat(1_000_000))],
    ['closing tags of nothing', () => html(`${'<i>'.repeat(900)}${'</b>'.repeat(300_000)}`)],
    ['items within each other', () => html('<div itemscope itemprop="a">'.repeat(150_000))],
    [
      'properties within each other',
      () => html(`<div itemscope>${'<b itemprop="x">text'.repeat(900)}${'y'.repeat(3e6)}`),
    ],
    ['attributes', () => html(`<p ${'a=b '.repeat(800_000)}>`)],
    ['a list of lists', () => script(`${'['.repeat(500_000)}${']'.repeat(500_000)} "Reservation"`)],
    ['things within things', () => script(`${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`)],
    [
      'many reservations',
      () => script(JSON.stringify(Array.from({ length: 5_000 }, (_, at) => flight({ reservationNumber: at })))),
    ],
    ['entities', () => html('&amp;&lt;&#x41;&bogus;'.repeat(200_000))],
    ['scripts that never end', () => html('<script type="application/ld+json">{"Reservation"'.repeat(60_000))],
    ['commas', () => script(`"Reservation"${','.repeat(2_000_000)}]`)],
    ['blanks in headers', () => html('', `Subject: ${' '.repeat(200_000)}x\r\n`)],
    ['lines', () => html('x\n'.repeat(1_000_000))],
    ['headers', () => html('', 'X-A: 1\r\n'.repeat(300_000))],
  ])('%s without end', async (_what, raw) => {
    await settles(raw())
  })

  test('multipart in multipart, and mails forwarded in mails', async () => {
    const nested = (depth: number): string =>
      depth === 0
        ? `Content-Type: text/html\r\n\r\n<p>x`
        : `Content-Type: multipart/mixed; boundary=b${depth}\r\n\r\n--b${depth}\r\n${nested(depth - 1)}\r\n--b${depth}--\r\n`
    expect(await settles(Buffer.from(nested(60)))).toBeInstanceOf(Error)
    expect(await settles(Buffer.from(nested(20)))).toMatchObject({ discard: true })
    const forwarded = 'Content-Type: message/rfc822\r\n\r\n'
    expect(await settles(Buffer.from(forwarded.repeat(20_000)))).toMatchObject({ message: /forwards more than/ })
  })

  test('things that hold each other, and one that holds itself', async () => {
    const graph = [
      { '@id': '#a', '@type': 'FlightReservation', reservationNumber: 'AB1', reservationFor: { '@id': '#b' } },
      { '@id': '#b', '@type': 'Flight', departureAirport: { '@id': '#b' }, name: { '@id': '#a' }, a: { '@id': '#a' } },
    ]
    await settles(script({ '@graph': graph }))
    const bomb = Array.from({ length: 60 }, (_, at) => ({
      '@id': `#${at}`,
      x: [{ '@id': `#${at + 1}` }, { '@id': `#${at + 1}` }],
    }))
    const passport = { underName: { name: 'Mira Testfeld', passportNumber: 'X1', more: { '@id': '#0' } } }
    const result = await settles(script({ '@graph': [...bomb, flight(passport)] }))
    expect(result).toMatchObject({ booking: { referenceNumber: 'AB1' } })
  })

  test('keys of prototypes are keys like any other', async () => {
    const text = JSON.stringify(flight()).replace(
      '{',
      '{"__proto__": {"reservationNumber": "EVIL", "polluted": 1}, "constructor": {"prototype": {"polluted": 1}},',
    )
    expect((await bookingOf(script(text))).referenceNumber).toBe('AB1')
    const item = `<div itemscope itemtype="https://schema.org/LodgingReservation"><i itemprop="__proto__ constructor">x</i>
      <i itemprop="reservationNumber">M1</i><i itemprop="checkinDate">2027-01-01</i></div>`
    expect((await bookingOf(html(item))).referenceNumber).toBe('M1')
    expect(({} as Record<string, unknown>).polluted).toBeUndefined()
  })

  test('texts are one line, bounded, and without what a database refuses', async () => {
    const name = `Mira\u0000\u202e\ud800 ${'Testfeld'.repeat(10_000)}`
    const [person] = (await bookingOf(script(flight({ underName: { name } })))).participants ?? []
    const { fullname = '' } = person as { fullname?: string }
    expect(fullname).toMatch(/^Mira .{0,2}Testfeld/)
    expect(fullname?.length).toBeLessThanOrEqual(500)
    expect(fullname).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
  })

  test.each(['utf-8', 'no-such-charset', 'utf-16', 'iso-2022-jp', 'x-user-defined', ''])(
    'a charset that is not the mail’s: %s',
    async (charset) => {
      const raw = Buffer.concat([
        Buffer.from(`From: a@b.example\r\nContent-Type: text/html; charset="${charset}"\r\n\r\n`),
        Buffer.from([0xff, 0xfe, 0x80, 0xe9]),
        Buffer.from(`<script type="application/ld+json">${JSON.stringify(flight())}</script>`, 'latin1'),
      ])
      await settles(raw)
    },
  )

  test('random bytes in real mails are a booking, a discard or an error with words', async () => {
    const names = ['flight', 'hotel', 'bus', 'train-forwarded', 'package']
    const change = fc.record({ at: fc.nat(), cut: fc.nat({ max: 40 }), put: fc.uint8Array({ maxLength: 20 }) })
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.array(change, { minLength: 1, maxLength: 8 }),
        async (name, changes) => {
          let raw = mail(name)
          for (const { at, cut, put } of changes) {
            const from = at % raw.length
            raw = Buffer.concat([raw.subarray(0, from), put, raw.subarray(from + cut)])
          }
          const result = await settles(raw)
          if (!(result instanceof Error) && result.booking) parseBooking(JSON.parse(JSON.stringify(result.booking)))
        },
      ),
      { numRuns: 150 },
    )
  })

  test('random values in place of any property are a booking that parser and schema take, or none', async () => {
    const keys = ['reservationNumber', 'underName', 'reservationStatus', 'totalPrice', 'priceCurrency', 'ticketNumber', 'airplaneSeat', 'reservationFor', 'reservedTicket', 'programMembership', 'bookingTime', '@type', '@id'] // biome-ignore format: one list
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.constantFrom(...keys), fc.jsonValue()),
        fc.dictionary(
          fc.constantFrom('flightNumber', 'departureAirport', 'departureTime', 'airline', 'arrivalTime'),
          fc.jsonValue(),
        ),
        async (more, trip) => {
          const result = await settles(script(flight(more, trip)))
          if (result instanceof Error || !result.booking) return
          const sent = JSON.parse(JSON.stringify(result.booking))
          parseBooking(sent)
          expect(followsSchema(sent) ? [] : followsSchema.errors).toEqual([])
        },
      ),
      { numRuns: 300 },
    )
  })

  test('any text is JSON, or broken with a line and no quotation', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        try {
          parseLoosely(text)
        } catch (error) {
          expect(error).toBeInstanceOf(BrokenJson)
          expect((error as Error).message).toMatch(/^it is no JSON from line \d+ on$/)
        }
      }),
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.stringify(parseLoosely(JSON.stringify(value)))).toBe(JSON.stringify(value))
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => void readMarkup(`<p itemscope ${text}><b itemprop=a>${text}</p>`)))
  })
})

describe('as a package', () => {
  const root = path.join(shippedFolder, 'confirmation-mail')
  let sandboxes: SandboxPool
  let whole: Awaited<ReturnType<typeof bundleConnector>>
  beforeAll(async () => {
    sandboxes = createSandboxPool({ maxProcesses: 1 })
    whole = await bundleConnector(root)
  })
  afterAll(() => sandboxes.close())

  test('it keeps every rule for connectors, and names no host of its own', async () => {
    const findings = await checkConnector(root, sandboxes)
    expect(findings.filter(({ fault }) => fault !== undefined)).toEqual([])
    const { manifest, locales, logo, license } = whole
    expect(manifest.permissions).toEqual(['mailbox', { setting: 'host' }])
    expect(license).toBe('Apache-2.0 AND MIT-0 AND MIT AND BSD-2-Clause')
    expect(logo).toMatch(/^data:image\/png;base64,/)
    expect(Object.keys(locales.de?.texts ?? {})).toEqual(Object.keys(locales.en?.texts ?? {}))
    const readme = await readFile(path.join(root, 'README.md'), 'utf8')
    for (const { key, type } of manifest.settings) {
      expect(locales.de?.settings[key]?.label).toMatch(/^[A-ZÄÖÜ]/)
      if (type !== 'INTERNAL') expect(readme).toContain(`\`${key}\``)
    }
  }, 120_000)

  test('in the sandbox a mail of five megabytes ends with words, within its memory and time', async () => {
    const { bundle } = whole
    const call = (raw: Uint8Array) =>
      sandboxes.run({
        key: 'mail',
        bundle,
        method: 'convertRawSource',
        parameters: [raw],
        input: { settings: {}, state: {} },
        timeoutMs: 60_000,
        host: { call: async () => null, log: () => undefined },
      })
    expect(await call(mail('train-forwarded'))).toMatchObject({ value: { booking: { referenceNumber: 'QX7T2M' } } })
    const head = 'From: a@b.example\r\nContent-Type: text/html\r\n\r\n'
    const open = '<script type="application/ld+json">"Reservation"'
    for (const unit of ['<b>', '</b>', 'x\n', '&amp;', '<i itemscope itemprop="a">', `${open}[`, '<p a="', open]) {
      const times = Math.floor((5 * 1024 * 1024 - 500) / unit.length)
      const outcome = await call(Buffer.from(`${head}${unit.repeat(times)}`))
      expect(outcome.ok ? 'returned' : outcome.failure, unit).toMatch(/^(?:returned|threw)$/)
    }
    const deep = `${head}${open}${'['.repeat(2_500_000)}${']'.repeat(2_500_000)}</script>`
    expect(await call(Buffer.from(deep))).toMatchObject({
      failure: 'threw',
      message: expect.stringMatching(/more than/),
    })
  }, 180_000)
})

test('the libraries that lie in the package are the ones that npm has', async () => {
  const { makeVendored } = await import('../../connectors/confirmation-mail/vendor/make.mjs' as string)
  for (const [name, text] of Object.entries(await makeVendored())) {
    expect(await readFile(path.join(shippedFolder, 'confirmation-mail/vendor', name), 'utf8')).toBe(text)
  }
})
