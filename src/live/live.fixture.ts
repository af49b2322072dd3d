/** Random rows and predicates over a small table, dense enough that they often meet. */
import fc from 'fast-check'
import { operatorsOf, type Predicate, parsePredicate, type Shape } from '../tables/predicate.ts'

export const columns = {
  id: { type: 'uuid', list: false },
  team_id: { type: 'uuid', list: false },
  status: { type: 'text', list: false },
  count: { type: 'int4', list: false },
  open: { type: 'bool', list: false },
  tags: { type: 'text', list: true },
} as const

const uuids = [
  '0198f000-0000-7000-8000-00000000000a',
  '0198f000-0000-7000-8000-00000000000b',
  '0198F000-0000-7000-8000-00000000000A',
]
const texts = ['submitted', 'invalid', '', 'ab', 'é', '%']
const valuesOf: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  uuid: fc.constantFrom(...uuids),
  text: fc.constantFrom(...texts),
  int4: fc.integer({ min: -1, max: 2 }),
  bool: fc.boolean(),
}

const shape: Shape = {
  name: 'things',
  columns: new Map(Object.entries(columns)),
  relations: new Map([['others', () => shape]]),
}

export const aRow: fc.Arbitrary<Readonly<Record<string, unknown>>> = fc.record(
  Object.fromEntries(
    Object.entries(columns).map(([name, { type, list }]) => {
      const one = valuesOf[type] as fc.Arbitrary<unknown>
      return [name, fc.option(list ? fc.array(one, { maxLength: 2 }) : one, { freq: 5 })]
    }),
  ),
)

const comparison = fc.constantFrom(...Object.entries(columns)).chain(([name, column]) =>
  fc.constantFrom(...operatorsOf(column)).chain((operator) => {
    const one = valuesOf[column.type] as fc.Arbitrary<unknown>
    const operand =
      operator === '_is_null'
        ? fc.boolean()
        : column.list || operator === '_in' || operator === '_nin'
          ? fc.array(one, { maxLength: 3 })
          : operator.includes('similar') || operator.includes('regex')
            ? fc.constantFrom('ab', 'a.', 'b+', '')
            : one
    return operand.map((right) => ({ [name]: { [operator]: right } }))
  }),
)
const expression = fc.letrec((tie) => ({
  one: fc.oneof(
    { depthSize: 'medium', maxDepth: 4 },
    { weight: 4, arbitrary: comparison },
    fc.array(tie('one'), { maxLength: 3 }).map((of) => ({ _and: of })),
    fc.array(tie('one'), { maxLength: 3 }).map((of) => ({ _or: of })),
    tie('one').map((of) => ({ _not: of })),
    tie('one').map((of) => ({ others: of })),
  ),
})).one

export const aPredicate: fc.Arbitrary<Predicate> = expression.map((input) => parsePredicate(input, shape))

/** An equality beside something else, as most live queries have one. */
export const aRoutedPredicate: fc.Arbitrary<Predicate> = fc.oneof(
  aPredicate,
  fc
    .tuple(
      fc.constantFrom('id', 'team_id', 'status', 'count'),
      fc.array(fc.integer({ min: 0, max: 5 }), { maxLength: 3 }),
      aPredicate,
    )
    .map(([name, picks, rest]): Predicate => {
      const { type } = columns[name as 'id']
      const pool = type === 'uuid' ? uuids : (type as string) === 'text' ? texts : [-1, 0, 1]
      const values = picks.map((pick) => pool[pick % pool.length])
      return { kind: 'and', of: [parsePredicate({ [name]: { _in: values } }, shape), rest] }
    }),
)
