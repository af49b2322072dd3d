/** Deliveries for tests, written as a submitting transaction writes them. */
import { randomUUID } from 'node:crypto'
import type pg from 'pg'
import { deliveriesChannel } from '../database/notifications.ts'

export interface PlantedTarget {
  readonly id: string
  readonly integration_id: string
}

export interface Planted {
  readonly team_id: string
  readonly flow_id: string
  readonly integration_id: string
}

/** A team `camden` with a flow `apply` and one integration. */
export async function plantTeam(pool: pg.Pool): Promise<Planted> {
  const { rows } = await pool.query<Planted>(`
    with team as (insert into teams (slug, name) values ('camden', 'Camden') returning id),
    flow as (insert into flows (team_id, slug, name) select id, 'apply', 'Apply' from team returning id),
    integration as (insert into integrations (team_id, slug, name) select id, 'bops', 'BOPS' from team returning id)
    select team.id as team_id, flow.id as flow_id, integration.id as integration_id from team, flow, integration`)
  const [planted] = rows
  if (!planted) throw new Error('nothing was planted')
  return planted
}

export async function plantWebhook(
  pool: pg.Pool,
  { integration_id, team_id }: Planted,
  {
    url = 'https://receiver.test/',
    concurrency = 8,
    timeout_ms = 5000,
    ordered = false,
    rate_per_second = null as number | null,
  } = {},
): Promise<PlantedTarget> {
  const id = randomUUID()
  await pool.query(
    `insert into webhooks (id, integration_id, team_id, name, url, config, concurrency, timeout_ms, ordered, rate_per_second)
     values ($1, $2, $3, 'hook', $4, '{"office":"north"}', $5, $6, $7, $8)`,
    [id, integration_id, team_id, url, concurrency, timeout_ms, ordered, rate_per_second],
  )
  return { id, integration_id }
}

/** So many sessions, each with its grant, its event and one delivery to each target. @returns delivery ids, oldest first. */
export async function plantDeliveries(
  pool: pg.Pool,
  { team_id, flow_id, integration_id }: Planted,
  targets: readonly PlantedTarget[],
  count = 1,
): Promise<readonly string[]> {
  const { rows } = await pool.query<{ id: string }>(
    `with session as (
       insert into sessions (id, team_id, flow_id, kind, payment_id, data, content_hash, expires_at)
       select uuid_v7(), $1, $2, 'application', 'pay_1', '{}', '\\x00', now() + interval '30 days'
         from generate_series(1, $5::int)
       returning id
     ), granted as (
       insert into session_grants (session_id, integration_id, team_id, expires_at)
       select id, $3, $1, now() + interval '30 days' from session
     ), event as (
       insert into session_events (type, session_id, team_id, flow_id, payment_id)
       select 'session.submitted', id, $1, $2, 'pay_1' from session
       returning id, session_id, position
     )
     insert into deliveries (event_id, event_position, session_id, team_id, integration_id, webhook_id)
     select event.id, event.position, event.session_id, $1, $3, target.id from event, unnest($4::uuid[]) as target(id)
      order by event.id
     returning id`,
    [team_id, flow_id, integration_id, targets.map((target) => target.id), count],
  )
  return rows.map((row) => row.id)
}

/** Asks again and again until the answer fits. */
export async function until<T>(ask: () => Promise<T>, fits: (answer: T) => boolean, ms = 30_000): Promise<T> {
  const deadline = performance.now() + ms
  for (;;) {
    const answer = await ask()
    if (fits(answer)) return answer
    if (performance.now() > deadline)
      throw new Error(`still not so after ${ms} ms: ${JSON.stringify(answer)?.slice(0, 1000)}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What a submitter does right after its commit. */
export async function wakeWorkers(pool: pg.Pool): Promise<void> {
  await pool.query(`select pg_notify('${deliveriesChannel}', '')`)
}
