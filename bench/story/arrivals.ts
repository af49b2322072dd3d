/** When each session arrived at those who wait for it: webhooks at an HTTP server, rows at WebSockets. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { WebSocket } from 'ws'

/** Times are `performance.now()` of this process. */
export class Arrivals {
  readonly #times = new Map<string, number[]>()
  #count = 0
  #wanted = Number.POSITIVE_INFINITY
  #complete = Promise.withResolvers<void>()

  /** Call it before the session can arrive; what is not expected is not counted. */
  expect(id: string): void {
    this.#times.set(id, [])
  }

  add(id: string, at: number): void {
    const times = this.#times.get(id)
    if (!times) return
    times.push(at)
    this.#count++
    if (this.#count >= this.#wanted) this.#complete.resolve()
  }

  /** Waits until there are `count`, at most `ms`. @returns how many are missing then. */
  async wait(count: number, ms = 5_000): Promise<number> {
    this.#wanted = count
    if (this.#count >= count) return 0
    const timer = setTimeout(this.#complete.resolve, ms)
    await this.#complete.promise
    clearTimeout(timer)
    return Math.max(0, count - this.#count)
  }

  of(id: string): readonly number[] {
    return this.#times.get(id) ?? []
  }
}

export interface Receiver {
  readonly url: string
  /** Where arrivals of a path are noted from now on. */
  note(path: string, arrivals: Arrivals): void
  close(): Promise<void>
}

/** The third party: answers 204 when it has read the whole request, and notes the session that it names. */
export async function startReceiver(): Promise<Receiver> {
  const noted = new Map<string, Arrivals>()
  const server = createServer(async (request, response) => {
    const body = await text(request)
    const at = performance.now()
    response.writeHead(204).end()
    const [id] = idsIn(body)
    if (id) noted.get(request.url ?? '')?.add(id, at)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    note: (path, arrivals) => noted.set(path, arrivals),
    async close() {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }
}

export interface SubscriberOptions {
  readonly url: string
  readonly count: number
  readonly arrivals: Arrivals
  /** Speaks graphql-transport-ws; without it whatever comes is a row. */
  readonly subscription?: { readonly query: string; readonly token: string }
}

/** Opens sockets; each notes every session once, when it first sees it. Resolves when all have their first result. */
export async function openSubscribers({ count, ...options }: SubscriberOptions): Promise<{ close(): Promise<void> }> {
  const sockets = await Promise.all(Array.from({ length: count }, () => openSubscriber(options)))
  return {
    async close() {
      await Promise.all(
        sockets.map((socket) => {
          const closed = once(socket, 'close')
          socket.close()
          return closed
        }),
      )
    },
  }
}

async function openSubscriber({ url, arrivals, subscription }: Omit<SubscriberOptions, 'count'>): Promise<WebSocket> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), subscription ? 'graphql-transport-ws' : [])
  const seen = new Set<string>()
  const started = Promise.withResolvers<void>()
  socket.on('error', started.reject)
  socket.on('close', (code, reason) => started.reject(new Error(`The socket was closed: ${code} ${reason}`)))
  socket.on('message', (data) => {
    const at = performance.now()
    const message = data.toString()
    if (subscription && !message.includes('"type":"next"')) {
      if (message.includes('"type":"connection_ack"')) {
        socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query: subscription.query } }))
      } else if (!message.includes('"type":"ping"')) started.reject(new Error(message))
      return
    }
    started.resolve()
    for (const id of idsIn(message)) {
      if (seen.has(id)) continue
      seen.add(id)
      arrivals.add(id, at)
    }
  })
  await once(socket, 'open')
  if (subscription) {
    const payload = { Authorization: `Bearer ${subscription.token}` }
    socket.send(JSON.stringify({ type: 'connection_init', payload }))
    await started.promise
  }
  return socket
}

let lastText = ''
let lastIds: readonly string[] = []

/** The session ids in a text, without parsing it. A hundred sockets get the same text, which is looked through once. */
function idsIn(message: string): readonly string[] {
  if (message !== lastText) {
    lastText = message
    lastIds = Array.from(message.matchAll(/"id" ?: ?"([0-9a-f-]{36})"/g), ([, id]) => id as string)
  }
  return lastIds
}
