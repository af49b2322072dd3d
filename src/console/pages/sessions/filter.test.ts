import { expect, it } from 'vitest'
import { conditionOf, idRange, narrows, placeText, readFilter } from './filter.ts'

const team = 'b7ff3e5e-0000-4000-8000-000000000001'
const id = '0193a1c2-5d6e-7f80-9123-456789abcdef'
const now = Date.parse('2026-11-22T12:00:00Z')
const conditionFor = (address: string) => conditionOf(team, readFilter(new URLSearchParams(address)), now)

it('an address without anything is the whole list of the team', () => {
  expect(conditionFor('')).toEqual({ _and: [{ team_id: { _eq: team } }] })
  expect(narrows(readFilter(new URLSearchParams('')))).toBe(false)
})

it('every choice narrows the list', () => {
  expect(conditionFor(`flow=${id}&status=invalid&kind=booking&since=day`)).toEqual({
    _and: [
      { team_id: { _eq: team } },
      { flow_id: { _eq: id } },
      { status: { _eq: 'invalid' } },
      { kind: { _eq: 'booking' } },
      { submitted_at: { _gte: '2026-11-21T12:00:00.000Z' } },
    ],
  })
})

it('what an address cannot mean is passed over', () => {
  expect(conditionFor('flow=x&status=gone&kind=y&since=ages&before=z')).toEqual(conditionFor(''))
})

it('the beginning of an id finds those that begin so', () => {
  expect(idRange('0193A1C2…')).toEqual(['0193a1c2-0000-0000-0000-000000000000', '0193a1c2-ffff-ffff-ffff-ffffffffffff'])
  expect(idRange(id)).toEqual([id, id])
  expect(idRange('pay-1')).toBeNull()
  expect(idRange('abc')).toBeNull()
})

it('signs of patterns in a search are taken as they are', () => {
  expect(conditionFor('q=50%25_')).toMatchObject({ _and: [{}, { payment_id: { _like: '50\\%\\_%' } }] })
})

it('a page goes on after the last row of the one before, also where two have the same time', () => {
  const place = { submitted_at: '2026-11-22T10:00:00.123+00:00', id }
  const address = new URLSearchParams({ before: placeText(place) }).toString()
  expect(readFilter(new URLSearchParams(address)).before).toEqual(place)
  expect(conditionFor(address)).toMatchObject({
    _and: [
      {},
      {
        _or: [
          { submitted_at: { _lt: place.submitted_at } },
          { submitted_at: { _eq: place.submitted_at }, id: { _lt: id } },
        ],
      },
    ],
  })
})
