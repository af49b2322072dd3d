/** Requests that Node cannot read as HTTP never become one; their sender still gets a sentence. */
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** By Node's error codes, with the statuses that Node itself gives. */
const answers: Readonly<Record<string, readonly [status: string, said: string]>> = {
  HPE_HEADER_OVERFLOW: [
    '431 Request Header Fields Too Large',
    'The headers of the request are too large: 16 KiB at most, its first line included. Send fewer or shorter ones, such as a smaller cookie.',
  ],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ['413 Payload Too Large', 'The chunk extensions of the body are too large.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive. Send it again.'],
}
const malformed = [
  '400 Bad Request',
  'This is not a request that can be read as HTTP/1.1. Check the first line and the headers; for https, ask the address that serves it.',
] as const

const lingerMs = 1000

/**
 * Answers them in plain text and closes the connection. One on which an answer is on its way is only closed: the reader
 * would take a second answer for a part of the first.
 */
export function answerUnreadable(server: Server): void {
  const answering = new WeakMap<Socket, ServerResponse>()
  const answered = new WeakSet<Socket>()
  server.prependListener('request', (request: IncomingMessage, response: ServerResponse) => {
    answering.set(request.socket, response)
  })
  server.on('clientError', (error: NodeJS.ErrnoException, stream) => {
    const socket = stream as Socket
    // What else of the request arrives cannot be read either.
    if (answered.has(socket)) return
    const response = answering.get(socket)
    const isAnswering = response?.headersSent === true && !response.writableFinished
    if (!socket.writable || isAnswering || error.code === 'ECONNRESET') return void socket.destroy()
    const [status, said] = answers[error.code ?? ''] ?? malformed
    answered.add(socket)
    const body = `${said}\n`
    socket.end(
      `HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    )
    // Not at once: a reset for what arrives now would take the answer from the reader.
    setTimeout(() => socket.destroy(), lingerMs).unref()
  })
}
