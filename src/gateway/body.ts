/** Reading a request's body, up to a limit. */
import type { IncomingMessage } from 'node:http'
import { SluiceError } from '../errors.ts'

/**
 * With events and not `for await`, which costs several promises for each request.
 *
 * @throws SluiceError TOO_LARGE as soon as the limit is passed; the rest is not kept.
 */
export function readBody(request: IncomingMessage, limit: number): Promise<Buffer> {
  if (Number(request.headers['content-length'] ?? 0) > limit) return Promise.reject(tooLarge(limit))
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const take = (chunk: Buffer) => {
      size += chunk.length
      if (size <= limit) {
        chunks.push(chunk)
        return
      }
      request.off('data', take)
      request.pause()
      reject(tooLarge(limit))
    }
    request.on('data', take)
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, size)))
    // A client that goes away in the middle: nothing that an operator should be told of.
    const ended = (cause?: Error) =>
      reject(new SluiceError('BAD_REQUEST', 'The request ended before its body did.', { cause }))
    request.once('error', ended)
    request.once('close', () => ended())
  })
}

function tooLarge(limit: number): SluiceError {
  const size = limit >= 1024 * 1024 ? `${(limit / 1024 / 1024).toFixed(1)} MB` : `${limit} bytes`
  return new SluiceError(
    'TOO_LARGE',
    `The request body is larger than ${size}, the limit here (MAX_BODY_BYTES). Put files into the file store and send links.`,
  )
}
