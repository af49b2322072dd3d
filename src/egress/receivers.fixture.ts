/** Receivers on 127.0.0.1 that end with the test file: HTTP ones, and ones that write to the socket what they like. */
import { createServer, type RequestListener, type Server } from 'node:http'
import {
  type AddressInfo,
  createServer as createSocketServer,
  type Socket,
  type Server as SocketServer,
} from 'node:net'
import { afterAll, expect } from 'vitest'
import { createEgress, EgressError, type EgressOptions } from './egress.ts'

export function openGround() {
  const closing: (() => Promise<unknown> | undefined)[] = []
  afterAll(async () => {
    for (const close of closing.reverse()) await close()
  })

  /** A guard that may call this machine. */
  function open(options: Partial<EgressOptions> = {}) {
    const egress = createEgress({ allow: ['127.0.0.0/8'], ...options })
    closing.push(() => egress.close())
    return egress
  }

  async function listening<S extends Server | SocketServer>(server: S): Promise<number> {
    const sockets = new Set<Socket>()
    server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.on('error', () => undefined)
      socket.once('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    closing.push(() => {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(resolve))
    })
    return (server.address() as AddressInfo).port
  }

  async function receiver(answer: RequestListener) {
    const port = await listening(createServer(answer))
    return { port, url: `http://127.0.0.1:${port}/` }
  }

  async function rawReceiver(speak: (socket: Socket) => void) {
    const port = await listening(createSocketServer(speak))
    return { port, url: `http://127.0.0.1:${port}/` }
  }

  return { open, listening, receiver, rawReceiver, closing }
}

export async function failure(promise: Promise<unknown>): Promise<EgressError> {
  const error = await promise.then(
    () => undefined,
    (thrown) => thrown,
  )
  expect(error).toBeInstanceOf(EgressError)
  return error
}
