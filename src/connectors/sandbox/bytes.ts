/**
 * Bytes in the JSON of the channel: `{"$bytes": "…base64…"}`. The guest packs and
 * unpacks with code of its own (`guest.ts`), which a connector cannot change.
 */

interface Packed {
  readonly $bytes: string
}

/** Replaces every Uint8Array, however deep. Whatever else is there stays the same object. */
export function packBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') } satisfies Packed
  if (Array.isArray(value)) return value.map(packBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, packBytes(each)]))
}

/** The opposite. An object with more than `$bytes` in it is none. */
export function unpackBytes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(unpackBytes)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value)
  const [only] = entries
  if (entries.length === 1 && only?.[0] === '$bytes' && typeof only[1] === 'string') {
    return new Uint8Array(Buffer.from(only[1], 'base64'))
  }
  return Object.fromEntries(entries.map(([key, each]) => [key, unpackBytes(each)]))
}
