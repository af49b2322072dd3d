import { expect, it } from 'vitest'
import type { AuditRow, DeliveryRow, GrantRow, RunRow, SessionFacts } from './queries.ts'
import { lastEnd, type Story, storyOf } from './timeline.ts'

const at = (minute: number) => `2026-11-22T10:${String(minute).padStart(2, '0')}:00.000+00:00`
const grant = (id: string, changes: Partial<GrantRow> = {}): GrantRow => ({
  id,
  integration_id: `of ${id}`,
  created_at: at(0),
  expires_at: at(30),
  first_retrieved_at: null,
  revoked_at: null,
  purged_at: null,
  integration: { id: `of ${id}`, name: id },
  ...changes,
})
const session = (changes: Partial<SessionFacts> = {}): SessionFacts => ({
  id: 's',
  kind: 'application',
  status: 'submitted',
  payment_id: null,
  schema_url: null,
  config: {},
  revision: 1,
  submitted_at: at(0),
  expires_at: at(59),
  purged_at: null,
  flow: null,
  grants: [],
  files: [],
  trip: null,
  ...changes,
})
const delivery = { id: 'd', created_at: at(0), status: 'succeeded', attempt_count: 1 } as DeliveryRow
const run = (id: string, delivery_id: string | null) =>
  ({ id, delivery_id, started_at: at(1), method: 'consume' }) as RunRow
const audit = (id: string, minute: number, actor_id = 'a') =>
  ({ id, at: at(minute), actor_kind: 'credential', actor_id, operation: 'query', outcome: 'granted' }) as AuditRow
const types = (story: Story) => storyOf(story).map(({ type }) => type)
const nothing = { events: [], revisions: [], deliveries: [], connector_runs: [] }

it('of one moment, what led to the other comes first, and what will be comes last', () => {
  const history = {
    ...nothing,
    events: [{ id: 'e', type: 'session.submitted', created_at: at(0), revision: 1 }],
    deliveries: [delivery],
  }
  expect(types({ session: session({ grants: [grant('g')] }), history })).toEqual([
    'submitted',
    'opened',
    'event',
    'delivery',
    'expires',
  ])
})

it('runs of a delivery are told with it, others by themselves', () => {
  const history = {
    ...nothing,
    deliveries: [delivery],
    connector_runs: [run('with', 'd'), run('alone', null), run('older', 'x')],
  }
  const story = storyOf({ session: session(), history })
  const told = story.find((entry) => entry.type === 'delivery')
  expect(told?.type === 'delivery' && told.runs.map(({ id }) => id)).toEqual(['with'])
  expect(story.flatMap((entry) => (entry.type === 'run' ? [entry.run.id] : []))).toEqual(['alone', 'older'])
})

it('each revision has its own author and time, also the present one', () => {
  const revisions = [{ id: 'r', revision: 1, author_kind: 'credential', author_id: 'c', created_at: at(0) }]
  const editor = {
    id: 's',
    problems: null,
    author_kind: 'connection',
    author_id: 'x',
    revised_at: at(9),
    purge_reason: null,
  }
  const story = storyOf({ session: session({ revision: 2 }), editor, history: { ...nothing, revisions } })
  expect(story.filter(({ group }) => group === 'intake')).toMatchObject([
    { type: 'submitted', author: { kind: 'credential', id: 'c' } },
    { type: 'revised', revision: 2, at: at(9), author: { kind: 'connection', id: 'x' } },
  ])
})

it('who reads again and again is told once, with how often and since when', () => {
  const story = storyOf({
    session: session(),
    audit: [audit('3', 9), audit('1', 2), audit('2', 4), audit('4', 5, 'b')],
  })
  expect(story.filter(({ type }) => type === 'audit')).toMatchObject([
    { at: at(5), times: 1 },
    { at: at(9), times: 3, since: at(2) },
  ])
})

it('the data is erased with the last grant that opens it', () => {
  const grants = [grant('a'), grant('b', { expires_at: at(40) }), grant('c', { expires_at: at(50), revoked_at: at(1) })]
  expect(lastEnd(session({ grants }))).toBe(at(40))
  expect(lastEnd(session())).toBe(at(59))
})

it('a purged session ends with its purge, and has nothing ahead', () => {
  const story = storyOf({ session: session({ status: 'purged', purged_at: at(20), grants: [grant('g')] }) })
  expect(story.at(-1)).toMatchObject({ type: 'purged', at: at(20) })
  expect(story.some(({ isAhead }) => isAhead)).toBe(false)
})
