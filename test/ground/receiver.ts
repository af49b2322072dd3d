/** A third party's HTTP server for tests: records every request and answers as it is told. */
import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { createInbox } from './inbox.ts'

export interface ReceivedRequest {
  readonly method: string
  /** With the query string. */
  readonly path: string
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** When the whole request had arrived, as `performance.now()`. */
  readonly at: number
}

export interface Receiver {
  /** `http://127.0.0.1:port`, without a slash at the end. */
  readonly url: string
  readonly port: number
  readonly requests: readonly ReceivedRequest[]
  /** The oldest request that fits and was not handed out before; waits up to `ms` (default 30,000) for it. */
  next(fits?: (request: ReceivedRequest) => boolean, ms?: number): Promise<ReceivedRequest>
  /** Cuts every connection. */
  close(): Promise<void>
}

export interface ReceiverOptions {
  /** Answers a request; may answer late or never. Default: 204. */
  readonly handler?: (request: ReceivedRequest, response: ServerResponse) => void | Promise<void>
}

/**
 * @example
 * const receiver = await startReceiver({ handler: (_request, response) => { response.writeHead(503).end() } })
 */
export async function startReceiver({ handler = accept }: ReceiverOptions = {}): Promise<Receiver> {
  const inbox = createInbox<ReceivedRequest>('request')
  const server = createServer(async (incoming, response) => {
    try {
      const body = await buffer(incoming)
      const { method = '', url = '', headers } = incoming
      const request = { method, path: url, headers, body, at: performance.now() }
      inbox.add(request)
      await handler(request, response)
    } catch (error) {
      // The sender went away, or the handler failed: the sender sees a cut connection.
      response.destroy(error instanceof Error ? error : undefined)
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests: inbox.items,
    next: inbox.next,
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function accept(_request: ReceivedRequest, response: ServerResponse): void {
  response.writeHead(204).end()
}
