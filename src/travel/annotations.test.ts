import { expect, test } from 'vitest'
import { annotationsOf } from './annotations.ts'
import type { Booking } from './model.ts'

const ids = {
  booking: '10000000-0000-4000-8000-000000000001',
  service: '20000000-0000-4000-8000-000000000002',
  leg: '30000000-0000-4000-8000-000000000003',
  segment: 'c8ec4565-d7d1-4c48-8ff7-a5eac3a5778f',
  stay: '50000000-0000-4000-8000-000000000005',
  traveler: '60000000-0000-4000-8000-000000000006',
}
const booking: Booking = {
  uuid: ids.booking,
  travelservices: [
    {
      uuid: ids.service,
      travelServiceType: 'FLIGHT',
      segmentedLegs: [{ uuid: ids.leg, segments: [{ uuid: ids.segment }] }],
      singleSegment: { uuid: ids.stay },
    },
  ],
  participants: [ids.traveler, { uuid: null }],
}
const node = (more: object = {}) => ({
  contextType: 'SEGMENT',
  contextUuid: ids.segment,
  labelKey: 'myextension.label1',
  valueType: 'STRING',
  value: 'This segment was verified',
  ...more,
})
const read = (...ui: unknown[]) => annotationsOf({ 'org.example.a': { ui } }, { booking })

test('there may be nothing to show', () => {
  for (const nothing of [
    null,
    undefined,
    {},
    { a: null },
    { a: 7 },
    { a: { lastExecution: 'x' } },
    { a: { ui: null } },
    { a: { ui: [] } },
  ]) {
    expect(annotationsOf(nothing)).toEqual({ annotations: [], problems: [] })
  }
})

test('annotations of all connectors are read, with whose they are and what else they say', () => {
  const { annotations, problems } = annotationsOf(
    { 'org.example.a': { state: 1, ui: [node({ color: 'red' })] }, 'org.example.b': { ui: [node({ labelKey: 'b' })] } },
    { booking },
  )
  expect(problems).toEqual([])
  expect(annotations).toEqual([
    { connector: 'org.example.a', ...node({ color: 'red' }) },
    { connector: 'org.example.b', ...node({ labelKey: 'b' }) },
  ])
})

test.each([
  ['BOOKING', ids.booking],
  ['SERVICE', ids.service],
  ['LEG', ids.leg],
  ['SEGMENT', ids.segment],
  ['SEGMENT', ids.stay],
  ['SEGMENT', ids.segment.toUpperCase()],
  ['TRAVELER', ids.traveler],
])('a %s is found by its uuid', (contextType, contextUuid) => {
  expect(read(node({ contextType, contextUuid })).problems).toEqual([])
})

test('the uuid of something else, or of nothing here, is reported', () => {
  expect(read(node({ contextType: 'LEG' })).problems).toEqual([
    {
      path: '/org.example.a/ui/0/contextUuid',
      keyword: 'reference',
      message: 'must be the uuid of a LEG of this booking',
    },
  ])
  const session = '70000000-0000-4000-8000-000000000007'
  const extensionData = { a: { ui: [node({ contextType: 'BOOKING', contextUuid: session })] } }
  expect(annotationsOf(extensionData, { booking }).problems).toHaveLength(1)
  expect(annotationsOf(extensionData, { booking, bookingUuids: [session] }).problems).toEqual([])
  expect(annotationsOf(extensionData).problems).toEqual([])
})

test.each<[string, unknown]>([
  ['STRING', ''],
  ['DATE', '2019-04-19'],
  ['INT', -7],
  ['BOOLEAN', false],
])('a %s may be %j', (valueType, value) => {
  expect(read(node({ valueType, value })).annotations).toHaveLength(1)
})

test.each<[string, unknown, string]>([
  ['STRING', 7, 'must be a text, as valueType is STRING'],
  ['STRING', null, 'must be a text, as valueType is STRING'],
  ['DATE', '2019-02-29', 'must be a date like 2019-04-19, as valueType is DATE'],
  ['DATE', '2019-04-19T00:00:00Z', 'must be a date like 2019-04-19, as valueType is DATE'],
  ['INT', 1.5, 'must be a whole number, as valueType is INT'],
  ['INT', '12', 'must be a whole number, as valueType is INT'],
  ['BOOLEAN', 'true', 'must be true or false, as valueType is BOOLEAN'],
])('a %s that is %j is reported', (valueType, value, message) => {
  const { annotations, problems } = read(node({ valueType, value }))
  expect(annotations).toEqual([])
  expect(problems).toEqual([{ path: '/org.example.a/ui/0/value', keyword: 'rule', message }])
})

test.each<[string, unknown, string, string]>([
  ['no object', 'hello', '', 'must be an object'],
  [
    'an unknown context',
    node({ contextType: 'HOTEL' }),
    '/contextType',
    'must be one of "BOOKING", "SERVICE", "SEGMENT", "LEG", "TRAVELER"',
  ],
  ['no context', node({ contextUuid: undefined }), '/contextUuid', 'is missing; it must be a text'],
  ['a context that is no UUID', node({ contextUuid: 'seg-1' }), '/contextUuid', 'must be the UUID of what it is about'],
  ['a blank label', node({ labelKey: ' ' }), '/labelKey', 'must be a key that getLabelForKey knows'],
  ['an unknown type', node({ valueType: 'FLOAT' }), '/valueType', 'must be one of "STRING", "DATE", "INT", "BOOLEAN"'],
])('%s is reported and hides no other', (_, wrong, path, message) => {
  const { annotations, problems } = read(node(), wrong, node())
  expect(annotations).toHaveLength(2)
  expect(problems).toEqual([expect.objectContaining({ path: `/org.example.a/ui/1${path}`, message })])
})

test('a list that is none is reported, and so is data that is no object', () => {
  expect(annotationsOf({ 'a/b': { ui: {} } }).problems).toEqual([
    { path: '/a~1b/ui', keyword: 'type', message: 'must be a list' },
  ])
  expect(annotationsOf([1]).problems).toEqual([{ path: '', keyword: 'type', message: 'must be an object' }])
})

test('many problems are told in part', () => {
  expect(read(...Array.from({ length: 80 }, () => 7)).problems.at(-1)?.message).toBe('and 30 more problems')
})
