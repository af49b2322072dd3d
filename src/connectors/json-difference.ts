/** What one JSON value changes of another, as a JSON Patch (RFC 6902) of `add`, `replace` and `remove`. Pure. */
export interface Operation {
  readonly op: 'add' | 'replace' | 'remove'
  /** JSON Pointer. */
  readonly path: string
  /** Not of `remove`. */
  readonly value?: unknown
}

/** Operations of one answer; the last then replaces the whole. */
const most = 1000

/**
 * Lists are compared place by place: what was put in at the front shows as changed throughout.
 *
 * @example jsonDifference({ a: 1, b: [1] }, { b: [1, 2] }) // [{ op: 'remove', path: '/a' }, { op: 'add', path: '/b/1', value: 2 }]
 */
export function jsonDifference(before: unknown, after: unknown): readonly Operation[] {
  const found: Operation[] = []
  compare(before, after, '', found)
  return found.length > most ? [{ op: 'replace', path: '', value: after }] : found
}

function compare(before: unknown, after: unknown, path: string, found: Operation[]): void {
  if (before === after || found.length > most) return
  const isAlike = isObject(before) && isObject(after) && Array.isArray(before) === Array.isArray(after)
  if (!isAlike) {
    found.push({ op: 'replace', path, value: after })
    return
  }
  // From behind, so that places of a list stay what they are while it is applied.
  for (const key of Object.keys(before).toReversed()) {
    if (!Object.hasOwn(after, key)) found.push({ op: 'remove', path: `${path}/${escaped(key)}` })
  }
  for (const [key, value] of Object.entries(after)) {
    const place = `${path}/${escaped(key)}`
    if (Object.hasOwn(before, key)) compare(before[key], value, place, found)
    else found.push({ op: 'add', path: place, value })
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function escaped(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1')
}
