/** One operation over each transport, with what came back in one form. */
import type { World } from '../ground/world.ts'
import { openSocket } from './bare-socket.ts'

export interface Sent {
  readonly query?: string
  readonly documentId?: string
  readonly operationName?: string
  readonly variables?: Readonly<Record<string, unknown>>
  readonly extensions?: Readonly<Record<string, unknown>>
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: tests read what they asked for.
  readonly data?: any
  readonly errors?: readonly {
    readonly message: string
    readonly extensions: Readonly<Record<string, unknown>> & { readonly code: string }
  }[]
}

export type Transport = (
  world: World,
  authorization: string,
  sent: Sent,
  headers?: Readonly<Record<string, string>>,
) => Promise<Answer>

const post: Transport = async ({ url }, authorization, sent, headers = {}) => {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: JSON.stringify(sent),
  })
  return (await response.json()) as Answer
}

const get: Transport = async ({ url }, authorization, { variables, extensions, ...texts }, headers = {}) => {
  const search = new URLSearchParams(texts)
  if (variables) search.set('variables', JSON.stringify(variables))
  if (extensions) search.set('extensions', JSON.stringify(extensions))
  const response = await fetch(`${url}/graphql?${search}`, { headers: { authorization, ...headers } })
  return (await response.json()) as Answer
}

const events: Transport = async ({ url }, authorization, sent, headers = {}) => {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization, ...headers },
    body: JSON.stringify(sent),
  })
  const text = await response.text()
  if (!response.headers.get('content-type')?.startsWith('text/event-stream')) return JSON.parse(text)
  const [, data] = /^event: next\ndata: (.*)$/m.exec(text) ?? []
  if (!data || !text.endsWith('event: complete\ndata:\n\n')) throw new Error(`not a result and its end: ${text}`)
  return JSON.parse(data)
}

const socket: Transport = async ({ url }, authorization, sent, headers = {}) => {
  const bare = await openSocket(url)
  try {
    bare.send({ type: 'connection_init', payload: { Authorization: authorization, headers } })
    const hello = await Promise.race([bare.next().catch(() => null), bare.closed()])
    if (!hello || 'code' in hello) {
      const { code, reason } = await bare.closed()
      return { errors: [{ message: reason, extensions: { code: code === 4403 ? 'FORBIDDEN' : String(code) } }] }
    }
    // The protocol wants a query; an empty one stands for none.
    bare.send({ type: 'subscribe', id: '1', payload: { query: '', ...sent } })
    const { type, payload } = await bare.next()
    // Whatever was wrong, the socket goes on.
    await bare.said()
    return type === 'error' ? { errors: payload } : payload
  } finally {
    bare.socket.terminate()
  }
}

export const transports: readonly (readonly [string, Transport])[] = [
  ['POST', post],
  ['GET', get],
  ['server-sent events', events],
  ['WebSocket', socket],
]
