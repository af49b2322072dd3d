/**
 * The subscribers, in a process of their own: sockets with many subscriptions
 * each, which note when each write's mark is first seen in each subscription.
 *
 * Told over IPC what to do, see `Command`. Times are of CLOCK_MONOTONIC, which
 * is one for all processes of a machine (`process.hrtime`).
 */
import { once } from 'node:events'
import { WebSocket } from 'ws'
import { percentiles } from '../ground/figures.ts'
import { type Command, now } from './command.ts'

let sockets: WebSocket[] = []
/** Of each flow, the frames of each of its subscriptions: mark and time. A state that a newer one passed over was seen with that. */
const arrivals = new Map<string, [mark: number, at: number][][]>()
let frames = 0

process.on('message', async (command: Command) => {
  try {
    process.send?.({ type: 'done', result: await run(command) })
  } catch (error) {
    process.send?.({ type: 'failed', message: String(error) })
  }
})
process.on('disconnect', () => process.exit())
process.send?.({ type: 'ready' })

async function run(command: Command): Promise<unknown> {
  switch (command.type) {
    case 'open':
      return open(command)
    case 'measure':
      return measure(command.writes)
    case 'drain':
      return drain(command)
    case 'close': {
      const closed = sockets.map((socket) => once(socket, 'close'))
      for (const socket of sockets) socket.close()
      await Promise.all(closed)
      sockets = []
      return null
    }
  }
}

const framePattern = /^\{"id":"(\d+)".*"payment_id" ?: ?"w(\d+)"/

async function open({ url, token, query, variables, perSocket }: Command & { type: 'open' }): Promise<null> {
  arrivals.clear()
  const firsts: Promise<void>[] = []
  for (let at = 0; at < variables.length; at += perSocket) {
    const mine = variables.slice(at, at + perSocket)
    const socket = await initialised(url, token)
    const first = Promise.withResolvers<void>()
    let missing = mine.length
    const ofEach = mine.map(({ flow }) => {
      const one: [number, number][] = []
      arrivals.set(flow, [...(arrivals.get(flow) ?? []), one])
      return one
    })
    socket.on('message', (data) => {
      const time = now()
      const message = String(data)
      if (!message.includes('"type":"next"')) {
        if (!message.includes('"type":"ping"')) first.reject(new Error(message.slice(0, 500)))
        return
      }
      frames += 1
      missing -= 1
      if (missing === 0) first.resolve()
      const found = framePattern.exec(message)
      if (found) ofEach[Number(found[1])]?.push([Number(found[2]), time])
    })
    mine.forEach((variables, id) => {
      socket.send(JSON.stringify({ id: String(id), type: 'subscribe', payload: { query, variables } }))
    })
    firsts.push(first.promise)
    sockets.push(socket)
  }
  await Promise.all(firsts)
  forget()
  return null
}

function forget(): void {
  for (const ofFlow of arrivals.values()) for (const one of ofFlow) one.splice(0)
  frames = 0
}

async function measure(writes: (Command & { type: 'measure' })['writes']): Promise<unknown> {
  const deadline = now() + 15_000
  const delays: number[] = []
  for (const { mark, at, flow } of writes) {
    for (const one of arrivals.get(flow) ?? []) {
      for (;;) {
        const seen = one.find((arrival) => arrival[0] >= mark)
        if (seen) delays.push(seen[1] - at)
        if (seen) break
        if (now() > deadline) throw new Error(`w${mark} was never seen`)
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  }
  const result = { ...percentiles(delays), frames }
  forget()
  return result
}

/** Seconds until all rows of a stream's backlog have arrived, which must be in order and each once. */
async function drain({ url, token, query, rows }: Command & { type: 'drain' }): Promise<number> {
  const socket = await initialised(url, token)
  const all = Promise.withResolvers<void>()
  let count = 0
  let last = ''
  socket.on('message', (data) => {
    const { type, payload } = JSON.parse(String(data))
    if (type !== 'next') return all.reject(new Error(String(data)))
    for (const { position } of payload.data.session_events_stream) {
      if (position <= last) all.reject(new Error('The stream repeated or reordered rows.'))
      last = position
      count += 1
    }
    if (count >= rows) all.resolve()
  })
  const began = now()
  socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } }))
  await all.promise
  socket.terminate()
  return (now() - began) / 1000
}

async function initialised(url: string, token: string): Promise<WebSocket> {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/graphql`, 'graphql-transport-ws')
  await once(socket, 'open')
  socket.send(JSON.stringify({ type: 'connection_init', payload: { Authorization: `Bearer ${token}` } }))
  const [message] = await once(socket, 'message')
  if (!String(message).includes('connection_ack')) throw new Error(String(message))
  return socket
}
