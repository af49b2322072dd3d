// What both senders do with a job: sign its body after Standard Webhooks and post it.
import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import { Agent } from 'undici'

const agent = new Agent()
const key = randomBytes(24)
const { origin } = new URL(process.env.RECEIVER_URL)

export const payloads = (count) =>
  Array.from({ length: count }, () => ({
    type: 'session.submitted',
    timestamp: new Date().toISOString(),
    data: { id: randomUUID(), team: 'camden', flow: 'apply', paymentID: 'pay_1', config: {} },
  }))

export async function post(payload) {
  const body = JSON.stringify(payload)
  const id = randomUUID()
  const at = Math.floor(Date.now() / 1000)
  const signature = createHmac('sha256', key).update(`${id}.${at}.${body}`).digest('base64')
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(at),
    'webhook-signature': `v1,${signature}`,
  }
  const answer = await agent.request({ origin, path: '/', method: 'POST', headers, body })
  await answer.body.dump()
  if (answer.statusCode !== 204) throw new Error(`answered ${answer.statusCode}`)
}

/** Counts what is done, and says how long all of it took. */
export function countdown(count) {
  const { promise, resolve } = Promise.withResolvers()
  const start = performance.now()
  let left = count
  return {
    done: promise,
    one() {
      if (--left === 0) resolve(count / ((performance.now() - start) / 1000))
    },
  }
}
