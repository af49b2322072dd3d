/** The console's GraphQL client: a normalised cache, the person's token, and one socket for everything live. */
import { authExchange } from '@urql/exchange-auth'
import { cacheExchange, type KeyingConfig } from '@urql/exchange-graphcache'
import { createClient as createSocket, type Client as SocketClient } from 'graphql-ws'
import { Client, fetchExchange, subscriptionExchange } from 'urql'
import type { Role } from './person.ts'
import type { SignIn } from './sign-in.ts'

/**
 * **idle** while nothing live is shown; **connecting** at first; **connected**; **reconnecting** after a connection was
 * lost, until it is back: what live pages show is then as old as the loss.
 */
export type SocketState = 'idle' | 'connecting' | 'connected' | 'reconnecting'

export interface Connection {
  readonly client: Client
  socketState(): SocketState
  subscribe(listener: () => void): () => void
  /** Closes the socket. */
  dispose(): void
}

export interface ConnectionOptions {
  readonly signIn: SignIn
  readonly role: Role
  /** @default '/graphql' */
  readonly endpoint?: string
}

/** An access token has run out or was voided (graphql-ws: Forbidden). */
const accessEnded = 4403
const pingMs = 15_000
const pongMs = 10_000
const longestWaitMs = 10_000

/** Rows have an `id`; aggregates, and what an action answers without one, belong to where they were asked for. */
const keys = new Proxy<KeyingConfig>(
  {},
  {
    get: () => (row: { readonly id?: unknown }) => (typeof row.id === 'string' ? row.id : null),
  },
)

export function createConnection({ signIn, role, endpoint = '/graphql' }: ConnectionOptions): Connection {
  const { socket, socketState, subscribe } = createLiveSocket({ signIn, role, endpoint })
  const client = new Client({
    url: endpoint,
    preferGetMethod: false,
    requestPolicy: 'cache-and-network',
    exchanges: [
      cacheExchange({ keys }),
      authExchange(async ({ appendHeaders }) => ({
        addAuthToOperation(operation) {
          const token = signIn.held()
          return appendHeaders(operation, {
            'x-hasura-role': role,
            ...(token ? { Authorization: `Bearer ${token}` } : {}),
          })
        },
        willAuthError: () => signIn.held() === null,
        didAuthError({ graphQLErrors }) {
          const ended = graphQLErrors.some(({ extensions }) => extensions.code === 'UNAUTHENTICATED')
          if (ended) signIn.refused(signIn.held())
          return ended
        },
        async refreshAuth() {
          // Without one the operation fails by itself, and says why.
          await signIn.token().catch(() => null)
        },
      })),
      fetchExchange,
      subscriptionExchange({
        forwardSubscription: ({ query = '', variables, extensions }) => ({
          subscribe: (sink) => ({
            unsubscribe: socket.subscribe(
              { query, variables: variables as Record<string, unknown>, extensions },
              sink as never,
            ),
          }),
        }),
      }),
    ],
  })
  return { client, socketState, subscribe, dispose: () => void socket.dispose() }
}

function createLiveSocket({ signIn, role, endpoint }: Required<ConnectionOptions>) {
  const listeners = new Set<() => void>()
  let state: SocketState = 'idle'
  let pong: ReturnType<typeof setTimeout> | undefined
  const become = (next: SocketState) => {
    if (next === state) return
    state = next
    for (const listener of listeners) listener()
  }

  const socket: SocketClient = createSocket({
    url: () => new URL(endpoint, location.href).href.replace(/^http/, 'ws'),
    lazyCloseTimeout: 5_000,
    keepAlive: pingMs,
    retryAttempts: Number.POSITIVE_INFINITY,
    shouldRetry: () => true,
    async retryWait(retries) {
      for (let attempt = retries; ; attempt += 1) {
        await pause(attempt)
        // Signed out: the shell is taken down, and the connection with it.
        if (signIn.state().status === 'out') return new Promise(() => {})
        // A token first: failing to get one while connecting would end the subscriptions for good.
        const ready = await signIn.token().then(
          () => true,
          () => false,
        )
        if (ready) return
      }
    },
    connectionParams: async () => {
      const token = await signIn.token().catch(() => null)
      return { 'x-hasura-role': role, ...(token ? { Authorization: `Bearer ${token}` } : {}) }
    },
    on: {
      connecting: (isRetry) => become(isRetry || state === 'reconnecting' ? 'reconnecting' : 'connecting'),
      connected: () => become('connected'),
      closed: (event) => {
        clearTimeout(pong)
        const { code } = event as CloseEvent
        if (code === accessEnded) signIn.refused(null)
        become(code === 1000 ? 'idle' : 'reconnecting')
      },
      // A socket may die without a word, for example when a laptop slept.
      ping: (received) => {
        if (received) return
        clearTimeout(pong)
        pong = setTimeout(() => socket.terminate(), pongMs)
      },
      pong: (received) => {
        if (received) clearTimeout(pong)
      },
    },
  })
  return {
    socket,
    socketState: () => state,
    subscribe(listener: () => void) {
      listeners.add(listener)
      return () => void listeners.delete(listener)
    },
  }
}

/** Longer each time, never the same for all who lost the gateway at once, and over as soon as the network is back. */
function pause(attempt: number): Promise<void> {
  const wait = Math.min(longestWaitMs, 300 * 2 ** attempt)
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, wait * (0.5 + Math.random() / 2))
    addEventListener('online', () => resolve(clearTimeout(timer)), { once: true })
  })
}
