import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type ChainInput, runChain } from './settling-chain.ts'

type Content = Readonly<Record<string, number>>
interface Modifier {
  readonly id: string
  readonly change: (content: Content) => Content | undefined
}

const print = (content: unknown) => JSON.stringify(Object.entries(content as Content).sort())

const chain = (content: Content, modifiers: readonly Modifier[], more: Partial<ChainInput<Modifier>> = {}) =>
  runChain<Modifier>({
    content,
    modifiers,
    upToDate: new Set(),
    fingerprint: print,
    modify: async (modifier, each) => modifier.change(each as Content),
    ...more,
  })
const sets = (id: string, values: Content): Modifier => ({ id, change: (content) => ({ ...content, ...values }) })
const adds = (id: string, key: string): Modifier => ({
  id,
  change: (content) => ({ ...content, [key]: (content[key] ?? 0) + 1 }),
})

describe('a chain of modifiers', () => {
  it('ends at once when nobody changes anything, also when they return what is there', async () => {
    const result = await chain({ a: 1 }, [{ id: 'x', change: () => undefined }, sets('y', { a: 1 })])
    expect(result).toEqual({ content: { a: 1 }, changes: [], loop: null })
  })

  it('asks in order, and asks again whoever has not seen the last change', async () => {
    const asked: string[] = []
    const note = (modifier: Modifier): Modifier => ({
      id: modifier.id,
      change: (content) => {
        asked.push(`${modifier.id} ${JSON.stringify(content)}`)
        return modifier.change(content)
      },
    })
    const result = await chain({}, [sets('x', { a: 1 }), sets('y', { b: 1 })].map(note))
    expect(asked).toEqual(['x {}', 'y {"a":1}', 'x {"a":1,"b":1}'])
    expect(result.content).toEqual({ a: 1, b: 1 })
    expect(result.changes.map(({ modifier }) => modifier.id)).toEqual(['x', 'y'])
    expect(result.loop).toBeNull()
  })

  it('does not ask a modifier about its own change', async () => {
    const result = await chain({}, [adds('x', 'a')])
    expect(result.content).toEqual({ a: 1 })
    const own = await chain({}, [adds('x', 'a')], { upToDate: new Set(['x']) })
    expect(own.changes).toEqual([])
  })

  it('asks the author of the present revision when another has changed it', async () => {
    const result = await chain({}, [adds('x', 'a'), sets('y', { b: 1 })], { upToDate: new Set(['x']) })
    expect(result.content).toEqual({ a: 1, b: 1 })
  })

  it('is cut when a change brings back what was there, which is not taken', async () => {
    const result = await chain({ a: 0 }, [sets('x', { a: 1 }), sets('y', { a: 2 })])
    expect(result.content).toEqual({ a: 2 })
    expect(result.loop?.reason).toBe('repeated')
    expect(result.loop?.modifiers.map(({ id }) => id)).toEqual(['x', 'y'])
  })

  it('is cut after the most rounds, when modifiers never come to an end', async () => {
    const result = await chain({}, [adds('x', 'a'), adds('y', 'b')], { maxRounds: 10 })
    expect(result.loop?.reason).toBe('rounds')
    expect(result.content).toEqual({ a: 10, b: 10 })
  })
})

it('whatever modifiers do, a chain ends with the last change that it took, each different from all before', async () => {
  const modifier = fc.record({
    id: fc.constantFrom('a', 'b', 'c', 'd'),
    key: fc.constantFrom('x', 'y'),
    kind: fc.constantFrom('set', 'add', 'toggle', 'drop', 'none', 'same'),
    value: fc.integer({ min: 0, max: 3 }),
  })
  const changeOf = ({ key, kind, value }: { key: string; kind: string; value: number }) => {
    return (content: Content): Content | undefined => {
      const { [key]: old = 0, ...rest } = content
      if (kind === 'set') return { ...rest, [key]: value }
      if (kind === 'add') return { ...rest, [key]: old + 1 }
      if (kind === 'toggle') return { ...rest, [key]: old === 0 ? 1 : 0 }
      if (kind === 'drop') return rest
      return kind === 'same' ? { ...content } : undefined
    }
  }
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(modifier, { selector: ({ id }) => id, maxLength: 4 }),
      fc.integer({ min: 1, max: 6 }),
      async (described, maxRounds) => {
        let calls = 0
        const modifiers = described.map((each) => ({ id: each.id, change: changeOf(each) }))
        const start = { x: 0 }
        const { content, changes, loop } = await chain(start, modifiers, {
          maxRounds,
          modify: async (each, present) => {
            calls += 1
            return each.change(present as Content)
          },
        })
        expect(calls).toBeLessThanOrEqual(maxRounds * modifiers.length)
        expect(content).toEqual(changes.at(-1)?.content ?? start)
        const all = [start, ...changes.map((change) => change.content)].map(print)
        expect(new Set(all).size).toBe(all.length)
        for (const [place, { modifier: maker }] of changes.entries()) {
          expect(changes[place - 1]?.modifier.id).not.toBe(maker.id)
        }
        // Settled means: nobody but the maker of the last change would change it further.
        const wanting = modifiers.filter(({ id, change }) => {
          const wanted = change(content as Content)
          return wanted && print(wanted) !== print(content) && changes.at(-1)?.modifier.id !== id
        })
        if (loop === null) expect(wanting).toEqual([])
      },
    ),
    { numRuns: 300 },
  )
})
