/** How PostgreSQL orders and compares values, done on their JSON forms. */

/**
 * UTF-8 byte order, which is the order of the collation "C" and of code points.
 * JavaScript's `<` compares UTF-16 units and puts U+FFFF above U+10000.
 */
export function textOrder(left: string, right: string): number {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index += 1) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a === b) continue
    const [highA, highB] = [a >= 0xd800 && a <= 0xdfff, b >= 0xd800 && b <= 0xdfff]
    return highA === highB ? a - b : highA ? 1 : -1
  }
  return left.length - right.length
}

/** float8: NaN equals itself and is greater than every number. */
export function floatOrder(left: number, right: number): number {
  if (Number.isNaN(left) || Number.isNaN(right)) return Number(Number.isNaN(left)) - Number(Number.isNaN(right))
  return left < right ? -1 : left > right ? 1 : 0
}

/** numeric, of any precision: numbers, or texts such as `-12.50`, `1e30`, `NaN` and `Infinity`. */
export function decimalOrder(left: number | string, right: number | string): number {
  const [a, b] = [decimal(left), decimal(right)]
  if (!a || !b) return floatOrder(Number(left), Number(right))
  const scale = Math.max(a.scale, b.scale)
  const [x, y] = [a.digits * 10n ** BigInt(scale - a.scale), b.digits * 10n ** BigInt(scale - b.scale)]
  return x < y ? -1 : x > y ? 1 : 0
}

/** The value is `digits / 10^scale`; null for NaN and the infinities. */
function decimal(value: number | string): { readonly digits: bigint; readonly scale: number } | null {
  const match = /^([+-]?)(\d*)\.?(\d*)(?:e([+-]?\d+))?$/i.exec(String(value).trim())
  if (!match) return null
  const [, sign, whole = '', fraction = '', exponent = '0'] = match
  const digits = BigInt(`${whole}${fraction}` || '0') * (sign === '-' ? -1n : 1n)
  const scale = fraction.length - Number(exponent)
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 }
}

type JsonObject = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const jsonRank = (value: unknown): number => {
  if (value === null) return 0
  if (Array.isArray(value)) return 4
  return { string: 1, number: 2, boolean: 3, object: 5 }[typeof value as 'string'] ?? 5
}

/**
 * The B-tree order of jsonb: Object > Array > Boolean > Number > String > Null,
 * and more pairs or elements are greater. At the top a scalar counts as an array
 * of one, so that an empty array comes before it.
 * Source: PostgreSQL manual, section 8.14.4, and compareJsonbContainers().
 */
export function jsonOrder(left: unknown, right: unknown): number {
  const [wholeLeft, wholeRight] = [Array.isArray(left), Array.isArray(right)]
  if (wholeLeft !== wholeRight && !isObject(left) && !isObject(right)) {
    const [a, b] = [wholeLeft ? (left as unknown[]).length : 1, wholeRight ? (right as unknown[]).length : 1]
    if (a !== b) return a - b
    return wholeLeft ? 1 : -1
  }
  return innerOrder(left, right)
}

function innerOrder(left: unknown, right: unknown): number {
  const rank = jsonRank(left) - jsonRank(right)
  if (rank !== 0) return rank
  if (Array.isArray(left) && Array.isArray(right)) {
    if (left.length !== right.length) return left.length - right.length
    return firstDifference(left, (index) => innerOrder(left[index], right[index]))
  }
  if (isObject(left) && isObject(right)) return objectOrder(left, right)
  if (typeof left === 'string') return textOrder(left, right as string)
  return Number(left) - Number(right)
}

function objectOrder(left: JsonObject, right: JsonObject): number {
  // jsonb stores keys by length, then by bytes.
  const sorted = (row: JsonObject) =>
    Object.keys(row).sort((a, b) => Buffer.byteLength(a) - Buffer.byteLength(b) || textOrder(a, b))
  const [mine, theirs] = [sorted(left), sorted(right)]
  if (mine.length !== theirs.length) return mine.length - theirs.length
  return firstDifference(mine, (index) => {
    const [a, b] = [mine[index] as string, theirs[index] as string]
    return textOrder(a, b) || innerOrder(left[a], right[b])
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
export function jsonContains(whole: unknown, part: unknown, top: boolean): boolean {
  if (Array.isArray(whole)) {
    if (Array.isArray(part))
      return part.every((item) => whole.some((candidate) => jsonContains(candidate, item, false)))
    return top && (typeof part !== 'object' || part === null) && whole.some((item) => innerOrder(item, part) === 0)
  }
  if (isObject(whole)) {
    return (
      isObject(part) &&
      Object.entries(part).every(([key, value]) => Object.hasOwn(whole, key) && jsonContains(whole[key], value, false))
    )
  }
  return (typeof part !== 'object' || part === null) && innerOrder(whole, part) === 0
}

/** jsonb `?`: a key of an object, a string element of an array, or a string itself. */
export function jsonHasKey(value: unknown, key: string): boolean {
  if (Array.isArray(value)) return value.includes(key)
  if (isObject(value)) return Object.hasOwn(value, key)
  return value === key
}
