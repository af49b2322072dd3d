/** Boolean expressions over a row held in memory, with SQL's three-valued logic. */
import { everyTeam } from '../access/every-team.ts'
import type { SessionVariables } from '../access/principal.ts'
import { type ColumnType, enumValues } from './model.ts'
import { type CountTest, type Operator, operators, type Predicate } from './predicate.ts'
import { portablePattern } from './predicate-regex.ts'
import { decimalOrder, floatOrder, jsonContains, jsonHasKey, jsonOrder, textOrder } from './predicate-values.ts'
import { microseconds } from './timestamp.ts'

/** True, false, or unknown (null), as SQL has them. A filter passes rows that are true. */
export type Truth = boolean | null

export interface MemoryContext {
  readonly variables?: SessionVariables
  readonly now?: Date
  /** Related rows, for `exists`. */
  readonly related?: (relation: string, row: Row) => readonly Row[]
}

export type Row = Readonly<Record<string, unknown>>

type Compare = Predicate & { readonly kind: 'compare' }

/** Whether `row` satisfies `predicate`; see `evaluate`. */
export function matches(predicate: Predicate, row: Row, context: MemoryContext = {}): boolean {
  return evaluate(predicate, row, context) === true
}

/**
 * The truth that PostgreSQL would find, for a row with a value in every column
 * that the predicate speaks of. Values are as PostgreSQL writes them in JSON.
 *
 * @throws Error for a comparison that is not `decidable`, unless it only ignores the case of letters beyond ASCII,
 *   which is then done letter by letter; and for `exists` without related rows.
 */
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
      if (!context.related) throw new Error(`the rows of ${predicate.relation} are not at hand`)
      const rows = context.related(predicate.relation, row)
      const found = rows.filter((other) => evaluate(predicate.of, other, context) === true)
      return predicate.count ? counted(predicate.count, found, context) : found.length > 0
    }
    case 'compare':
      return compare(predicate, row[predicate.column], context)
  }
}

/**
 * Whether `evaluate` finds what PostgreSQL finds for this value of the column,
 * whatever the database's version and locale. Where it does not, whoever routes
 * by memory must count with both answers.
 */
export function decidable({ operator, operand, type, cast }: Compare, left: unknown): boolean {
  if (operator === '_is_null') return true
  if (cast || operand.kind === 'now') return false
  if (left === null || left === undefined) return true
  if (type === 'jsonb') return operator.startsWith('_has_')
  // JSON numbers beyond double precision were rounded when they were read.
  if (type === 'int8' && typeof left === 'number') return Number.isSafeInteger(left)
  if (type === 'numeric' && typeof left === 'number') return String(left).length <= 15
  if (operators[operator].family !== 'text' || operand.kind !== 'value') return true
  const pattern = operand.value as string
  if (operator.includes('ilike')) return caseless(pattern) && caseless(String(left))
  return operator.includes('like') || !('problem' in portable(operator, pattern))
}

/** Holds no letter beyond ASCII that lower-casing changes: what it becomes depends on the locale. */
function caseless(text: string): boolean {
  for (const character of text) {
    if (character > '\u007f' && character.toLowerCase() !== character) return false
  }
  return true
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

/** SQL's `count(*)`, `count(column)` and `count(distinct …)`; several columns are a row value, which is never null. */
export function countRows(
  rows: readonly Row[],
  { columns, distinct }: Pick<CountTest, 'columns' | 'distinct'>,
): number {
  const [first] = columns
  if (!first) return rows.length
  const present = columns.length === 1 ? rows.filter((row) => (row[first.name] ?? null) !== null) : rows
  if (!distinct) return present.length
  const kept: Row[] = []
  const same = (a: Row, b: Row) => columns.every(({ name, type }) => equal(a[name] ?? null, b[name] ?? null, type))
  for (const row of present) if (!kept.some((other) => same(row, other))) kept.push(row)
  return kept.length
}

function counted(count: CountTest, rows: readonly Row[], context: MemoryContext): Truth {
  const number = countRows(rows, count)
  return fold(count.tests, false, { count: number }, context)
}

function compare({ operator, operand, type, list, cast }: Compare, left: unknown, context: MemoryContext): Truth {
  if (cast) throw new Error('the text of a JSON value is not known in memory')
  const isNull = left === null || left === undefined
  const right =
    operand.kind === 'value'
      ? operand.value
      : operand.kind === 'now'
        ? (context.now ?? new Date())
        : context.variables?.[operand.name]
  if (operator === '_is_null') return isNull === right
  if (operator === '_in' && operand.kind === 'variable' && right === everyTeam) return !isNull
  // What the caller does not have equals nothing and differs from nothing.
  if (right === null || right === undefined) return null
  if (list) return isNull ? null : compareArrays(operator, left as unknown[], right as unknown[], type)
  if (operator === '_in' || operator === '_nin') {
    const items = Array.isArray(right) ? right : [right]
    if (items.length === 0) return operator === '_nin'
    if (isNull) return null
    return items.some((item) => equal(left, item, type)) === (operator === '_in')
  }
  if (isNull) return null
  if (operators[operator].family === 'text') {
    return textMatch(operator, right as string, String(left)) !== operator.startsWith('_n')
  }
  return test(operator, left, right, type)
}

/** `=` is item by item, and null equals null there; `@>` and `<@` see arrays as sets, and null is in none. */
function compareArrays(
  operator: Operator,
  left: readonly unknown[],
  right: readonly unknown[],
  type: ColumnType,
): boolean {
  const holds = (whole: readonly unknown[], part: readonly unknown[]) =>
    part.every((item) => item !== null && whole.some((candidate) => equal(candidate, item, type)))
  if (operator === '_contains') return holds(left, right)
  if (operator === '_contained_in') return holds(right, left)
  const same = left.length === right.length && left.every((item, index) => equal(item, right[index], type))
  return same === (operator === '_eq')
}

function test(operator: Operator, left: unknown, right: unknown, type: ColumnType): boolean {
  switch (operator) {
    case '_eq':
      return equal(left, right, type)
    case '_neq':
      return !equal(left, right, type)
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
      return jsonHasKey(left, right as string)
    case '_has_keys_any':
      return (right as string[]).some((key) => jsonHasKey(left, key))
    case '_has_keys_all':
      return (right as string[]).every((key) => jsonHasKey(left, key))
    default:
      throw new Error(`${operator} is not evaluated here`)
  }
}

function equal(left: unknown, right: unknown, type: ColumnType): boolean {
  if (left === null || right === null) return left === right
  if (type === 'text') return left === right
  return order(left, right, type) === 0
}

/** Negative, zero or positive, as PostgreSQL orders values of the type; text by code point (`collate "C"`). */
export function order(left: unknown, right: unknown, type: ColumnType): number {
  switch (type) {
    case 'bool':
    case 'int4':
      return Number(left) - Number(right)
    case 'float8':
      return floatOrder(Number(left), Number(right))
    case 'numeric':
      return decimalOrder(left as number | string, right as number | string)
    case 'int8':
      return sign(BigInt(left as string), BigInt(right as string))
    case 'timestamptz':
      return sign(microseconds(left), microseconds(right))
    case 'uuid':
      return textOrder(bareUuid(left), bareUuid(right))
    case 'jsonb':
      return jsonOrder(left, right)
    case 'text':
      return textOrder(String(left), String(right))
    default: {
      // An enum's values are ordered as they are declared.
      const labels = enumValues[type] ?? []
      return labels.indexOf(String(left)) - labels.indexOf(String(right))
    }
  }
}

const sign = (left: bigint, right: bigint) => (left < right ? -1 : left > right ? 1 : 0)

function bareUuid(value: unknown): string {
  return String(value).replaceAll('-', '').toLowerCase()
}

function textMatch(operator: Operator, pattern: string, text: string): boolean {
  if (operator.includes('ilike')) return likeMatch([...lowered(pattern)], [...lowered(text)])
  if (operator.includes('like')) return likeMatch([...pattern], [...text])
  const matcher = portable(operator, pattern)
  if ('problem' in matcher) throw new Error(`the pattern ${matcher.problem}`)
  return matcher.test(text)
}

const compiled = new Map<string, ReturnType<typeof portablePattern>>()

function portable(operator: Operator, pattern: string): ReturnType<typeof portablePattern> {
  const kind = operator.replace('_n', '_')
  const key = `${kind} ${pattern}`
  const known = compiled.get(key)
  if (known) return known
  const made = portablePattern(pattern, kind === '_similar' ? 'similar' : 'regex', kind === '_iregex')
  if (compiled.size >= 1_000) compiled.clear()
  compiled.set(key, made)
  return made
}

/** One lower-case character for each: the simple case mapping of Unicode. */
function lowered(text: string): string {
  if (!/[^\0-\x7f]/.test(text)) return text.toLowerCase()
  return Array.from(text, (character) => [...character.toLowerCase()][0]).join('')
}

/**
 * LIKE: `%` any run, `_` one character, a backslash takes the next one as it is.
 * After a mismatch only the last `%` takes one character more, so time is at
 * most pattern times text.
 */
function likeMatch(pattern: readonly string[], text: readonly string[]): boolean {
  let at = 0
  let position = 0
  let retry = -1
  let retryFrom = 0
  while (position < text.length) {
    const next = pattern[at]
    if (next === '%') {
      at += 1
      retry = at
      retryFrom = position
      continue
    }
    const taken = next === '\\' ? 1 : 0
    if (next !== undefined && ((next === '_' && !taken) || pattern[at + taken] === text[position])) {
      at += 1 + taken
      position += 1
    } else if (retry >= 0) {
      at = retry
      retryFrom += 1
      position = retryFrom
    } else return false
  }
  while (pattern[at] === '%') at += 1
  return at === pattern.length
}
