/**
 * How a webhook fares: `active`, `failing` after several failures in a row, and
 * `disabled` once it says that it is gone for good. An answer of 2xx makes a
 * failing one active again; only a person enables a disabled one.
 */
import type pg from 'pg'

export interface Outcome {
  readonly webhook_id: string
  readonly succeeded: boolean
  /** Set when the webhook is gone: the sentence that its editors read. */
  readonly gone?: string
}

interface Change {
  readonly webhook_id: string
  /** Failures since the last success among the outcomes. */
  readonly failures: number
  readonly succeeded: boolean
  readonly gone: string | null
}

/** Folds outcomes, oldest first, to one change per webhook. */
export function changesOf(outcomes: readonly Outcome[]): readonly Change[] {
  const changes = new Map<string, Change>()
  for (const { webhook_id, succeeded, gone = null } of outcomes) {
    const before = changes.get(webhook_id) ?? { webhook_id, failures: 0, succeeded: false, gone: null }
    const after = succeeded ? { failures: 0, succeeded: true } : { failures: before.failures + 1 }
    changes.set(webhook_id, { ...before, ...after, gone: gone ?? before.gone })
  }
  return [...changes.values()]
}

/** A healthy webhook that succeeds costs one index look-up and no write. */
export async function recordHealth(
  pool: pg.Pool,
  outcomes: readonly Outcome[],
  { failingAfter }: { readonly failingAfter: number },
): Promise<void> {
  if (outcomes.length === 0) return
  await pool.query({
    name: 'record_health',
    text: `
      with change as (
        select c.webhook_id, c.gone,
               case when c.succeeded then c.failures else w.consecutive_failures + c.failures end as failures
          from jsonb_to_recordset($1::jsonb) as c(webhook_id uuid, failures int, succeeded boolean, gone text)
          join webhooks w on w.id = c.webhook_id
         where w.state <> 'disabled'
           and (c.failures > 0 or w.consecutive_failures > 0 or w.state <> 'active')
         order by w.id
           for update of w
      )
      update webhooks w
         set consecutive_failures = c.failures,
             state = case when c.gone is not null then 'disabled'
                          when c.failures >= $2 then 'failing'
                          when c.failures = 0 then 'active'
                          else w.state end::webhook_state,
             state_reason = case when c.gone is not null then c.gone
                                 when c.failures >= $2 then c.failures || ' attempts in a row have failed.'
                                 when c.failures = 0 then null
                                 else w.state_reason end
        from change c
       where w.id = c.webhook_id`,
    values: [JSON.stringify(changesOf(outcomes)), failingAfter],
  })
}
