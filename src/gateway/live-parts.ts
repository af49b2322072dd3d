/** What watches the database in this process: the change feed and all that it wakes. */
import type { Database } from '../database/database.ts'
import { changesChannel, createNotifier, deliveriesChannel } from '../database/notifications.ts'
import { type ChangeFeed, openChangeFeed } from '../live/change-feed.ts'
import { createEvaluator, type Evaluator } from '../live/evaluator.ts'
import { createLiveQueries, type LiveQueries } from '../live/live-queries.ts'
import { followTime } from '../live/passing-time.ts'
import { positionHorizon } from '../live/position-horizon.ts'
import { createStreams, type Streams } from '../live/streams.ts'
import type { Log } from '../log.ts'
import { Durations } from '../metrics.ts'

export interface LiveParts {
  readonly feed: ChangeFeed
  readonly liveQueries: LiveQueries
  readonly streams: Streams
  readonly evaluator: Evaluator
  /** From the moment that a live query or stream is to be read until its result is there, waiting included. */
  readonly evaluations: Durations
  /** Says after a commit that rows have changed: here at once, elsewhere by notification. */
  readonly committed: () => void
  /** Ends live queries and streams. The feed goes on: access may still end. */
  closeReaders(): void
  close(): Promise<void>
}

export async function openLive({
  database,
  log,
}: {
  readonly database: Database
  readonly log: Log
}): Promise<LiveParts> {
  const { pool } = database
  const feed = await openChangeFeed({ pool, log })
  const notifier = createNotifier({ pool, channels: [changesChannel, deliveriesChannel], log })
  const evaluations = new Durations()
  const evaluator = timed(createEvaluator({ pool }), evaluations)
  const time = followTime({ pool, feed, log })
  const liveQueries = createLiveQueries({ feed, evaluator, time, log })
  const streams = createStreams({ feed, evaluator, log, horizon: () => positionHorizon(database) })
  return {
    feed,
    liveQueries,
    streams,
    evaluator,
    evaluations,
    committed() {
      feed.poke()
      notifier.notify()
    },
    closeReaders() {
      liveQueries.close()
      streams.close()
      time.close()
    },
    async close() {
      await feed.close()
      await notifier.close()
    },
  }
}

function timed({ run, counts }: Evaluator, durations: Durations): Evaluator {
  return {
    counts,
    async run(statement) {
      const begun = performance.now()
      const row = await run(statement)
      durations.observe((performance.now() - begun) / 1000)
      return row
    },
  }
}
