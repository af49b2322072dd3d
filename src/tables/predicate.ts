/**
 * Boolean expressions: one abstract syntax for `where` arguments, permission
 * filters, webhook and connection patterns and the routing of live queries.
 * Parsed here from Hasura's JSON form against a shape that says which columns
 * and relations exist; interpreted by `predicate-sql.ts` and `predicate-memory.ts`
 * and by nothing else.
 */
import { SluiceError } from '../errors.ts'
import type { ColumnType } from './model.ts'

/** What a column is compared with: a value, a session variable of the caller, or the present time. */
export type Operand =
  | { readonly kind: 'value'; readonly value: unknown }
  | { readonly kind: 'variable'; readonly name: string }
  | { readonly kind: 'now' }

export type Predicate =
  | { readonly kind: 'and' | 'or'; readonly of: readonly Predicate[] }
  | { readonly kind: 'not'; readonly of: Predicate }
  | {
      readonly kind: 'compare'
      readonly column: string
      readonly type: ColumnType
      /** The column is an array of `type`, and so is the operand. */
      readonly list: boolean
      readonly operator: Operator
      readonly operand: Operand
    }
  /** At least one related row satisfies `of`. */
  | { readonly kind: 'exists'; readonly relation: string; readonly of: Predicate }

export type Operator = keyof typeof operators

/** What a predicate may speak of: a table seen by a role, or the variables of an event. */
export interface Shape {
  readonly name: string
  readonly columns: ReadonlyMap<string, ColumnShape>
  readonly relations: ReadonlyMap<string, () => Shape>
}

export interface ColumnShape {
  readonly type: ColumnType
  readonly list: boolean
}

/** Matches every row. */
export const always: Predicate = { kind: 'and', of: [] }
/** Matches no row. */
export const never: Predicate = { kind: 'or', of: [] }

type Family = 'any' | 'comparable' | 'text' | 'jsonb'

/** Operators by Hasura's names: what they apply to and what stands on their right. */
export const operators = {
  _eq: { family: 'comparable', right: 'scalar' },
  _neq: { family: 'comparable', right: 'scalar' },
  _gt: { family: 'comparable', right: 'scalar' },
  _lt: { family: 'comparable', right: 'scalar' },
  _gte: { family: 'comparable', right: 'scalar' },
  _lte: { family: 'comparable', right: 'scalar' },
  _in: { family: 'comparable', right: 'list' },
  _nin: { family: 'comparable', right: 'list' },
  _is_null: { family: 'any', right: 'boolean' },
  _like: { family: 'text', right: 'text' },
  _nlike: { family: 'text', right: 'text' },
  _ilike: { family: 'text', right: 'text' },
  _nilike: { family: 'text', right: 'text' },
  _similar: { family: 'text', right: 'text' },
  _nsimilar: { family: 'text', right: 'text' },
  _regex: { family: 'text', right: 'text' },
  _nregex: { family: 'text', right: 'text' },
  _iregex: { family: 'text', right: 'text' },
  _niregex: { family: 'text', right: 'text' },
  _contains: { family: 'jsonb', right: 'json' },
  _contained_in: { family: 'jsonb', right: 'json' },
  _has_key: { family: 'jsonb', right: 'text' },
  _has_keys_any: { family: 'jsonb', right: 'texts' },
  _has_keys_all: { family: 'jsonb', right: 'texts' },
} as const satisfies Record<
  string,
  { family: Family; right: 'scalar' | 'list' | 'boolean' | 'text' | 'texts' | 'json' }
>

/** The operators that a column of this type takes; those of an array column compare whole arrays. */
export function operatorsOf({ type, list }: { readonly type: ColumnType; readonly list: boolean }): Operator[] {
  if (list) return ['_eq', '_neq', '_contains', '_contained_in', '_is_null']
  const names = Object.keys(operators) as Operator[]
  return names.filter((name) => {
    const { family } = operators[name]
    if (family === 'any') return true
    if (family === 'comparable') return true
    return family === type
  })
}

export interface PredicateLimits {
  /** How deep objects may nest. */
  readonly depth: number
  /** How many comparisons one expression may hold. */
  readonly comparisons: number
  /** How many items a list operand may hold. */
  readonly items: number
}

export const defaultPredicateLimits: PredicateLimits = { depth: 12, comparisons: 200, items: 1_000 }

export interface ParseOptions {
  readonly limits?: PredicateLimits
  /** Permission declarations may name session variables (`x-hasura-...`) and `now()`; callers may not. */
  readonly trusted?: boolean
  /** Where the expression stands, for error messages. @default "where" */
  readonly path?: string
}

/**
 * Reads a boolean expression in Hasura's JSON form. `{}` is true, `_or: []` is
 * false, two keys side by side are AND, and a comparison with null is refused:
 * `_is_null` says it.
 *
 * @throws SluiceError VALIDATION_FAILED that names the place and what is allowed there.
 * @example parsePredicate({ status: { _eq: 'submitted' }, flow: { slug: { _in: ['a', 'b'] } } }, shape)
 */
export function parsePredicate(input: unknown, shape: Shape, options: ParseOptions = {}): Predicate {
  const parser = new Parser(options)
  return parser.expression(input, shape, options.path ?? 'where', 1)
}

class Parser {
  readonly #limits: PredicateLimits
  readonly #trusted: boolean
  #comparisons = 0

  constructor({ limits = defaultPredicateLimits, trusted = false }: ParseOptions) {
    this.#limits = limits
    this.#trusted = trusted
  }

  expression(input: unknown, shape: Shape, path: string, depth: number): Predicate {
    if (depth > this.#limits.depth) {
      throw invalid(path, `nests deeper than ${this.#limits.depth} levels; use a flatter expression`)
    }
    if (!isObject(input)) throw invalid(path, `must be an object such as {"id": {"_eq": …}}`)
    const parts = Object.entries(input).map(([key, value]) => this.#entry(key, value, shape, path, depth))
    return parts.length === 1 ? (parts[0] as Predicate) : { kind: 'and', of: parts }
  }

  #entry(key: string, value: unknown, shape: Shape, path: string, depth: number): Predicate {
    const here = `${path}.${key}`
    if (key === '_and' || key === '_or') {
      const items = Array.isArray(value) ? value : [value]
      const of = items.map((item, index) => this.expression(item, shape, `${here}[${index}]`, depth + 1))
      return { kind: key === '_and' ? 'and' : 'or', of }
    }
    if (key === '_not') return { kind: 'not', of: this.expression(value, shape, here, depth + 1) }
    const column = shape.columns.get(key)
    if (column) return this.#comparisonsOf(key, column, value, here)
    const related = shape.relations.get(key)
    if (related) return { kind: 'exists', relation: key, of: this.expression(value, related(), here, depth + 1) }
    const known = [...shape.columns.keys(), ...shape.relations.keys()].join(', ')
    throw invalid(here, `is not a field of ${shape.name}; there are: ${known}`)
  }

  #comparisonsOf(name: string, column: ColumnShape, input: unknown, path: string): Predicate {
    const { type, list } = column
    if (!isObject(input)) throw invalid(path, 'must be an object of operators such as {"_eq": …}')
    const of = Object.entries(input).map(([key, right]): Predicate => {
      const here = `${path}.${key}`
      this.#comparisons += 1
      if (this.#comparisons > this.#limits.comparisons) {
        throw invalid(
          here,
          `is comparison number ${this.#comparisons}; at most ${this.#limits.comparisons} are allowed`,
        )
      }
      const allowed = operatorsOf(column)
      if (!allowed.includes(key as Operator)) {
        throw invalid(here, `is not an operator of ${type}${list ? '[]' : ''}; there are: ${allowed.join(', ')}`)
      }
      const operator = key as Operator
      const operand = this.#operand(operator, column, right, here)
      return { kind: 'compare', column: name, type, list, operator, operand }
    })
    return of.length === 1 ? (of[0] as Predicate) : { kind: 'and', of }
  }

  #operand(operator: Operator, { type, list }: ColumnShape, right: unknown, path: string): Operand {
    if (this.#trusted && typeof right === 'string') {
      if (right === 'now()') return { kind: 'now' }
      if (right.startsWith('x-hasura-')) return { kind: 'variable', name: right }
    }
    if (right === null || right === undefined) {
      throw invalid(path, 'must not be null; to test for null use {"_is_null": true}')
    }
    const expected = list && operator !== '_is_null' ? 'list' : operators[operator].right
    if (expected === 'boolean' && typeof right !== 'boolean') throw invalid(path, 'must be true or false')
    if (expected === 'text' && typeof right !== 'string') throw invalid(path, 'must be a string')
    if (expected === 'list' || expected === 'texts') this.#checkList(right, expected, type, path)
    if (expected === 'scalar') checkScalar(right, type, path)
    return { kind: 'value', value: right }
  }

  #checkList(right: unknown, expected: 'list' | 'texts', type: ColumnType, path: string): void {
    if (!Array.isArray(right)) throw invalid(path, 'must be a list')
    if (right.length > this.#limits.items) {
      throw invalid(path, `holds ${right.length} items; at most ${this.#limits.items} are allowed`)
    }
    right.forEach((item, index) => {
      const here = `${path}[${index}]`
      if (item === null) throw invalid(here, 'must not be null')
      if (expected === 'texts' && typeof item !== 'string') throw invalid(here, 'must be a string')
      if (expected === 'list') checkScalar(item, type, here)
    })
  }
}

const uuidPattern = /^[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}$/i

/** Refuses what Postgres would refuse, with a message that says where. */
function checkScalar(value: unknown, type: ColumnType, path: string): void {
  const fail = (what: string): never => {
    throw invalid(path, `must be ${what}`)
  }
  switch (type) {
    case 'uuid':
      if (typeof value !== 'string' || !uuidPattern.test(value)) fail('a UUID')
      return
    case 'bool':
      if (typeof value !== 'boolean') fail('true or false')
      return
    case 'int4':
    case 'int8': {
      const text = typeof value === 'number' || typeof value === 'string' ? String(value) : ''
      if (!/^-?\d{1,19}$/.test(text)) throw invalid(path, 'must be a whole number')
      const limit = type === 'int4' ? 2n ** 31n : 2n ** 63n
      const number = BigInt(text)
      if (number >= limit || number < -limit) fail(`a whole number that fits in ${type === 'int4' ? 32 : 64} bits`)
      return
    }
    case 'float8':
    case 'numeric': {
      if (typeof value === 'boolean' || !Number.isFinite(Number(value)) || value === '') fail('a number')
      return
    }
    case 'timestamptz':
      if (typeof value !== 'string' || !isTimestamp(value)) fail('a time in ISO 8601, such as 2026-04-15T13:09:00Z')
      return
    case 'jsonb':
      return
    default:
      if (typeof value !== 'string') fail('a string')
      else if (value.includes('\u0000')) fail('a string without the character U+0000, which Postgres cannot hold')
  }
}

/** ISO 8601 date, or date and time with or without a zone; years 0001-9999. */
export function isTimestamp(text: string): boolean {
  const form = /^\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?\s?(Z|[+-]\d{2}(:?\d{2})?)?)?$/i
  if (!form.test(text) || text.startsWith('0000')) return false
  const [year, month, day] = text.slice(0, 10).split('-').map(Number) as [number, number, number]
  const date = new Date(Date.UTC(2000, month - 1, 1))
  date.setUTCFullYear(year, month - 1, day)
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return false
  return text.length === 10 || !Number.isNaN(Date.parse(`2000-01-01T${text.slice(11, 16)}Z`))
}

function invalid(path: string, problem: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${problem}.`, { path })
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
