/** A WebSocket without any GraphQL client over it: frames are sent and awaited one by one. */
import { once } from 'node:events'
import WebSocket from 'ws'

export interface Frame {
  readonly type: string
  readonly id?: string
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for.
  readonly payload?: any
}

export interface BareSocket {
  readonly socket: WebSocket
  /** Objects go as JSON, texts and bytes as they are. */
  send(...messages: (object | string | Buffer)[]): void
  /** The next frame that was not taken yet. Fails when none comes in time, or when the socket closes first. */
  next(): Promise<Frame>
  /** All frames that come before the answer to a ping, so everything the gateway had to say by then. */
  said(): Promise<Frame[]>
  closed(): Promise<{ readonly code: number; readonly reason: string }>
}

const deadlineMs = 10_000

export interface OpenOptions {
  readonly protocol?: string | null
  readonly headers?: Readonly<Record<string, string>>
}

export async function openSocket(
  url: string,
  { protocol = 'graphql-transport-ws', headers }: OpenOptions = {},
): Promise<BareSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, protocol ?? undefined, { headers })
  const frames: Frame[] = []
  const waiting: ((frame: Frame) => void)[] = []
  socket.on('message', (message) => {
    const frame = JSON.parse(String(message))
    const taker = waiting.shift()
    if (taker) taker(frame)
    else frames.push(frame)
  })
  const gone = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }))
  })
  await once(socket, 'open')

  const next = () => {
    const frame = frames.shift()
    if (frame) return Promise.resolve(frame)
    return inTime('a frame', [
      new Promise<Frame>((resolve) => waiting.push(resolve)),
      gone.then(({ code, reason }) => Promise.reject(new Error(`closed with ${code}: ${reason}`))),
    ])
  }
  const send = (...messages: (object | string | Buffer)[]) => {
    for (const message of messages) {
      const raw = typeof message === 'string' || Buffer.isBuffer(message)
      socket.send(raw ? message : JSON.stringify(message))
    }
  }
  return {
    socket,
    send,
    next,
    async said() {
      const key = `said-${Math.random()}`
      send({ type: 'ping', payload: { key } })
      const before: Frame[] = []
      for (;;) {
        const frame = await next()
        if (frame.type === 'pong' && frame.payload?.key === key) return before
        before.push(frame)
      }
    },
    closed: () => inTime('the close', [gone]),
  }
}

/** A socket that said who it is and was acknowledged. */
export async function openAcknowledged(url: string, authorization: string): Promise<BareSocket> {
  const bare = await openSocket(url)
  bare.send({ type: 'connection_init', payload: { Authorization: authorization } })
  const { type } = await bare.next()
  if (type !== 'connection_ack') throw new Error(`expected connection_ack, not ${type}`)
  return bare
}

async function inTime<T>(what: string, promises: readonly Promise<T>[]): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} did not come within ${deadlineMs} ms`)), deadlineMs)
  })
  try {
    return await Promise.race([...promises, late])
  } finally {
    clearTimeout(timer)
  }
}
