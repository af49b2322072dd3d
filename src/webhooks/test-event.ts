/** `test_webhook`: one signed event through the engine and the carrier that everything goes through, at once. */
import type pg from 'pg'
import { SluiceError } from '../errors.ts'
import type { ChangeFeed } from '../live/change-feed.ts'
import { testEventType } from './operational-body.ts'

export interface TestParts {
  readonly pool: pg.Pool
  /** Tells when the attempt was made. */
  readonly feed: ChangeFeed
  /** Called when the test is committed. */
  readonly committed: () => void
}

export interface WebhookTest {
  readonly delivery_id: string
  /** Null while nothing was attempted. */
  readonly outcome: TestOutcome | null
}

export interface TestOutcome {
  /** `succeeded` or `failed`. */
  readonly status: string
  readonly status_code: number | null
  readonly error_class: string | null
  /** A sentence. */
  readonly error: string | null
  readonly duration_ms: number
  readonly response_body: string | null
}

/**
 * Sends a test, also to a webhook that is disabled. It comes before what waits for
 * the webhook, and is tried once. It counts for the webhook's health like any
 * attempt: one that we gave up is active again when it succeeds. One that a person
 * disabled, or that said it is gone, stays off.
 *
 * @param waitMs for the outcome; 0 answers at once
 * @throws SluiceError NOT_FOUND
 */
export async function testWebhook(
  { pool, feed, committed }: TestParts,
  id: string,
  { waitMs = 0, requestedBy }: { readonly waitMs?: number; readonly requestedBy: string | null },
): Promise<WebhookTest> {
  const finished = Promise.withResolvers<void>()
  let delivery: string | undefined
  let timer: NodeJS.Timeout | undefined
  /** Of deliveries that ended before their insert was answered. */
  const seen = new Set<unknown>()
  const stop = feed.listen((changes) => {
    for (const { table, key, new: row } of changes) {
      if (table !== 'deliveries' || !isFinal(row?.status)) continue
      if (key.id === delivery) finished.resolve()
      else if (delivery === undefined) seen.add(key.id)
    }
  })
  const ungap = feed.onGap(finished.resolve)
  try {
    delivery = await insertTest(pool, id, requestedBy)
    if (seen.has(delivery)) finished.resolve()
    committed()
    if (waitMs > 0) {
      timer = setTimeout(finished.resolve, waitMs)
      await finished.promise
    }
    return { delivery_id: delivery, outcome: waitMs > 0 ? await outcomeOf(pool, delivery) : null }
  } finally {
    clearTimeout(timer)
    stop()
    ungap()
  }
}

/**
 * The test is due just before what has waited longest, and stands before every
 * position, so that it comes first in either kind of lane. For one that we gave up
 * it is the probe.
 */
async function insertTest(pool: pg.Pool, webhookId: string, requestedBy: string | null): Promise<string> {
  const { rows } = await pool.query<{ id: string }>({
    name: 'insert_webhook_test',
    text: `
      with webhook as (
        select id, team_id, integration_id from webhooks where id = $1
      ), event as (
        insert into operational_events (type, team_id, webhook_id, detail, announced_at, mailed_at)
        select '${testEventType}', team_id, id, jsonb_strip_nulls(jsonb_build_object('requested_by', $2::text)), now(), now()
          from webhook
        returning id
      ), probing as (
        update webhooks set probe_at = now() where id = $1 and state in ('disabled', 'probing') and probe_at is not null
      )
      insert into deliveries (operational_event_id, team_id, integration_id, webhook_id, event_position, due_at)
      select event.id, w.team_id, w.integration_id, w.id, '',
             least(now(), (select min(q.due_at) from delivery_queue q where q.target_id = w.id)) - interval '1 millisecond'
        from webhook w, event
      returning id`,
    values: [webhookId, requestedBy],
  })
  const [row] = rows
  if (!row) throw new SluiceError('NOT_FOUND', `There is no webhook ${webhookId}.`, { path: 'id' })
  return row.id
}

async function outcomeOf(pool: pg.Pool, deliveryId: string): Promise<TestOutcome | null> {
  const { rows } = await pool.query<TestOutcome>(
    `select a.outcome as status, a.status_code, a.error_class, a.error_message as error, a.duration_ms, a.response_body
       from delivery_attempts a where a.delivery_id = $1 order by a.number desc limit 1`,
    [deliveryId],
  )
  return rows[0] ?? null
}

function isFinal(status: unknown): boolean {
  return status === 'succeeded' || status === 'exhausted' || status === 'cancelled'
}
