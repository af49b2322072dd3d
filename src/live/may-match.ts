/**
 * Whether a row may satisfy a predicate, when not everything about the row is
 * known. Used to route changes: a change must wake every live query that it
 * could concern, and should wake no other.
 */

import type { Predicate } from '../tables/predicate.ts'
import { decidable, evaluate, type Row } from '../tables/predicate-memory.ts'

/** The truth values that are possible, as a set of bits. */
type Possible = number
const isTrue = 1
const isFalse = 2
const isUnknown = 4
const anything = isTrue | isFalse | isUnknown

/**
 * @param row some of the columns of a row; a column that is not there may have any value.
 * @returns false only when no completion of the row satisfies the predicate.
 */
export function mayMatch(predicate: Predicate, row: Row): boolean {
  return (possible(predicate, row) & isTrue) !== 0
}

function possible(predicate: Predicate, row: Row): Possible {
  switch (predicate.kind) {
    case 'not': {
      const inner = possible(predicate.of, row)
      return (inner & isTrue ? isFalse : 0) | (inner & isFalse ? isTrue : 0) | (inner & isUnknown)
    }
    case 'and':
      return predicate.of.reduce((sofar, part) => combine(sofar, possible(part, row), and), isTrue)
    case 'or':
      return predicate.of.reduce((sofar, part) => combine(sofar, possible(part, row), or), isFalse)
    case 'compare': {
      // Nothing is in an empty list, whatever it is.
      if (isEmptyList(predicate)) return predicate.operator === '_in' ? isFalse : isTrue
      // Open too: now(), since time passes before the evaluation, and what only Postgres can tell.
      if (!(predicate.column in row) || !decidable(predicate, row[predicate.column])) return anything
      const truth = evaluate(predicate, row, {})
      return truth === null ? isUnknown : truth ? isTrue : isFalse
    }
    default:
      // Related rows are not at hand.
      return anything
  }
}

function isEmptyList({ operator, operand }: Predicate & { kind: 'compare' }): boolean {
  if (operator !== '_in' && operator !== '_nin') return false
  return operand.kind === 'value' && Array.isArray(operand.value) && operand.value.length === 0
}

const bits = [isTrue, isFalse, isUnknown] as const

function combine(left: Possible, right: Possible, join: (a: Possible, b: Possible) => Possible): Possible {
  let result = 0
  for (const a of bits) if (left & a) for (const b of bits) if (right & b) result |= join(a, b)
  return result
}

function and(a: Possible, b: Possible): Possible {
  if (a === isFalse || b === isFalse) return isFalse
  return a === isTrue && b === isTrue ? isTrue : isUnknown
}

function or(a: Possible, b: Possible): Possible {
  if (a === isTrue || b === isTrue) return isTrue
  return a === isFalse && b === isFalse ? isFalse : isUnknown
}
