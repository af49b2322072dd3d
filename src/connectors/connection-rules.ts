/** What editors may set of a connection that is there. */
import type pg from 'pg'
import { z } from 'zod'
import { SluiceError } from '../errors.ts'
import { deliverySettings, eventList, parsePattern } from '../tables/event-shape.ts'
import type { ConnectorKind } from './manifest.ts'
import { checkSchedule } from './schedule.ts'

const mostJsonBytes = 8 * 1024

const jsonObject = z
  .record(z.string(), z.json(), { message: 'must be an object' })
  .refine((value) => JSON.stringify(value).length <= mostJsonBytes, {
    message: `may be ${mostJsonBytes} bytes of JSON at most`,
  })

/** `concurrency` is runs at once; `timeout_ms` is for a whole run; `pending_hours` is how long payloads are waited for. */
const settings = z.object({
  name: z
    .string()
    .trim()
    .min(1, { message: 'write 1 to 200 characters' })
    .max(200, { message: 'write 1 to 200 characters' }),
  config: jsonObject,
  pattern: jsonObject,
  concurrency: z.int().min(1).max(64),
  timeout_ms: z.int().min(1000).max(300_000),
  events: eventList,
  schedule: z.string().nullable().default(null),
  time_zone: z.string().default('UTC'),
  run_order: z.int().min(-1000).max(1000).default(0),
  pending_hours: z.int().min(1).max(8760).default(168),
  ...deliverySettings,
})

/**
 * A connection as it stands after a change.
 *
 * @throws SluiceError VALIDATION_FAILED that names the column.
 */
export function checkConnectionRow(row: Readonly<Record<string, unknown>>): void {
  const result = settings.safeParse(row)
  if (!result.success) {
    const [issue] = result.error.issues
    const path = issue?.path.join('.')
    throw new SluiceError('VALIDATION_FAILED', `${path}: ${issue?.message ?? 'is not valid'}.`, { path })
  }
  parsePattern(result.data.pattern)
  checkSchedule(result.data)
}

/** What makes a connection able to have a schedule, and a flow. */
const scheduledKinds: readonly ConnectorKind[] = ['producer', 'two-phase-producer', 'modifier']
const producingKinds: readonly ConnectorKind[] = ['producer', 'two-phase-producer', 'webhook']

export interface PlannedConnection {
  readonly kinds: readonly string[]
  /** Null for one of the platform. */
  readonly team_id: string | null
  readonly schedule: string | null
  readonly flow_id: string | null
  /** Of the flow; null when there is no such flow. */
  readonly flow_team_id: string | null
}

/**
 * Whether what a connection is to produce, and when, fits its connector and its team.
 *
 * @throws SluiceError VALIDATION_FAILED that names the column.
 */
export function checkPlan({ kinds, team_id, schedule, flow_id, flow_team_id }: PlannedConnection): void {
  const isOneOf = (wanted: readonly string[]) => wanted.some((kind) => kinds.includes(kind))
  const are = `its connector is a ${kinds.join(' and a ')}`
  if (schedule !== null && !isOneOf(scheduledKinds)) {
    throw wrong('schedule', `${are}, and only producers and modifiers run on a schedule. Leave it out.`)
  }
  if (flow_id === null) return
  if (!isOneOf(producingKinds)) {
    throw wrong('flow_id', `${are}, and only producers and webhooks make sessions of a flow. Leave it out.`)
  }
  if (flow_team_id === null || (team_id !== null && team_id !== flow_team_id)) {
    throw wrong('flow_id', 'there is no such flow in the team of the connection.')
  }
}

/**
 * `checkPlan` for connections as they stand in the table.
 *
 * @param client of the transaction that wrote them.
 */
export async function checkPlans(client: pg.ClientBase, ids: readonly unknown[]): Promise<void> {
  const { rows } = await client.query<PlannedConnection>(
    `select k.manifest -> 'kinds' as kinds, c.team_id, c.schedule, c.flow_id, f.team_id as flow_team_id
       from connections c join connectors k on k.id = c.connector_id left join flows f on f.id = c.flow_id
      where c.id = any($1::uuid[]) and (c.schedule is not null or c.flow_id is not null)`,
    [ids],
  )
  for (const row of rows) checkPlan(row)
}

function wrong(path: string, message: string): SluiceError {
  return new SluiceError('VALIDATION_FAILED', `${path}: ${message}`, { path })
}
