/** Sessions at a steady rate, and how long after its commit each one arrived. */

import { readClock } from '../ground/clock.ts'
import { keepRate } from '../ground/load.ts'
import { Arrivals, type Receiver } from './arrivals.ts'
import type { Side } from './sides.ts'

export interface SteadyOptions {
  readonly receiver: Receiver
  readonly perSecond: number
  readonly seconds: number
  readonly subscribers: number
  readonly bytes: number
}

/** Milliseconds. */
export interface SteadyRound {
  /** From the commit to the receiver having the whole request; one value a session. */
  readonly webhook: readonly number[]
  /** From the commit to the frame's arrival; one value a session and subscriber. */
  readonly live: readonly number[]
  /** From the call of the event source to its answer. */
  readonly answer: readonly number[]
  /** From the call of the event source to the receiver having the webhook. */
  readonly callToWebhook: readonly number[]
  /**
   * Sessions that a subscriber never saw. A live query shows the latest state, here the newest ten sessions: what
   * comes and goes while the machine stands still for a fifth of a second is passed over, rightly.
   */
  readonly passedOver: number
  /** Webhooks beyond one a session: at least once allows them, on a quiet machine there are none. */
  readonly repeatedWebhooks: number
  readonly clockUncertaintyMs: number
}

/** @throws Error when a webhook, or the latest state at any subscriber, did not arrive within 5 s. */
export async function steadyRound(side: Side, options: SteadyOptions): Promise<SteadyRound> {
  const { receiver, perSecond, seconds, subscribers, bytes } = options
  const webhooks = new Arrivals()
  const rows = new Arrivals()
  receiver.note(side.webhookPath, webhooks)
  // The first result of a live query holds the newest sessions; there are to be none but this round's.
  await side.database.query('truncate sessions cascade')
  const sockets = await side.subscribe(subscribers, rows)
  const submit = side.announcing(bytes)
  const calledAt = new Map<string, number>()
  const answer: number[] = []
  await keepRate(
    async () => {
      const id = crypto.randomUUID()
      webhooks.expect(id)
      rows.expect(id)
      const before = performance.now()
      calledAt.set(id, before)
      await submit(id)
      answer.push(performance.now() - before)
    },
    { perSecond, seconds },
  )
  const missing = await webhooks.wait(calledAt.size)
  if (missing > 0) throw new Error(`${side.name}: ${missing} of ${calledAt.size} webhooks did not arrive within 5 s.`)
  const passedOver = await rows.wait(calledAt.size * subscribers)
  await sockets.close()

  const clock = await readClock(side.database)
  const committed = await commitTimes(side)
  const after = (id: string, times: readonly number[]) => {
    const at = committed.get(id)
    if (at === undefined) throw new Error(`The session ${id} is not in the database.`)
    return times.map((time) => time + clock.offsetMs - at)
  }
  const ids = [...calledAt.keys()]
  const newest = ids.reduce((latest, id) => ((committed.get(id) ?? 0) > (committed.get(latest) ?? 0) ? id : latest))
  const upToDate = rows.of(newest).length
  if (upToDate < subscribers) {
    throw new Error(
      `${side.name}: the last result of ${subscribers - upToDate} of ${subscribers} live queries is not the latest state.`,
    )
  }
  const first = (id: string) => webhooks.of(id).slice(0, 1)
  return {
    webhook: ids.flatMap((id) => after(id, first(id))),
    live: ids.flatMap((id) => after(id, rows.of(id))),
    answer,
    callToWebhook: ids.flatMap((id) => first(id).map((time) => time - (calledAt.get(id) ?? Number.NaN))),
    passedOver,
    repeatedWebhooks: ids.reduce((sum, id) => sum + webhooks.of(id).length - 1, 0),
    clockUncertaintyMs: clock.uncertaintyMs,
  }
}

/** When each session's transaction committed by Postgres's own note, in epoch milliseconds. It is taken before the disk has it. */
async function commitTimes({ database }: Side): Promise<ReadonlyMap<string, number>> {
  const { rows } = await database.query<{ id: string; at: number }>(
    'select id, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8 as at from sessions',
  )
  return new Map(rows.map(({ id, at }) => [id, at]))
}
