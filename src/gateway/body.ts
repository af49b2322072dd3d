/** Reading a request's body, up to a limit. */
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../errors.ts'

/** @throws SluiceError TOO_LARGE as soon as the limit is passed; the rest is not kept. */
export async function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0)
  if (declared > limit) throw tooLarge(limit)
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > limit) throw tooLarge(limit)
    chunks.push(chunk)
  }
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)
}

function tooLarge(limit: number): SluiceError {
  const size = limit >= 1024 * 1024 ? `${(limit / 1024 / 1024).toFixed(1)} MB` : `${limit} bytes`
  return new SluiceError(
    'TOO_LARGE',
    `The request body is larger than ${size}, the limit here (MAX_BODY_BYTES). Put files into the file store and send links.`,
  )
}
