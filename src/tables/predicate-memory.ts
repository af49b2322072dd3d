/** Boolean expressions over a row held in memory, with SQL's three-valued logic. */
import type { SessionVariables } from '../access/principal.ts'
import type { ColumnType } from './model.ts'
import { type Operator, operators, type Predicate } from './predicate.ts'

/** True, false, or unknown (null), as SQL has them. A filter passes rows that are true. */
export type Truth = boolean | null

export interface MemoryContext {
  readonly variables?: SessionVariables
  readonly now?: Date
  /** Related rows, for `exists`. Without it such a clause is unknown. */
  readonly related?: (relation: string, row: Row) => readonly Row[] | null
}

export type Row = Readonly<Record<string, unknown>>

/** Whether `row` satisfies `predicate`. */
export function matches(predicate: Predicate, row: Row, context: MemoryContext = {}): boolean {
  return evaluate(predicate, row, context) === true
}

export function evaluate(predicate: Predicate, row: Row, context: MemoryContext): Truth {
  switch (predicate.kind) {
    case 'and':
      return fold(predicate.of, false, row, context)
    case 'or':
      return fold(predicate.of, true, row, context)
    case 'not': {
      const inner = evaluate(predicate.of, row, context)
      return inner === null ? null : !inner
    }
    case 'exists': {
      const rows = context.related?.(predicate.relation, row)
      if (!rows) return null
      return rows.some((other) => evaluate(predicate.of, other, context) === true)
    }
    case 'compare':
      return compare(predicate, row[predicate.column], context)
  }
}

/** AND stops at false, OR at true; otherwise one unknown makes the whole unknown. */
function fold(parts: readonly Predicate[], stop: boolean, row: Row, context: MemoryContext): Truth {
  let unknown = false
  for (const part of parts) {
    const truth = evaluate(part, row, context)
    if (truth === stop) return stop
    if (truth === null) unknown = true
  }
  return unknown ? null : !stop
}

function compare(
  { operator, operand, type, list }: Predicate & { kind: 'compare' },
  left: unknown,
  context: MemoryContext,
): Truth {
  const right =
    operand.kind === 'value'
      ? operand.value
      : operand.kind === 'now'
        ? (context.now ?? new Date()).toISOString()
        : context.variables?.[operand.name]
  const isNull = left === null || left === undefined
  if (operator === '_is_null') return isNull === right
  if (list)
    return isNull ? null : compareArrays(operator, left as readonly unknown[], right as readonly unknown[], type)
  if (operator === '_in' || operator === '_nin') {
    const list = right === null || right === undefined ? [] : Array.isArray(right) ? right : [right]
    if (list.length === 0) return operator === '_nin'
    if (isNull) return null
    return list.some((item) => order(left, item, type) === 0) === (operator === '_in')
  }
  if (right === null || right === undefined) return false
  if (isNull) return null
  const negated = operator.startsWith('_n')
  if (operators[operator].family === 'text') {
    return textPattern(operator, right as string).test(String(left)) !== negated
  }
  return test(operator, left, right, type)
}

/** `=` is item by item; `@>` and `<@` see arrays as sets. */
function compareArrays(
  operator: Operator,
  left: readonly unknown[],
  right: readonly unknown[],
  type: ColumnType,
): boolean {
  const holds = (whole: readonly unknown[], part: readonly unknown[]) =>
    part.every((item) => whole.some((candidate) => order(candidate, item, type) === 0))
  if (operator === '_contains') return holds(left, right)
  if (operator === '_contained_in') return holds(right, left)
  const same = left.length === right.length && left.every((item, index) => order(item, right[index], type) === 0)
  return same === (operator === '_eq')
}

function test(operator: Operator, left: unknown, right: unknown, type: ColumnType): boolean {
  switch (operator) {
    case '_eq':
      return order(left, right, type) === 0
    case '_neq':
      return order(left, right, type) !== 0
    case '_gt':
      return order(left, right, type) > 0
    case '_lt':
      return order(left, right, type) < 0
    case '_gte':
      return order(left, right, type) >= 0
    case '_lte':
      return order(left, right, type) <= 0
    case '_contains':
      return jsonContains(left, right, true)
    case '_contained_in':
      return jsonContains(right, left, true)
    case '_has_key':
      return hasKey(left, right as string)
    case '_has_keys_any':
      return (right as string[]).some((key) => hasKey(left, key))
    case '_has_keys_all':
      return (right as string[]).every((key) => hasKey(left, key))
    default:
      throw new Error(`${operator} is not evaluated here`)
  }
}

/** Negative, zero or positive, by the rules of the column's type. */
function order(left: unknown, right: unknown, type: ColumnType): number {
  switch (type) {
    case 'bool':
      return Number(left) - Number(right)
    case 'int4':
    case 'float8':
    case 'numeric':
      return Number(left) - Number(right)
    case 'int8': {
      const [a, b] = [BigInt(left as string), BigInt(right as string)]
      return a < b ? -1 : a > b ? 1 : 0
    }
    case 'timestamptz':
      return instant(left) - instant(right)
    case 'uuid':
      return codePoints(bareUuid(left), bareUuid(right))
    case 'jsonb':
      return jsonOrder(left, right)
    default:
      return codePoints(String(left), String(right))
  }
}

/** Milliseconds; a time without a zone is UTC, as in our database sessions. */
function instant(value: unknown): number {
  if (value instanceof Date) return value.getTime()
  const text = String(value).trim().replace(' ', 'T')
  const zoned = /(Z|[+-]\d{2}(:?\d{2})?)$/i.test(text.slice(10)) || text.length === 10
  return Date.parse(
    zoned ? text.replace(/([+-]\d{2})$/, (zone) => (text.length > 10 ? `${zone}:00` : zone)) : `${text}Z`,
  )
}

function bareUuid(value: unknown): string {
  return String(value).replaceAll('-', '').toLowerCase()
}

/** UTF-8 byte order, which is the order of Postgres's "C" collation. JavaScript's `<` compares UTF-16 units. */
function codePoints(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left), Buffer.from(right))
}

const jsonRank = (value: unknown): number => {
  if (Array.isArray(value)) return value.length === 0 ? -1 : 4
  if (value === null) return 0
  return { string: 1, number: 2, boolean: 3, object: 5 }[typeof value as 'string'] ?? 5
}

/**
 * The B-tree order of jsonb: Object > Array > Boolean > Number > String > Null,
 * more pairs or elements are greater, and an empty array is least of all.
 * Source: PostgreSQL manual, section 8.14.4.
 */
function jsonOrder(left: unknown, right: unknown): number {
  const rank = jsonRank(left) - jsonRank(right)
  if (rank !== 0) return rank
  if (Array.isArray(left) && Array.isArray(right)) {
    if (left.length !== right.length) return left.length - right.length
    return firstDifference(left, (index) => jsonOrder(left[index], right[index]))
  }
  if (typeof left === 'object' && left !== null && typeof right === 'object' && right !== null) {
    return objectOrder(left as Row, right as Row)
  }
  if (typeof left === 'string') return codePoints(left, right as string)
  return Number(left) - Number(right)
}

function objectOrder(left: Row, right: Row): number {
  // jsonb stores keys by length, then by bytes.
  const sorted = (row: Row) =>
    Object.keys(row).sort((a, b) => Buffer.byteLength(a) - Buffer.byteLength(b) || codePoints(a, b))
  const [mine, theirs] = [sorted(left), sorted(right)]
  if (mine.length !== theirs.length) return mine.length - theirs.length
  return firstDifference(mine, (index) => {
    const [a, b] = [mine[index] as string, theirs[index] as string]
    return codePoints(a, b) || jsonOrder(left[a], right[b])
  })
}

function firstDifference(items: readonly unknown[], difference: (index: number) => number): number {
  for (let index = 0; index < items.length; index += 1) {
    const result = difference(index)
    if (result !== 0) return result
  }
  return 0
}

/** jsonb `@>`: objects by key, arrays as sets; at the top an array also contains a bare scalar. */
function jsonContains(whole: unknown, part: unknown, top: boolean): boolean {
  if (Array.isArray(whole)) {
    if (Array.isArray(part))
      return part.every((item) => whole.some((candidate) => jsonContains(candidate, item, false)))
    return top && (typeof part !== 'object' || part === null) && whole.some((item) => jsonOrder(item, part) === 0)
  }
  if (typeof whole === 'object' && whole !== null) {
    if (typeof part !== 'object' || part === null || Array.isArray(part)) return false
    return Object.entries(part).every(
      ([key, value]) => Object.hasOwn(whole, key) && jsonContains((whole as Row)[key], value, false),
    )
  }
  if (typeof part === 'object' && part !== null) return false
  return jsonRank(whole) === jsonRank(part) && jsonOrder(whole, part) === 0
}

/** jsonb `?`: a key of an object, a string element of an array, or a string itself. */
function hasKey(value: unknown, key: string): boolean {
  if (Array.isArray(value)) return value.includes(key)
  if (typeof value === 'object' && value !== null) return Object.hasOwn(value, key)
  return value === key
}

const patternCache = new Map<string, RegExp>()

function textPattern(operator: Operator, pattern: string): RegExp {
  const kind = operator.replace('_n', '_')
  const key = `${kind} ${pattern}`
  const cached = patternCache.get(key)
  if (cached) return cached
  const insensitive = kind === '_ilike' || kind === '_iregex'
  const source =
    kind === '_like' || kind === '_ilike' ? likeSource(pattern) : kind === '_similar' ? similarSource(pattern) : pattern
  const compiled = new RegExp(source, insensitive ? 'isu' : 'su')
  if (patternCache.size > 1_000) patternCache.clear()
  patternCache.set(key, compiled)
  return compiled
}

const escaped = (character: string) => character.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/** LIKE: `%` any run, `_` one character, backslash takes the next one as it is. */
function likeSource(pattern: string): string {
  return `^${translate(pattern, escaped)}$`
}

/** SIMILAR TO: LIKE's wildcards within a regular expression that must match whole. */
function similarSource(pattern: string): string {
  return `^(?:${translate(pattern, (other) => ('.^$'.includes(other) ? escaped(other) : other))})$`
}

function translate(pattern: string, other: (character: string) => string): string {
  return pattern.replace(/\\(.)|%|_|./gsu, (whole, taken: string | undefined) => {
    if (taken !== undefined) return escaped(taken)
    if (whole === '%') return '.*'
    return whole === '_' ? '.' : other(whole)
  })
}
