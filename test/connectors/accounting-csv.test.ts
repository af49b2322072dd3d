/** What the accounting connector computes, without a server. */
import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { csvOf } from '../../connectors/accounting-csv/csv.ts'
import { amountOf, sum, written } from '../../connectors/accounting-csv/money.ts'
import { postingsOf } from '../../connectors/accounting-csv/postings.ts'

describe('sums', () => {
  const sumsOf = (data: object) =>
    postingsOf(data, 'booking').map(({ sums }) =>
      Object.fromEntries(
        [...sums].map(([currency, { amount, paid }]) => [
          currency,
          [written(amount, currency, 'point'), written(paid, currency, 'point')],
        ]),
      ),
    )
  const price = (amount: number, more: object = {}) => ({ priceItemType: 'DEFAULT', currency: 'CHF', amount, ...more })

  test('count each price once, wherever it is written again', () => {
    const uuid = '7f1f1c7c-6b52-4f1b-9f4a-000000000001'
    const once = { referenceNumber: 'a', travelservices: [{ priceitems: [price(10, { uuid }), price(5), price(5)] }] }
    expect(sumsOf({ ...once, priceitems: [uuid, price(10, { uuid }), price(5), price(5), price(1)] })).toEqual([
      { CHF: ['21.00', '0.00'] },
    ])
    expect(sumsOf(once)).toEqual([{ CHF: ['20.00', '0.00'] }])
  })

  test('leave out what is paid on the spot, and take the total where there are no prices', () => {
    const onsite = price(7, { priceItemType: 'ONSITE' })
    expect(sumsOf({ priceitems: [onsite, price(1)], onsitePriceitems: [price(9)] })).toEqual([
      { CHF: ['1.00', '0.00'] },
    ])
    expect(sumsOf({ totalprice: 1000, totalpricecurrency: 'JPY' })).toEqual([{ JPY: ['1000', '0'] }])
    expect(sumsOf({ referenceNumber: 'deleted' })).toEqual([{}])
  })

  test('are by currency, with its digits, and by booking of a trip', () => {
    const mixed = {
      priceitems: [price(1.5), price(2, { currency: 'KWD' })],
      payments: [{ currency: 'JPY', amount: 300 }],
    }
    expect(sumsOf({ bookings: [mixed, { priceitems: [price(-0.05)] }] })).toEqual([
      { CHF: ['1.50', '0.00'], KWD: ['2.000', '0.000'], JPY: ['0', '300'] },
      { CHF: ['-0.05', '0.00'] },
    ])
  })

  test('are exact', () => {
    const total = [0.1, 0.2, 1e-3, 373.25].map((value) => amountOf(value) ?? expect.unreachable()).reduce(sum)
    expect(written(total, 'CHF', 'point')).toBe('373.551')
    expect(written(total, 'CHF', 'minor')).toBe('37355.1')
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -1e9, max: 1e9 }), { minLength: 1 }), (cents) => {
        const summed = cents.map((each) => amountOf(each / 100) ?? expect.unreachable()).reduce(sum)
        expect(written(summed, 'EUR', 'minor')).toBe(String(cents.reduce((a, b) => a + b, 0)).replace(/^-0$/, '0'))
      }),
    )
    for (const none of [Number.NaN, Number.POSITIVE_INFINITY, 1e300, '5', null]) expect(amountOf(none)).toBeUndefined()
  })

  test('come of anything at all without a fault', () => {
    fc.assert(
      fc.property(fc.anything(), fc.constantFrom('booking' as const, 'application' as const), (data, kind) => {
        expect(postingsOf(data, kind).length).toBeGreaterThan(0)
      }),
    )
  })
})

describe('CSV', () => {
  test.each([
    ['=1+1', "'=1+1"],
    ['  @SUM(A1)', "'@SUM(A1)"],
    ['-2', "'-2"],
    ['+44 20', "'+44 20"],
    ['\t=cmd', "'=cmd"],
    ['|calc', "'|calc"],
    ['＝1', "'＝1"],
    ['a "b", c', '"a ""b"", c"'],
    ['two\r\nlines', 'two lines'],
    ['ordinary', 'ordinary'],
  ])('the text %j is written %j', (given, expected) => expect(csvOf([[given]], ',')).toBe(`${expected}\r\n`))

  test('numbers stay numbers', () =>
    expect(csvOf([[{ number: '-1.50' }, { number: '1,5' }]], ',')).toBe('-1.50,"1,5"\r\n'))

  test('is read by another library as it was meant, and never as a formula', () => {
    const text = fc.string({ unit: 'binary', maxLength: 30 })
    fc.assert(
      fc.property(
        fc.array(fc.tuple(text, text), { minLength: 1 }),
        fc.constantFrom(',', ';', '\t'),
        (rows, delimiter) => {
          const content = csvOf([['title', 'other'], ...rows], delimiter)
          const read = parse(content, { delimiter, relax_column_count: false }) as string[][]
          expect(read).toHaveLength(rows.length + 1)
          for (const cell of read.flat()) expect(cell).not.toMatch(/^[=+\-@|\t\r]/)
        },
      ),
    )
  })
})
