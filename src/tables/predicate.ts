/**
 * Boolean expressions: one abstract syntax for `where` arguments, permission
 * filters, webhook and connection patterns and the routing of live queries.
 * Parsed here from Hasura's JSON form against a shape that says which columns
 * and relations exist; interpreted by `predicate-sql.ts` and `predicate-memory.ts`
 * and by nothing else.
 */
import { SluiceError } from '../errors.ts'
import { type ColumnType, enumValues } from './model.ts'
import { portablePattern } from './predicate-regex.ts'
import { NeedsValue, requireValue, Slot } from './slots.ts'
import { isTimestamp } from './timestamp.ts'

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
      /** The column is jsonb and its text is compared; `type` is then text. */
      readonly cast?: boolean
    }
  /** At least one related row satisfies `of`; with `count`, so many of them that `count` holds. */
  | { readonly kind: 'exists'; readonly relation: string; readonly of: Predicate; readonly count?: CountTest }

/** `<relation>_aggregate: { count: … }`: related rows are counted, and the number compared. */
export interface CountTest {
  /** Rows where these are null are not counted; of several, all rows are. None counts rows. */
  readonly columns: readonly ColumnRef[]
  /** Equal values count once. */
  readonly distinct: boolean
  readonly tests: readonly (Predicate & { readonly kind: 'compare' })[]
}

export interface ColumnRef {
  readonly name: string
  readonly type: ColumnType
}

export type Operator = keyof typeof operators

/** What a predicate may speak of: a table seen by a role, or the variables of an event. */
export interface Shape {
  readonly name: string
  readonly columns: ReadonlyMap<string, ColumnShape>
  readonly relations: ReadonlyMap<string, () => Shape>
  /** Those of `relations` whose rows may be counted. */
  readonly counted?: ReadonlySet<string>
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

/** What `<relation>_aggregate.count.predicate` speaks of. */
const countShape: ColumnShape = { type: 'int4', list: false }

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
  /** It will be evaluated in memory and nowhere else: only what means the same in every locale is accepted. */
  readonly inMemory?: boolean
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
  readonly #inMemory: boolean
  #comparisons = 0

  constructor({ limits = defaultPredicateLimits, trusted = false, inMemory = false }: ParseOptions) {
    this.#limits = limits
    this.#trusted = trusted
    this.#inMemory = inMemory
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
      this.#checkItems(items, here)
      const of = items.map((item, index) => this.expression(item, shape, `${here}[${index}]`, depth + 1))
      return { kind: key === '_and' ? 'and' : 'or', of }
    }
    if (key === '_not') return { kind: 'not', of: this.expression(value, shape, here, depth + 1) }
    const column = shape.columns.get(key)
    if (column) return this.#comparisonsOf(key, column, value, here)
    const related = shape.relations.get(key)
    if (related) return { kind: 'exists', relation: key, of: this.expression(value, related(), here, depth + 1) }
    const counted = key.endsWith('_aggregate') ? key.slice(0, -'_aggregate'.length) : ''
    const other = shape.counted?.has(counted) && shape.relations.get(counted)
    if (other) return this.#count(counted, value, other(), here, depth)
    const known = [...shape.columns.keys(), ...shape.relations.keys()].join(', ')
    throw invalid(here, `is not a field of ${shape.name}; there are: ${known}`)
  }

  /** Hasura's `<relation>_aggregate: { count: { arguments, distinct, filter, predicate } }`. */
  #count(relation: string, input: unknown, shape: Shape, path: string, depth: number): Predicate {
    const count = isObject(input) ? input.count : undefined
    if (!isObject(count) || Object.keys(input as object).length > 1) {
      throw invalid(path, 'must be an object such as {"count": {"predicate": {"_gt": 1}}}')
    }
    const here = `${path}.count`
    const unknown = Object.keys(count).find((key) => !['arguments', 'distinct', 'filter', 'predicate'].includes(key))
    if (unknown) throw invalid(`${here}.${unknown}`, 'is not one of arguments, distinct, filter, predicate')
    const given = requireValue(count.arguments) ?? []
    const names = Array.isArray(given) ? given : [given]
    this.#checkItems(names, `${here}.arguments`)
    const columns = names.map((name): ColumnRef => {
      const column = shape.columns.get(String(name))
      if (!column) throw invalid(`${here}.arguments`, `names ${name}, which is not a column of ${shape.name}`)
      return { name: String(name), type: column.type }
    })
    if (!isObject(count.predicate)) throw invalid(`${here}.predicate`, 'must be an object such as {"_gt": 1}')
    return {
      kind: 'exists',
      relation,
      of: this.expression(count.filter ?? {}, shape, `${here}.filter`, depth + 1),
      count: {
        columns,
        distinct: requireValue(count.distinct) === true,
        tests: this.#tests('count', countShape, count.predicate, `${here}.predicate`),
      },
    }
  }

  #comparisonsOf(name: string, column: ColumnShape, input: unknown, path: string): Predicate {
    if (!isObject(input)) throw invalid(path, 'must be an object of operators such as {"_eq": …}')
    const { _cast: cast, ...operators } = input
    const of: Predicate[] = this.#tests(name, column, operators, path)
    if ('_cast' in input) of.push(...this.#castTests(name, column, cast, `${path}._cast`))
    return of.length === 1 ? (of[0] as Predicate) : { kind: 'and', of }
  }

  /** `_cast: { String: { _like: … } }` compares the text of a jsonb value. */
  #castTests(name: string, { type, list }: ColumnShape, input: unknown, path: string): Predicate[] {
    if (type !== 'jsonb' || list) throw invalid(path, `is for jsonb, not for ${type}`)
    if (this.#inMemory) throw invalid(path, 'cannot be used here: the text of a JSON value is PostgreSQL’s own')
    if (!isObject(input)) throw invalid(path, 'must be an object such as {"String": {"_like": "%north%"}}')
    return Object.entries(input).flatMap(([key, tests]) => {
      if (key !== 'String') throw invalid(`${path}.${key}`, 'is not a type that jsonb is cast to; there is: String')
      if (!isObject(tests)) throw invalid(`${path}.String`, 'must be an object of operators such as {"_like": …}')
      return this.#tests(name, { type: 'text', list: false }, tests, `${path}.String`).map((test) => ({
        ...test,
        cast: true,
      }))
    })
  }

  #tests(
    name: string,
    column: ColumnShape,
    input: Record<string, unknown>,
    path: string,
  ): (Predicate & { kind: 'compare' })[] {
    const { type, list } = column
    return Object.entries(input).map(([key, right]) => {
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
  }

  #operand(operator: Operator, { type, list }: ColumnShape, right: unknown, path: string): Operand {
    if (right instanceof Slot) return { kind: 'value', value: this.#openValue(operator, { type, list }, right, path) }
    requireValue(right)
    if (this.#trusted && typeof right === 'string') {
      if (right === 'now()') return { kind: 'now' }
      if (right.startsWith('x-hasura-')) return { kind: 'variable', name: right }
    }
    if (right === null || right === undefined) {
      throw invalid(path, 'must not be null; to test for null use {"_is_null": true}')
    }
    const expected = list && operator !== '_is_null' ? 'list' : operators[operator].right
    if (expected === 'boolean' && typeof right !== 'boolean') throw invalid(path, 'must be true or false')
    if (expected === 'text') this.#checkText(operator, right, path)
    if (expected === 'json') checkScalar(right, 'jsonb', path)
    if (expected === 'list' || expected === 'texts') this.#checkList(right, expected, type, path)
    if (expected === 'scalar') checkScalar(right, type, path)
    return { kind: 'value', value: right }
  }

  /** A value that comes later is checked when it comes. */
  #openValue(operator: Operator, { type, list }: ColumnShape, slot: Slot, path: string): Slot {
    const expected = list && operator !== '_is_null' ? 'list' : operators[operator].right
    if (expected !== 'scalar' && expected !== 'list') throw new NeedsValue(slot)
    return slot.map((value) => {
      if (expected === 'list') this.#checkList(value, expected, type, path)
      else checkScalar(value, type, path)
      return value
    })
  }

  #checkList(right: unknown, expected: 'list' | 'texts', type: ColumnType, path: string): void {
    if (!Array.isArray(right)) throw invalid(path, 'must be a list')
    this.#checkItems(right, path)
    right.forEach((item, index) => {
      const here = `${path}[${index}]`
      if (item === null) throw invalid(here, 'must not be null')
      checkScalar(item, expected === 'texts' ? 'text' : type, here)
    })
  }

  #checkItems(items: readonly unknown[], path: string): void {
    if (items.length > this.#limits.items) {
      throw invalid(path, `holds ${items.length} items; at most ${this.#limits.items} are allowed`)
    }
  }

  #checkText(operator: Operator, right: unknown, path: string): void {
    checkScalar(right, 'text', path)
    const text = right as string
    if (text.length > maxPatternLength && operators[operator].family === 'text') {
      throw invalid(path, `is ${text.length} characters long; at most ${maxPatternLength} are allowed`)
    }
    if (operator.includes('like') && /(?:^|[^\\])(?:\\\\)*\\$/.test(text)) {
      throw invalid(path, 'must not end with a backslash, which takes the next character as it is')
    }
    if (!this.#inMemory || !(operator.includes('regex') || operator.includes('similar'))) return
    const pattern = portablePattern(text, operator.includes('regex') ? 'regex' : 'similar', operator.includes('ireg'))
    if ('problem' in pattern) throw invalid(path, pattern.problem)
  }
}

/** Characters of a LIKE pattern or a regular expression. */
const maxPatternLength = 2_000

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
    case 'numeric':
      if (!isDecimal(value)) fail('a number')
      return
    case 'timestamptz':
      if (typeof value !== 'string' || !isTimestamp(value)) fail('a time in ISO 8601, such as 2026-04-15T13:09:00Z')
      return
    case 'jsonb': {
      const problem = jsonProblem(value)
      if (problem) throw invalid(path, problem)
      return
    }
    default: {
      if (typeof value !== 'string') throw invalid(path, 'must be a string')
      if (value.includes('\u0000')) fail('a string without the character U+0000, which Postgres cannot hold')
      if (!value.isWellFormed()) fail('a string without unpaired surrogates, which Postgres cannot hold')
      const labels = Object.hasOwn(enumValues, type) ? enumValues[type] : undefined
      if (labels && !labels.includes(value)) fail(`one of ${labels.join(', ')}`)
    }
  }
}

/** A finite number, or a text of one, such as float8 and numeric read in any version of PostgreSQL. */
export function isDecimal(value: unknown): value is number | string {
  if (typeof value === 'number') return Number.isFinite(value)
  if (typeof value !== 'string' || value.length > 1_000) return false
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?$/i.test(value) && Number.isFinite(Number(value))
}

/** How deep a JSON value may nest; PostgreSQL and we both recurse over it. */
const maxJsonDepth = 200

/** What keeps a value from being stored as jsonb as it is, or null. */
export function jsonProblem(value: unknown): string | null {
  const open: [unknown, number][] = [[value, 0]]
  for (let next = open.pop(); next; next = open.pop()) {
    const [item, depth] = next
    if (typeof item === 'number' && !Number.isFinite(item)) return 'holds a number beyond 1.8e308, which cannot be kept'
    if (typeof item === 'string' && !holdable(item)) return unholdable
    if (typeof item !== 'object' || item === null) continue
    if (depth >= maxJsonDepth) return `nests deeper than ${maxJsonDepth} levels`
    if (!Array.isArray(item) && !Object.keys(item).every(holdable)) return unholdable
    for (const inner of Object.values(item)) open.push([inner, depth + 1])
  }
  return null
}

const holdable = (text: string) => !text.includes('\u0000') && text.isWellFormed()
const unholdable = 'holds the character U+0000 or an unpaired surrogate, which Postgres cannot hold'

function invalid(path: string, problem: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path} ${problem}.`, { path })
}

function isObject(value: unknown): value is Record<string, unknown> {
  if (value instanceof Slot) throw new NeedsValue(value)
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
