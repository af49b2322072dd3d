/** Bodies that were compressed although the request asked for none of it, unpacked within a bound. */
import type { Transform } from 'node:stream'
import zlib from 'node:zlib'

export interface Unpacked {
  readonly body: Buffer
  /** There was more than `limit`. */
  readonly truncated: boolean
}

/** Whether a body of this `content-encoding` can be unpacked. Others, and chains of several, are left as they are. */
export function isPacked(encoding: string | undefined): encoding is string {
  return encoding !== undefined && Object.hasOwn(unpackers, encoding.trim().toLowerCase())
}

/**
 * At most `limit` bytes are ever made: a bomb costs no more than an honest body.
 * The start of a body that was cut off is unpacked as far as it goes.
 *
 * @throws Error of zlib when the bytes are not what their header says.
 */
export function unpack(packed: Buffer, encoding: string, limit: number): Promise<Unpacked> {
  const unpacker = unpackers[encoding.trim().toLowerCase()]?.(packed)
  if (!unpacker) throw new TypeError(`No unpacker for ${encoding}`)
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    unpacker.on('data', (chunk: Buffer) => {
      const room = limit - size
      chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
      size += Math.min(chunk.length, room)
      if (chunk.length <= room) return
      unpacker.destroy()
      resolve({ body: Buffer.concat(chunks), truncated: true })
    })
    unpacker.once('end', () => resolve({ body: Buffer.concat(chunks), truncated: false }))
    unpacker.once('error', reject)
    unpacker.end(packed)
  })
}

// With these flushes an end that comes too soon is an end, not an error.
const { Z_SYNC_FLUSH, BROTLI_OPERATION_FLUSH, ZSTD_e_flush } = zlib.constants
const early = { finishFlush: Z_SYNC_FLUSH }

const unpackers: Readonly<Record<string, (packed: Buffer) => Transform>> = {
  gzip: () => zlib.createGunzip(early),
  'x-gzip': () => zlib.createGunzip(early),
  // Meant is zlib's format, but some send the bare one; the lowest bits of the first byte tell (RFC 1950, 2.2).
  deflate: (packed) => (((packed[0] ?? 0) & 0x0f) === 8 ? zlib.createInflate(early) : zlib.createInflateRaw(early)),
  br: () => zlib.createBrotliDecompress({ finishFlush: BROTLI_OPERATION_FLUSH }),
  zstd: () => zlib.createZstdDecompress({ finishFlush: ZSTD_e_flush }),
}
