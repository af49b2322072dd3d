/** Keeps this process's revocations true: what had ended when it started, and from then on what the change feed tells. */
import { createRevocations, type Revocations } from '../access/revocations.ts'
import type { Database } from '../database/database.ts'
import { messageOf } from '../errors.ts'
import type { Change, ChangeFeed } from '../live/change-feed.ts'
import type { Log } from '../log.ts'

export interface FollowOptions {
  readonly database: Database
  readonly feed: ChangeFeed
  /** The longest life of a token: what ended longer ago has no live token. */
  readonly tokenSeconds: number
  readonly log: Log
}

export interface FollowedRevocations extends Revocations {
  close(): void
}

/** The longest delay of a Node timer. What ends later is seen again when it is read again. */
const longestTimerMs = 2 ** 31 - 1
const pruneMs = 3_600_000

export async function followRevocations(options: FollowOptions): Promise<FollowedRevocations> {
  const { database, feed, tokenSeconds, log } = options
  const revocations = createRevocations({ keptMs: (tokenSeconds + 60) * 1000 })
  const endings = createEndings((id) => revocations.revoke(id))
  let closed = false

  function take(changes: readonly Change[]): void {
    for (const change of changes) {
      const state = stateAfter(change)
      if (state) apply(state)
    }
  }

  function apply({ id, endsAt, voidBefore }: State): void {
    if (voidBefore) revocations.voidBefore(id, voidBefore)
    if (endsAt !== null && endsAt.getTime() <= Date.now()) {
      endings.cancel(id)
      revocations.revoke(id)
      return
    }
    revocations.restore(id)
    endings.set(id, endsAt)
  }

  // What changes while the tables are read is taken after them: it is newer.
  let missed: Change[] | null = null
  async function readAll(): Promise<void> {
    missed ??= []
    const states = await readStates(database, tokenSeconds)
    revocations.clear()
    for (const state of states) apply(state)
    const late: readonly Change[] = missed ?? []
    missed = null
    take(late)
  }

  const stopListening = feed.listen((changes) => {
    if (missed) missed.push(...changes)
    else take(changes)
  })
  const stopGaps = feed.onGap(() => void readAgain())
  await readAll()

  /** Changes may have been missed: the tables say what holds. */
  async function readAgain(delayMs = 250): Promise<void> {
    try {
      await readAll()
    } catch (error) {
      log.warn({ error: messageOf(error) }, 'what access has ended could not be read; trying again')
      if (!closed) setTimeout(() => void readAgain(Math.min(delayMs * 2, 5_000)), delayMs).unref()
    }
  }

  const pruning = setInterval(() => revocations.prune(), pruneMs).unref()
  return {
    ...revocations,
    close() {
      closed = true
      stopListening()
      stopGaps()
      clearInterval(pruning)
      endings.close()
    },
  }
}

/** What holds for one id: when its access ends or ended (null: it goes on), and which tokens are void. */
interface State {
  readonly id: string
  readonly endsAt: Date | null
  readonly voidBefore?: Date | null
}

const always = new Date(0)

/** What a change says about access; null for what has nothing to do with it. */
function stateAfter({ table, operation, key, old, new: now }: Change): State | null {
  const id = String(key.id)
  const gone = operation === 'delete'
  switch (table) {
    case 'teams':
      return gone ? { id, endsAt: always } : null
    case 'integrations':
      return { id, endsAt: gone || now?.status !== 'active' ? always : null }
    case 'api_credentials':
      return { id, endsAt: gone ? always : earliest(now?.revoked_at, now?.expires_at) }
    case 'api_secrets':
      // Most changes only say when it was last used.
      if (!gone && old && old.expires_at === now?.expires_at) return null
      return { id, endsAt: gone ? always : earliest(now?.expires_at) }
    case 'users':
      return {
        id,
        endsAt: gone ? always : earliest(now?.disabled_at),
        voidBefore: gone ? null : earliest(now?.tokens_valid_from),
      }
    case 'sign_ins':
      // One that has run out gets no new token; those it has end by themselves.
      return gone || now?.ended_at ? { id, endsAt: always } : null
    case 'revoked_tokens':
      return gone ? null : { id, endsAt: always }
    default:
      return null
  }
}

function earliest(...times: readonly unknown[]): Date | null {
  const dates = times.flatMap((time) => (typeof time === 'string' ? [Date.parse(time)] : []))
  return dates.length > 0 ? new Date(Math.min(...dates)) : null
}

/** Everything that has ended and may have live tokens, and secrets that have an end before them. */
async function readStates({ pool }: Database, tokenSeconds: number): Promise<State[]> {
  const { rows } = await pool.query<{ id: string; ends_at: Date | null; void_before: Date | null }>(
    `with since as (select now() - make_interval(secs => $1) as moment)
     select id, least(revoked_at, expires_at) as ends_at, null::timestamptz as void_before
       from api_credentials, since where least(revoked_at, expires_at) > moment
     union all select id, expires_at, null from api_secrets, since where expires_at > moment
     union all select id, '-infinity'::timestamptz, null from integrations where status <> 'active'
     union all select id, disabled_at, tokens_valid_from from users, since
                where disabled_at > moment or tokens_valid_from > moment
     union all select id, ended_at, null from sign_ins, since where ended_at > moment
     union all select id, revoked_at, null from revoked_tokens where expires_at > now()
     union all select id, ended_at, null from ended_access, since where ended_at > moment`,
    [tokenSeconds + 60],
  )
  return rows.map(({ id, ends_at, void_before }) => ({
    id,
    // pg reads -infinity as a number.
    endsAt: ends_at === null || ends_at instanceof Date ? ends_at : always,
    voidBefore: void_before,
  }))
}

/** One timer for each id whose end is known and still to come. */
function createEndings(end: (id: string) => void) {
  const timers = new Map<string, NodeJS.Timeout>()
  function cancel(id: string): void {
    clearTimeout(timers.get(id))
    timers.delete(id)
  }
  function set(id: string, at: Date | null): void {
    cancel(id)
    if (at === null) return
    const left = at.getTime() - Date.now()
    const timer = setTimeout(
      () => {
        if (left > longestTimerMs) return set(id, at)
        timers.delete(id)
        end(id)
      },
      Math.min(Math.max(left, 0), longestTimerMs),
    )
    timers.set(id, timer.unref())
  }
  return {
    cancel,
    set,
    close() {
      for (const timer of timers.values()) clearTimeout(timer)
      timers.clear()
    },
  }
}
