/** A peer that speaks clamd's protocol over a real socket, for tests: it knows one virus. */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { eicar } from './samples.fixture.ts'

export interface TestClamd {
  /** For CLAMAV_URL. */
  readonly url: string
  /** Bytes of each stream that was sent whole. */
  readonly scanned: readonly number[]
  close(): Promise<void>
}

export interface TestClamdOptions {
  /** A path of a socket; without it a free port of 127.0.0.1. */
  readonly path?: string
  /** StreamMaxLength, in bytes. @default none */
  readonly maxLength?: number
  /** What it says instead; null says nothing, and keeps the line open. */
  readonly answer?: string | null
}

export async function startTestClamd({
  path,
  maxLength = Number.POSITIVE_INFINITY,
  answer,
}: TestClamdOptions = {}): Promise<TestClamd> {
  const scanned: number[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.once('close', () => sockets.delete(socket))
    let pending = Buffer.alloc(0)
    let begun = false
    let content = Buffer.alloc(0)
    const reply = (text: string) => answer !== null && socket.end(`${answer ?? text}\0`)
    socket.on('data', (data: Buffer) => {
      pending = Buffer.concat([pending, data])
      if (!begun) {
        const end = pending.indexOf(0)
        if (end === -1) return
        if (pending.toString('latin1', 0, end) !== 'zINSTREAM') return void socket.end('UNKNOWN COMMAND\0')
        begun = true
        pending = pending.subarray(end + 1)
      }
      while (pending.length >= 4) {
        const length = pending.readUInt32BE(0)
        if (length === 0) {
          scanned.push(content.length)
          return void reply(content.includes(eicar) ? 'stream: Eicar-Test-Signature FOUND' : 'stream: OK')
        }
        if (pending.length < 4 + length) return
        content = Buffer.concat([content, pending.subarray(4, 4 + length)])
        pending = pending.subarray(4 + length)
        if (content.length > maxLength) return void reply('INSTREAM size limit exceeded. ERROR')
      }
    })
  })
  server.listen(path ? { path } : { port: 0, host: '127.0.0.1' })
  await once(server, 'listening')
  return {
    url: path ? `unix:${path}` : `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    scanned,
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
