/** Command `deliveries`: what waits, what failed, and what to do about it. */
import { Command, InvalidArgumentError, Option } from 'commander'
import pg from 'pg'
import { deliveriesChannel } from '../database/notifications.ts'
import { SluiceError } from '../errors.ts'
import { databaseUrlOf } from './installation.ts'

type Env = Readonly<Record<string, string | undefined>>

const statuses = ['pending', 'leased', 'waiting', 'succeeded', 'exhausted', 'cancelled'] as const
type Status = (typeof statuses)[number]

/** Which deliveries; all that are given must hold. */
export interface Selection {
  readonly id?: readonly string[]
  readonly status?: Status
  /** Id of a webhook or connection. */
  readonly target?: string
  /** Slug. */
  readonly team?: string
}

/** Written in one statement, so that a long list is done in steps that can be seen and stopped. */
const batch = 500

export function deliveriesCommand(env: Env, print: (line: string) => void = console.log): Command {
  const command = new Command('deliveries').description('see and mend deliveries; needs DATABASE_URL')
  const selecting = (name: string, description: string) =>
    command
      .command(name)
      .description(description)
      .argument('[ids...]', 'ids of deliveries', idsOf)
      .option('--target <id>', 'of this webhook or connection', idOf)
      .option('--team <slug>', 'of this team')

  command
    .command('counts')
    .description('how many there are by status, and how long the oldest has been due')
    .option('--follow', 'again each second, until interrupted')
    .action(({ follow = false }: { follow?: boolean }) => withPool(env, (pool) => showCounts(pool, { follow, print })))
  selecting('list', 'list deliveries, newest first')
    .addOption(new Option('--status <status>', 'in this status').choices(statuses))
    .option('--limit <n>', 'at most so many', countOf, 20)
    .action((id: string[], options: Selection & { limit: number }) =>
      withPool(env, async (pool) => {
        for (const line of await listDeliveries(pool, { ...options, id }, options.limit)) print(line)
      }),
    )
  selecting('retry', 'try again what is exhausted, cancelled or waiting for its next attempt')
    .addOption(new Option('--status <status>', 'in this status').choices(['exhausted', 'cancelled', 'waiting']))
    .option('--yes', 'without ids or a target: really all')
    .action((id: string[], options: Selection & { yes?: boolean }) =>
      withPool(env, async (pool) => {
        const done = await retryDeliveries(pool, selected({ ...options, id }, options.yes), progress(print))
        print(`${done} deliveries are due now.`)
      }),
    )
  selecting('cancel', 'cancel what is pending or waiting; an attempt under way is not stopped')
    .addOption(new Option('--status <status>', 'in this status').choices(['pending', 'waiting', 'leased']))
    .option('--yes', 'without ids or a target: really all')
    .action((id: string[], options: Selection & { yes?: boolean }) =>
      withPool(env, async (pool) => {
        const done = await cancelDeliveries(pool, selected({ ...options, id }, options.yes), progress(print))
        print(`${done} deliveries are cancelled.`)
      }),
    )
  return command
}

/** A line for each delivery: id, status, attempts, target, when due, last error. */
export async function listDeliveries(pool: pg.Pool, selection: Selection, limit: number): Promise<readonly string[]> {
  const { where, values } = conditionOf(selection)
  const { rows } = await pool.query<{
    readonly id: string
    readonly status: Status
    readonly attempt_count: number
    readonly target: string
    readonly due_at: Date | null
    readonly last_error: string | null
  }>(
    `select d.id, d.status, d.attempt_count, coalesce(w.name, n.name) || ' ' || coalesce(w.id, n.id) as target,
            d.due_at, d.last_error
       from deliveries d
       left join webhooks w on w.id = d.webhook_id
       left join connections n on n.id = d.connection_id
      where ${where}
      order by d.created_at desc, d.id desc
      limit $${values.length + 1}`,
    [...values, limit],
  )
  return rows.map(({ id, status, attempt_count, target, due_at, last_error }) =>
    [
      id,
      status.padEnd(9),
      `${attempt_count} attempts`,
      target,
      due_at ? `due ${due_at.toISOString()}` : '',
      last_error ?? '',
    ]
      .filter(Boolean)
      .join('  '),
  )
}

/** Makes them due now. What is final becomes pending again, under the same id. @returns how many. */
export function retryDeliveries(pool: pg.Pool, selection: Selection, report: (done: number) => void): Promise<number> {
  return inBatches(
    pool,
    selection,
    `d.status in ('exhausted', 'cancelled') or (d.status = 'waiting' and d.due_at > now())`,
    `status = case when d.due_at is null then 'pending' else d.status end::delivery_status, due_at = now(), finished_at = null,
     attempts_before_replay = case when d.due_at is null then d.attempt_count else d.attempts_before_replay end`,
    report,
  )
}

/** @returns how many were cancelled. */
export function cancelDeliveries(pool: pg.Pool, selection: Selection, report: (done: number) => void): Promise<number> {
  return inBatches(
    pool,
    selection,
    'd.due_at is not null',
    `status = 'cancelled', due_at = null, finished_at = now(), last_error = coalesce(d.last_error, 'Cancelled by an operator.')`,
    report,
  )
}

async function inBatches(
  pool: pg.Pool,
  selection: Selection,
  eligible: string,
  change: string,
  report: (done: number) => void,
): Promise<number> {
  const { where, values } = conditionOf(selection)
  let after = '00000000-0000-0000-0000-000000000000'
  let done = 0
  for (;;) {
    const { rows }: pg.QueryResult<{ id: string }> = await pool.query(
      `with chosen as (
         select d.id from deliveries d
          where (${where}) and (${eligible}) and d.id > $${values.length + 1}
          order by d.id
          limit ${batch}
            for no key update
       )
       update deliveries d set ${change} from chosen where d.id = chosen.id returning d.id`,
      [...values, after],
    )
    if (rows.length === 0) break
    done += rows.length
    after = rows.map(({ id }) => id).reduce((most, id) => (id > most ? id : most))
    report(done)
    await pool.query(`select pg_notify('${deliveriesChannel}', '')`)
  }
  return done
}

async function showCounts(
  pool: pg.Pool,
  { follow, print }: { readonly follow: boolean; readonly print: (line: string) => void },
): Promise<void> {
  let before: Map<string, number> | undefined
  for (;;) {
    const { rows } = await pool.query<{ status: string; count: number; oldest: number | null }>(
      `select status, count(*)::int as count, extract(epoch from now() - min(due_at) filter (where due_at <= now()))::float8 as oldest
         from deliveries group by status order by status`,
    )
    const counts = new Map(rows.map(({ status, count }) => [status, count]))
    const oldest = Math.max(0, ...rows.map((row) => row.oldest ?? 0))
    const line = statuses.map((status) => `${status} ${counts.get(status) ?? 0}`).join('  ')
    const finished = (counts.get('succeeded') ?? 0) - (before?.get('succeeded') ?? counts.get('succeeded') ?? 0)
    print(`${line}  oldest due ${oldest.toFixed(1)} s${before ? `  ${finished}/s` : ''}`)
    if (!follow) return
    before = counts
    await new Promise((resolve) => setTimeout(resolve, 1000))
  }
}

function conditionOf({ id, status, target, team }: Selection): { readonly where: string; readonly values: unknown[] } {
  const values: unknown[] = []
  const clauses = ['true']
  const add = (value: unknown, clause: (placeholder: string) => string) => {
    values.push(value)
    clauses.push(clause(`$${values.length}`))
  }
  if (id && id.length > 0) add(id, (p) => `d.id = any (${p}::uuid[])`)
  if (status) add(status, (p) => `d.status = ${p}::delivery_status`)
  if (target) add(target, (p) => `coalesce(d.webhook_id, d.connection_id) = ${p}::uuid`)
  if (team) add(team, (p) => `d.team_id = (select t.id from teams t where t.slug = ${p})`)
  return { where: clauses.join(' and '), values }
}

/** @throws SluiceError when nothing narrows it down and nobody said that all are meant. */
function selected(selection: Selection, all = false): Selection {
  const { id = [], target, team } = selection
  if (id.length > 0 || target || team || all) return selection
  throw new SluiceError(
    'VALIDATION_FAILED',
    'Say which deliveries: ids, --target or --team. For all of them, add --yes.',
  )
}

function progress(print: (line: string) => void): (done: number) => void {
  return (done) => {
    if (done % (batch * 10) === 0) print(`${done} …`)
  }
}

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

function idOf(text: string): string {
  if (!uuid.test(text))
    throw new InvalidArgumentError('It must be an id, such as 01a20145-583a-7189-9a96-34c8664f9aae.')
  return text
}

function idsOf(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), idOf(text)]
}

function countOf(text: string): number {
  const count = Number(text)
  if (!Number.isInteger(count) || count < 1) throw new InvalidArgumentError('It must be a whole number above 0.')
  return count
}

async function withPool(env: Env, use: (pool: pg.Pool) => Promise<void>): Promise<void> {
  const url = await databaseUrlOf(env)
  const pool = new pg.Pool({ connectionString: url, max: 1, application_name: 'sluice deliveries' })
  try {
    await use(pool)
  } finally {
    await pool.end()
  }
}
