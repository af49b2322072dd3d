/** What is not the same in two JSON values. */

export interface Difference {
  /** JSON Pointer (RFC 6901). */
  readonly path: string
  /** Undefined where it is new. */
  readonly before?: unknown
  /** Undefined where it is gone. */
  readonly after?: unknown
}

/**
 * Objects by their keys, lists by their places; anything else as a whole.
 *
 * @example differences({ a: 1 }, { a: 2 }) // [{ path: '/a', before: 1, after: 2 }]
 */
export function differences(before: unknown, after: unknown, path = ''): readonly Difference[] {
  if (isTree(before) && isTree(after) && Array.isArray(before) === Array.isArray(after)) {
    const keys = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...keys].flatMap((key) =>
      differences(before[key], after[key], `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`),
    )
  }
  return Object.is(before, after) ? [] : [{ path, before, after }]
}

function isTree(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null
}
