/**
 * The other process: answers 204 to everything; `/slow` after 30 s. Keeps when each
 * message first came (`webhook-id`, epoch milliseconds) and tells when asked.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Arrival {
  readonly id: string
  readonly at: number
}

const slowMs = 30_000
let arrivals: Arrival[] = []
const server = createServer((request, response) => {
  request.resume()
  request.on('end', () => {
    const id = request.headers['webhook-id']
    if (keeps && typeof id === 'string') arrivals.push({ id, at: performance.timeOrigin + performance.now() })
    if (request.url === '/slow') setTimeout(() => response.writeHead(204).end(), slowMs)
    else response.writeHead(204).end()
  })
}).listen(0, '127.0.0.1')
let keeps = false
await once(server, 'listening')
process.send?.((server.address() as AddressInfo).port)
process.on('message', (message) => {
  if (message === 'keep') {
    keeps = true
    arrivals = []
    process.send?.('kept')
  } else {
    keeps = false
    process.send?.(arrivals)
  }
})
process.on('disconnect', () => process.exit())
