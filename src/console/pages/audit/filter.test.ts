import { expect, it } from 'vitest'
import { conditionOf, fromOf, narrows, placeText, readFilter } from './filter.ts'

const team = 'b7ff3e5e-0000-4000-8000-000000000001'
const id = '0193a1c2-5d6e-7f80-9123-456789abcdef'
const now = Date.parse('2026-11-22T12:00:00Z')
const filterOf = (address: string) => readFilter(new URLSearchParams(address))
const conditionFor = (address: string) => conditionOf({ _eq: team }, filterOf(address), now)

it('an address without anything is the whole log of the team', () => {
  expect(conditionFor('')).toEqual({ _and: [{ team_id: { _eq: team } }] })
  expect(narrows(filterOf(''))).toBe(false)
})

it('every choice narrows the list', () => {
  expect(conditionFor(`actor=${id}&operation=submit_&outcome=refused&session=${id}&since=day`)).toEqual({
    _and: [
      { team_id: { _eq: team } },
      { actor_id: { _eq: id } },
      { operation: { _ilike: '%submit\\_%' } },
      { outcome: { _eq: 'refused' } },
      { session_ids: { _contains: [id] } },
      { at: { _gte: '2026-11-21T12:00:00.000Z' } },
    ],
  })
  expect(conditionFor('actor=person')).toMatchObject({ _and: [{}, { actor_kind: { _eq: 'person' } }] })
})

it('what an address cannot mean is passed over', () => {
  expect(conditionFor('outcome=perhaps&since=ages&before=z&session=x')).toEqual(conditionFor(''))
})

it('a page goes on after the last entry of the one before, also where two have the same time', () => {
  const place = { at: '2026-11-22T10:00:00.123+00:00', id }
  const address = new URLSearchParams({ before: placeText(place) })
  expect(readFilter(address).before).toEqual(place)
  expect(conditionOf({ _eq: team }, readFilter(address), now)).toMatchObject({
    _and: [{}, { _or: [{ at: { _lt: place.at } }, { at: { _eq: place.at }, id: { _lt: id } }] }],
  })
})

it('an export begins where the chosen span does', () => {
  expect(fromOf(filterOf('since=hour'), now)).toBe('2026-11-22T11:00:00.000Z')
  expect(fromOf(filterOf(''), now)).toBeNull()
})
