/** Random modifiers, random updates meanwhile, two engines: whatever happens, it ends, and nothing is lost or told twice. */
import { setTimeout as pause } from 'node:timers/promises'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { until } from '../delivery/deliveries.fixture.ts'
import { settlingGround } from './settling.fixture.ts'

let ground: Awaited<ReturnType<typeof settlingGround>>
beforeAll(async () => {
  ground = await settlingGround()
})
afterAll(() => ground?.close())

const behaviour = fc.record({
  kind: fc.constantFrom('set', 'add', 'none', 'same', 'fail'),
  key: fc.constantFrom('x', 'y'),
  value: fc.integer({ min: 0, max: 2 }),
  waitMs: fc.integer({ min: 0, max: 4 }),
})

it('settles', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(behaviour, { maxLength: 3 }),
      fc.array(fc.integer({ min: 0, max: 8 }), { maxLength: 4 }),
      async (behaviours, updates) => {
        for (const { kind, key, value, waitMs } of behaviours) {
          await ground.modifier(async (data) => {
            await pause(waitMs)
            if (kind === 'fail') throw new Error('No.')
            if (kind === 'set') return { ...data, [key]: value }
            if (kind === 'add') return { ...data, [key]: Number(data[key] ?? 0) + 1 }
            return kind === 'same' ? data : undefined
          })
        }
        ground.engine({ retryMs: [1] })
        ground.engine({ retryMs: [1] })
        const { id } = await ground.submit({ from: 'source', update: -1 })
        await Promise.all(
          updates.map(async (waitMs, update) => {
            await pause(waitMs)
            await ground.update(id, { from: 'source', update })
          }),
        )
        const session = await until(
          () => ground.session(id),
          (each) => each?.settling === false,
        )
        const [revisions, events] = [await ground.revisions(id), await ground.events(id)]
        expect(session?.status).toBe('submitted')
        expect(revisions.map(({ revision }) => revision)).toEqual(revisions.map((_, at) => at + 1))
        expect(session).toMatchObject({ revision: revisions.length, data: revisions.at(-1)?.data })
        // Every update is there as it was written, and none twice.
        const written = revisions
          .filter(({ author_kind }) => author_kind === 'credential')
          .map(({ data }) => data.update)
        expect(written.toSorted()).toEqual([-1, ...updates.keys()].toSorted())
        // The first is of the submission; each tells of a later revision than the one before, the last of what there is.
        expect(events.map(({ type }) => type)).toEqual(
          events.map((_, at) => (at === 0 ? 'session.submitted' : 'session.updated')),
        )
        const told = events.map(({ revision }) => revision)
        expect(told).toEqual([...new Set(told)].toSorted((a, b) => a - b))
        expect(told.at(-1)).toBe(revisions.length)
        await ground.reset()
      },
    ),
    { numRuns: 25, endOnFailure: true },
  )
}, 60_000)
