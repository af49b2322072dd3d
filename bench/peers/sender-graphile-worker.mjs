// graphile-worker in its fastest form: batched fetching, batched completion. A job that is done is deleted.
import { makeWorkerUtils, run } from 'graphile-worker'
import { countdown, payloads, post } from './signed-post.mjs'

const count = Number(process.env.COUNT)
const connectionString = process.env.DATABASE_URL
const utils = await makeWorkerUtils({ connectionString })
await utils.migrate()
const jobs = payloads(count).map((payload) => ({ identifier: 'send', payload }))
for (let n = 0; n < jobs.length; n += 5000) await utils.addJobs(jobs.slice(n, n + 5000))
await utils.release()
const counted = countdown(count)
const runner = await run({
  connectionString,
  concurrency: 64,
  maxPoolSize: 10,
  noHandleSignals: true,
  logger: undefined,
  preset: { worker: { localQueue: { size: 500 }, completeJobBatchDelay: 0, failJobBatchDelay: 0 } },
  taskList: {
    async send(payload) {
      await post(payload)
      counted.one()
    },
  },
})
const perSecond = await counted.done
await runner.stop()
process.send({ perSecond })
process.disconnect()
