// Connectors in plain Node processes over IPC, with no sandbox at all: one process a connection, kept warm.
// Prints the figures of bench/sandbox.ts as JSON.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { Agent } from 'undici'
import { measure } from './sandbox-measure.mjs'

const agent = new Agent()
const request = async (method, url, body) => {
  const answer = await agent.request({ origin: new URL(url).origin, path: new URL(url).pathname, method, body })
  await answer.body.dump()
  return answer.statusCode
}

async function open() {
  const child = fork(path.join(import.meta.dirname, 'node-child-guest.mjs'), { execArgv: [] })
  let done = () => undefined
  child.on('message', async (message) => {
    if ('status' in message) return done(message.status)
    child.send({ answer: message.call === 'request' ? await request(...message.parameters) : null })
  })
  await once(child, 'spawn')
  return {
    run: (name, input) =>
      new Promise((resolve) => {
        done = resolve
        child.send({ name, input })
      }),
    async close() {
      child.kill('SIGKILL')
      await once(child, 'exit')
    },
    children: () => [child.pid],
  }
}

await measure(open)
await agent.close()
