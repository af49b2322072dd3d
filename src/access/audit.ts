/**
 * Who did what, to which sessions, when, from where, and whether it was granted.
 *
 * Three ways to write, by what is at stake:
 * - `recordIn` inside the caller's transaction: what changed and its entry stand or fall together.
 * - `record` on its own, awaited: entries that are waiting at the same time become one insert.
 * - `refused` without waiting, bounded: whoever is refused a million times cannot fill the disk. The first of equal
 *   refusals in a minute is written at once; those that follow become one entry with their number.
 *
 * An entry never holds a secret, or data of a session.
 */
import type pg from 'pg'
import { storableJson } from '../database/storable.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Principal } from './principal.ts'
import { reachOf } from './reach.ts'

/** `failed`: it was allowed, and did not work. */
export type AuditOutcome = 'granted' | 'refused' | 'failed'

/** Who did it, where that is not a principal, such as a key that could not be verified. */
export interface AuditActor {
  readonly kind: Principal['kind']
  readonly id?: string | null
  readonly role?: string | null
}

/** Columns in the database's words; either `principal` or `actor`. */
export interface AuditEntry {
  readonly principal?: Principal
  readonly actor?: AuditActor
  /** `query`, `rotate_credential`, `update webhooks`, `authenticate`, … */
  readonly operation: string
  readonly outcome: AuditOutcome
  /** Whose editors see it. @default the principal's team, else the one team of `ids` or `session_ids` */
  readonly team_id?: string | null
  /** @default the principal's */
  readonly integration_id?: string | null
  readonly session_ids?: readonly string[]
  /** Ids of other rows that it was about; kept in `detail.ids`. They also tell the team where nothing else does. */
  readonly ids?: Readonly<Record<string, string>>
  readonly address?: string | null
  readonly request_id?: string | null
  /** Anything else, small; never a secret, never data. `code` is the error's code. */
  readonly detail?: Readonly<Record<string, unknown>>
}

/** A client of a running transaction, or the pool. */
type Queryable = Pick<pg.ClientBase, 'query'>

export interface Audit {
  /** Resolves when the entry is stored. @throws the database's error. */
  record(entry: AuditEntry): Promise<void>
  /** Writes within the transaction of `client`. */
  recordIn(client: Queryable, ...entries: readonly AuditEntry[]): Promise<void>
  /** Writes soon, and equal ones of one minute together. A failure to write is logged. */
  refused(entry: AuditEntry): void
  /** Writes what is still held back. */
  close(): Promise<void>
}

export interface AuditOptions {
  readonly pool: pg.Pool
  readonly log: Log
  /** Equal refusals within this time become one entry. @default 60 000 */
  readonly windowMs?: number
  /** Different refusals that are told apart in one window; those beyond it become one entry. @default 500 */
  readonly mostKinds?: number
}

/**
 * @example
 * const audit = createAudit({ pool, log })
 * await audit.record({ principal, operation: 'rotate_credential', outcome: 'granted', ids: { credential_id } })
 */
export function createAudit({ pool, log, windowMs = 60_000, mostKinds = 500 }: AuditOptions): Audit {
  const write = coalesced((entries) => insertEntries(pool, entries))
  const pending = new Set<Promise<void>>()
  const soon = (entry: AuditEntry) => {
    const written: Promise<void> = write(entry)
      .catch((error) => log.error({ error: messageOf(error), operation: entry.operation }, 'an audit entry was lost'))
      .finally(() => pending.delete(written))
    pending.add(written)
  }
  const refusals = createRefusals({ mostKinds, write: soon })
  const timer = setInterval(() => refusals.end(), windowMs).unref()
  return {
    record: write,
    recordIn: (client, ...entries) => insertEntries(client, entries),
    refused: (entry) => refusals.add(entry),
    async close() {
      clearInterval(timer)
      refusals.end()
      await Promise.all(pending)
    },
  }
}

interface Refusals {
  add(entry: AuditEntry): void
  /** The window is over: repetitions are written. */
  end(): void
}

/** @internal exported for its test */
export function createRefusals({
  mostKinds,
  write,
}: {
  readonly mostKinds: number
  readonly write: (entry: AuditEntry) => void
}): Refusals {
  let kinds = new Map<string, { readonly entry: AuditEntry; repeated: number }>()
  let beyond = 0
  return {
    add(entry) {
      const key = kindOf(entry)
      const known = kinds.get(key)
      if (known) known.repeated += 1
      else if (kinds.size >= mostKinds) beyond += 1
      else {
        kinds.set(key, { entry, repeated: 0 })
        write(entry)
      }
    },
    end() {
      const over = kinds
      const others = beyond
      kinds = new Map()
      beyond = 0
      for (const { entry, repeated } of over.values()) {
        if (repeated > 0) write({ ...entry, request_id: null, detail: { ...entry.detail, repeated } })
      }
      if (others > 0) {
        const actor = { kind: 'system' as const }
        write({ actor, operation: 'refusals', outcome: 'refused', detail: { repeated: others, of: 'many kinds' } })
      }
    },
  }
}

function kindOf(entry: AuditEntry): string {
  const { principal, actor, operation, outcome, session_ids, ids, address, detail } = entry
  const who = principal ? [principal.kind, principal.id] : [actor?.kind, actor?.id]
  return JSON.stringify([who, operation, outcome, session_ids, ids, address, detail])
}

/** Entries that one statement writes; more wait for the next. */
const mostAtOnce = 500

/** One write at a time; what comes meanwhile goes together with the next. */
function coalesced(insert: (entries: readonly AuditEntry[]) => Promise<void>): (entry: AuditEntry) => Promise<void> {
  interface Waiting {
    readonly entry: AuditEntry
    resolve(): void
    reject(error: unknown): void
  }
  let waiting: Waiting[] = []
  let writing = false
  const run = async () => {
    writing = true
    while (waiting.length > 0) {
      const batch = waiting.slice(0, mostAtOnce)
      waiting = waiting.slice(mostAtOnce)
      try {
        await insert(batch.map(({ entry }) => entry))
        for (const one of batch) one.resolve()
      } catch (error) {
        for (const one of batch) one.reject(error)
      }
    }
    writing = false
  }
  return (entry) =>
    new Promise((resolve, reject) => {
      waiting.push({ entry, resolve, reject })
      if (!writing) void run()
    })
}

/** One statement for any number of entries. */
async function insertEntries(client: Queryable, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return
  await client.query({
    name: 'audit: insert entries',
    text: insertSql,
    // Entries that wait together are one statement: a character that it refused would lose all of them.
    values: [storableJson(entries.map(rowOf))],
  })
}

/**
 * The order of the rows is the order of the entries: positions and ids are taken row by row. Sessions are looked up
 * here and not by audit_team(), whose nine tables cost 150 µs: every submission comes this way.
 */
const insertSql = `
insert into audit_entries (team_id, integration_id, actor_kind, actor_id, role, operation, outcome, session_ids, address, request_id, detail)
select coalesce(e.team_id,
                case when e.of_team and cardinality(e.session_ids) > 0 then (
                  select case when count(distinct s.team_id) = 1 then (array_agg(s.team_id))[1] end
                    from sessions s where s.id = any(e.session_ids)) end,
                case when e.of_team and cardinality(e.about) > 0 then audit_team(e.about) end),
       e.integration_id, e.actor_kind, e.actor_id, e.role, e.operation, e.outcome, e.session_ids, e.address, e.request_id, e.detail
  from jsonb_to_recordset($1::jsonb) as e(
         team_id uuid, of_team boolean, about uuid[], integration_id uuid, actor_kind text, actor_id text, role text,
         operation text, outcome text, session_ids uuid[], address text, request_id text, detail jsonb)`

function rowOf(entry: AuditEntry): Record<string, unknown> {
  const { principal, actor, session_ids = [], ids = {}, detail } = entry
  const others = Object.keys(ids).length > 0 ? { ids } : {}
  const more = { ...others, ...detail }
  return {
    team_id: entry.team_id ?? principal?.teamId ?? onlyTeam(principal),
    of_team: entry.team_id !== null,
    about: Object.values(ids),
    integration_id: entry.integration_id ?? principal?.integrationId ?? null,
    actor_kind: principal?.kind ?? actor?.kind ?? 'system',
    actor_id: text(principal?.id ?? actor?.id),
    role: principal?.role ?? actor?.role ?? null,
    operation: text(entry.operation),
    outcome: entry.outcome,
    session_ids,
    address: text(entry.address),
    request_id: text(entry.request_id),
    detail: Object.keys(more).length > 0 ? more : null,
  }
}

/** A person of one team acts for it. */
function onlyTeam(principal: Principal | undefined): string | null {
  const teams = principal ? reachOf(principal).teamIds : []
  return teams.length === 1 ? (teams[0] as string) : null
}

/** Postgres's text holds no NUL, and nobody needs to read more of what a stranger sent. */
function text(value: string | null | undefined): string | null {
  return value ? value.replaceAll('\0', '').slice(0, 200) : null
}
