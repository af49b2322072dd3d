// BullMQ over PostgreSQL, its own backend since version 6: the same store as Sluice's, and no Redis to install.
import { createPostgresBackend, withBackend } from 'bullmq'
import { countdown, payloads, post } from './signed-post.mjs'

const count = Number(process.env.COUNT)
const connection = { connectionString: process.env.DATABASE_URL, max: 10, schema: 'bullmq', migrate: true }
const { Queue, Worker } = withBackend(createPostgresBackend)
const queue = new Queue('send', { connection })
const jobs = payloads(count).map((data) => ({ name: 'send', data, opts: { removeOnComplete: true } }))
for (let n = 0; n < jobs.length; n += 2000) await queue.addBulk(jobs.slice(n, n + 2000))
const counted = countdown(count)
new Worker(
  'send',
  async ({ data }) => {
    await post(data)
    counted.one()
  },
  { connection, concurrency: 64 },
)
const perSecond = await counted.done
process.send({ perSecond }, () => process.exit())
