/** GraphQL scalars for Postgres types, under Hasura's names. */
import { GraphQLError } from 'graphql'
import type { ColumnType } from './model.ts'
import { isDecimal, jsonProblem } from './predicate.ts'
import { isTimestamp } from './timestamp.ts'

/** The GraphQL type that a column is shown as: `String`, `Int`, `Boolean`, or the Postgres type's own name. */
export function scalarOf(type: ColumnType): string {
  return { text: 'String', bool: 'Boolean', int4: 'Int', int8: 'bigint' }[type as string] ?? type
}

export interface ScalarDefinition {
  readonly name: string
  readonly description: string
  /** Checks a value that a client sent; returns it as it goes to Postgres. */
  readonly parse: (value: unknown) => unknown
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** The scalars beside GraphQL's own. Values travel as JSON carries them, so none needs a serialiser. */
export const scalarDefinitions: readonly ScalarDefinition[] = [
  {
    name: 'uuid',
    description: 'A UUID, such as 64608023-8592-449b-8fa0-00aed82c734c.',
    parse: expect(
      'a UUID such as 64608023-8592-449b-8fa0-00aed82c734c',
      (value) => typeof value === 'string' && uuid.test(value),
    ),
  },
  {
    name: 'timestamptz',
    description: 'A point in time, ISO 8601 with a zone: 2026-04-15T13:09:00.710+00:00.',
    parse: expect(
      'a time in ISO 8601 such as 2026-04-15T13:09:00Z',
      (value) => typeof value === 'string' && isTimestamp(value),
    ),
  },
  {
    name: 'jsonb',
    description: 'Any JSON value.',
    parse: (value) => {
      const problem = jsonProblem(value)
      if (!problem) return value
      throw new GraphQLError(`A JSON value ${problem}.`, { extensions: { code: 'VALIDATION_FAILED' } })
    },
  },
  {
    name: 'bigint',
    description: 'A whole number of up to 64 bits; beyond 2^53 write it as a string.',
    parse: expect('a whole number of up to 64 bits', isBigint),
  },
  {
    name: 'float8',
    description: 'A double-precision number.',
    parse: expect('a number', isDecimal),
  },
  {
    name: 'numeric',
    description: 'A decimal number of any precision.',
    parse: expect('a number', isDecimal),
  },
]

function isBigint(value: unknown): boolean {
  if (typeof value === 'number') return Number.isSafeInteger(value)
  if (typeof value !== 'string' || !/^-?\d{1,19}$/.test(value)) return false
  const number = BigInt(value)
  return number < 2n ** 63n && number >= -(2n ** 63n)
}

function expect(what: string, accept: (value: unknown) => boolean): (value: unknown) => unknown {
  return (value) => {
    if (accept(value)) return value
    throw new GraphQLError(`Expected ${what}, found ${JSON.stringify(value)?.slice(0, 100)}.`)
  }
}
