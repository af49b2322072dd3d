/**
 * Two-phase producers, and what inbound payloads and pending entries are to each other.
 *
 * Phase one yields ids of payloads that will come. Each becomes a raw source:
 *
 * - `pending`: waited for, until `due_at`. An id that is there, in whatever state, is never taken again.
 * - `missing`: its time is over and nothing came. A payload that comes all the same is taken, and is late.
 *
 * A payload comes as a raw source of its own (origin `inbound`, `received`). The connector accepts it, or refuses it, and
 * reads its id. Then, under a lock of the connection, so that of two that come at once one is first:
 *
 * | the id is | and the content | then |
 * |---|---|---|
 * | pending, missing | | the payload takes the entry's place, with its id and its date, and is converted |
 * | failed | the same | the one that failed is converted again |
 * | failed | another | the payload takes its place and is converted |
 * | received, converted, discarded, or carried by an unmatched one | the same | it is a repetition: counted in `repeats`, and not kept |
 * | received, converted, discarded | another | of a two-phase producer `unmatched`, of others converted: a revision |
 * | unknown | | of a two-phase producer `unmatched`, until phase one yields the id or somebody accepts it; of others converted |
 */
import type pg from 'pg'
import { type Callee, type CallParts, callConnector } from './call.ts'
import { type RunCall, type RunLine, recordRun } from './record.ts'
import type { RunFailure } from './sandbox/process.ts'
import type { RunInput } from './sandbox/protocol.ts'
import { digestOfUniqueId } from './unique-ids.ts'

/** What a call of the connector's functions is given beside its parameters. */
export interface TwoPhaseCall {
  readonly team_id: string | null
  /** Of the context; the same that the conversion gets. */
  readonly input: Omit<RunInput, 'settings'>
  readonly signal: AbortSignal
  /** By `performance.now()`. */
  readonly deadline: number
}

/** Of a leased row of `raw_sources` with origin `inbound`. */
export interface InboundRow {
  readonly id: string
  readonly connection_id: string
  readonly unique_id: string | null
  readonly external_id: string | null
  readonly is_accepted: boolean
  readonly validated_at: Date | null
  readonly content: Buffer
  readonly headers: Readonly<Record<string, string>> | null
  readonly sealed_headers: Buffer | null
  readonly lease_token: string | null
  /** This one included. */
  readonly attempt_count: number
}

export type InboundMatch =
  /** Go on and convert the row. `external_id` is the session's key when the conversion names none. */
  | { readonly outcome: 'convert'; readonly external_id: string | null }
  /** What becomes of the row is written, or the row is gone; its lease is over. */
  | { readonly outcome: 'settled'; readonly as: 'refused' | 'unmatched' | 'repeated' }
  /** The connector could not be asked, or answered nonsense. */
  | { readonly outcome: 'failed'; readonly message: string; readonly failure: RunFailure }

/** What seals `raw_sources.sealed_headers`. */
export const headersPurpose = 'inbound headers'

export const mostIdLength = 500

/**
 * What is to be done with an inbound payload before it is converted.
 *
 * @throws only for defects of ours and of the database; what the connector does wrong is a result.
 */
export async function matchInbound(
  parts: CallParts,
  callee: Callee,
  row: InboundRow,
  call: TwoPhaseCall,
): Promise<InboundMatch> {
  const { pool } = parts.database
  if (row.unique_id !== null) return { outcome: 'convert', external_id: row.external_id ?? row.unique_id }
  const begun = { at: new Date(), ms: performance.now() }
  const notes = { log: [] as RunLine[], calls: [] as RunCall[] }
  const ask = async (method: string, parameters: readonly unknown[]) => {
    const { outcome, scrub } = await callConnector(parts, callee, {
      ...call,
      ...notes,
      method,
      parameters,
      call_id: row.id,
      source_id: row.id,
    })
    return outcome.ok ? outcome : { ...outcome, message: scrub(outcome.message) }
  }

  if (!row.validated_at && !row.is_accepted) {
    const secret = row.sealed_headers ? JSON.parse(parts.sealer.open(row.sealed_headers, headersPurpose)) : {}
    const answer = await ask('validatePayload', [new Uint8Array(row.content), { ...row.headers, ...secret }])
    if (!answer.ok && answer.failure === 'threw') {
      const isStranger = checksSenders(callee)
      await refuse(pool, row, { message: answer.message, forget: isStranger })
      // Strangers may send whatever they like; their refusals are not worth a run each.
      if (!isStranger) await recordRefusal(pool, callee, row, { message: answer.message, begun, ...notes })
      return { outcome: 'settled', as: 'refused' }
    }
    if (!answer.ok && answer.failure !== 'absent') return { outcome: 'failed', ...why(answer) }
  }

  let { external_id } = row
  if (external_id === null) {
    const answer = await ask('getExternalId', [new Uint8Array(row.content)])
    if (answer.ok) {
      const id = idIn(answer.value)
      if (id === undefined) {
        const message = `getExternalId must return a text of 1 to ${mostIdLength} characters, and returned ${JSON.stringify(answer.value)?.slice(0, 100)}.`
        return { outcome: 'failed', message, failure: 'protocol' }
      }
      external_id = id
    } else if (answer.failure !== 'absent' || isTwoPhase(callee)) return { outcome: 'failed', ...why(answer) }
  }
  if (external_id === null) {
    if (row.sealed_headers) await noteValidated(pool, row)
    return { outcome: 'convert', external_id: null }
  }
  return settleMatch(pool, row, { external_id, isTwoPhase: isTwoPhase(callee) })
}

function why({ failure, message }: { readonly failure: RunFailure; readonly message: string }) {
  return failure === 'absent'
    ? { failure, message: 'A two-phase producer must have a function getExternalId.' }
    : { failure, message }
}

/** The connector, and not Sluice, finds out who sent a payload. */
export function checksSenders({ connector }: Pick<Callee, 'connector'>): boolean {
  return connector.manifest.inbound?.authentication === 'connector'
}

function isTwoPhase({ connector }: Pick<Callee, 'connector'>): boolean {
  return connector.manifest.kinds.includes('two-phase-producer')
}

/** Undefined for what is no id. Numbers are ids too. */
function idIn(value: unknown): string | undefined {
  const text = value instanceof Uint8Array ? Buffer.from(value).toString('utf8') : value
  const id = typeof text === 'number' ? String(text) : text
  return typeof id === 'string' && id !== '' && id.length <= mostIdLength && !id.includes('\0') ? id : undefined
}

async function refuse(
  pool: pg.Pool,
  { id, lease_token }: InboundRow,
  { message, forget }: { readonly message: string; readonly forget: boolean },
): Promise<void> {
  await pool.query({
    name: 'raw sources: refuse',
    text: `update raw_sources
              set status = case when $4 then 'discarded' else 'failed' end::raw_source_status, is_refused = true,
                  message = $3, content = case when $4 then null else content end, sealed_headers = null,
                  due_at = null, lease_token = null, leased_until = null
            where id = $1 and lease_token is not distinct from $2::uuid`,
    values: [id, lease_token, message.replaceAll('\0', '').slice(0, 4000), forget],
  })
}

async function noteValidated(pool: pg.Pool, { id }: InboundRow): Promise<void> {
  await pool.query('update raw_sources set validated_at = now(), sealed_headers = null where id = $1', [id])
}

async function recordRefusal(
  pool: pg.Pool,
  { connector }: Callee,
  row: InboundRow,
  run: {
    readonly message: string
    readonly begun: { readonly at: Date; readonly ms: number }
    readonly log: readonly RunLine[]
    readonly calls: readonly RunCall[]
  },
): Promise<void> {
  await recordRun(pool, {
    connection_id: row.connection_id,
    delivery_id: null,
    session_id: null,
    raw_source_id: row.id,
    method: 'validatePayload',
    connector: `${connector.manifest.implementation}@${connector.manifest.version}`,
    revision: null,
    attempt: row.attempt_count,
    succeeded: false,
    message: run.message,
    log: run.log,
    calls: run.calls,
    started_at: run.begun.at,
    duration_ms: Math.round((performance.now() - run.begun.ms) * 100) / 100,
    stateChange: undefined,
  })
}

export type Known = {
  readonly id: string
  readonly status: 'pending' | 'received' | 'converted' | 'discarded' | 'failed' | 'missing' | 'unmatched'
  readonly same: boolean
}

export type Step = 'go' | 'take' | 'replace' | 'again' | 'repeat' | 'unmatched' | 'differs' | 'revision'

/**
 * The table above, as a function of values.
 *
 * @param known what has the payload's id, if anything has; `same` when its content is the same.
 */
export function stepFor(
  known: Known | undefined,
  payload: { readonly id: string; readonly isTwoPhase: boolean; readonly isAccepted: boolean },
): Step {
  const mayPass = payload.isAccepted || !payload.isTwoPhase
  if (!known) return mayPass ? 'take' : 'unmatched'
  if (known.id === payload.id) return 'go'
  switch (known.status) {
    case 'pending':
    case 'missing':
      return 'replace'
    case 'failed':
      return known.same ? 'again' : 'replace'
    case 'unmatched':
      return known.same ? 'repeat' : 'unmatched'
    default:
      if (known.same && !payload.isAccepted) return 'repeat'
      return mayPass ? 'revision' : 'differs'
  }
}

const differs = 'Another payload with this id was taken before, and its content differs. Accept it to convert it too.'
const unknownId = 'Nothing waits for a payload with this id. Accept it to convert it all the same, or discard it.'

/** One connection at a time: what is read is still so when it is written. */
async function locked<Value>(
  pool: pg.Pool,
  connectionId: string,
  work: (client: pg.PoolClient) => Promise<Value>,
): Promise<Value> {
  const client = await pool.connect()
  let broken = false
  try {
    await client.query('begin')
    // A statement of its own: the next one's snapshot is taken when the lock is held.
    await client.query('select pg_advisory_xact_lock(hashtextextended($1, 8))', [connectionId])
    const value = await work(client)
    await client.query('commit')
    return value
  } catch (error) {
    broken = await client.query('rollback').then(
      () => false,
      () => true,
    )
    throw error
  } finally {
    client.release(broken)
  }
}

/**
 * Decides under the lock, and writes it down.
 *
 * @internal exported for its test
 */
export async function settleMatch(
  pool: pg.Pool,
  row: Pick<InboundRow, 'id' | 'connection_id' | 'is_accepted' | 'lease_token'>,
  { external_id, isTwoPhase: twoPhase }: { readonly external_id: string; readonly isTwoPhase: boolean },
): Promise<InboundMatch> {
  const step = await locked(pool, row.connection_id, async (client) => {
    for (;;) {
      const { rows } = await client.query<Known>({
        name: 'raw sources: who has this id',
        text: knownSql,
        values: [row.connection_id, [external_id, digestOfUniqueId(external_id)], external_id, row.id],
      })
      const [known] = rows
      const decided = stepFor(known, { id: row.id, isTwoPhase: twoPhase, isAccepted: row.is_accepted })
      if (await takeStep(client, decided, row, external_id, known?.id ?? null)) return decided
      // What was known has changed meanwhile, or our lease is over. Then we find nothing to write.
      if (!(await isHeld(client, row))) return 'lost'
    }
  })
  if (step === 'repeat' || step === 'again' || step === 'lost') return { outcome: 'settled', as: 'repeated' }
  if (step === 'unmatched' || step === 'differs') return { outcome: 'settled', as: 'unmatched' }
  return { outcome: 'convert', external_id }
}

/** What has the id, if it waits, failed, or is the same; else a payload that came before with this id and is the same. */
const knownSql = `
select known.id, known.status, known.same
  from raw_sources own
 cross join lateral (
   select id, status, coalesce(payload_sha256 = own.payload_sha256, false) as same, true as has_id from raw_sources
    where connection_id = $1 and unique_id = any($2::text[])
   union all
   select id, status, true, false from raw_sources
    where connection_id = $1 and external_id = $3 and payload_sha256 = own.payload_sha256 and id <> $4
 ) as known
 where own.id = $4
 order by known.has_id and (known.same or known.status in ('pending', 'missing', 'failed')) desc, known.has_id
 limit 1`

async function isHeld(client: pg.PoolClient, { id, lease_token }: Pick<InboundRow, 'id' | 'lease_token'>) {
  const { rowCount } = await client.query(
    'select from raw_sources where id = $1 and lease_token is not distinct from $2::uuid',
    [id, lease_token],
  )
  return rowCount === 1
}

/** @returns whether it was so. Only who holds the lease writes. */
async function takeStep(
  client: pg.PoolClient,
  step: Step,
  { id, lease_token }: Pick<InboundRow, 'id' | 'lease_token'>,
  external_id: string,
  knownId: string | null,
): Promise<boolean> {
  switch (step) {
    case 'go':
      return true
    case 'take':
    case 'revision':
      return wrote(
        client.query(
          `update raw_sources set external_id = $3, unique_id = case when $4 then $3 end, validated_at = now(), sealed_headers = null
            where id = $1 and lease_token is not distinct from $2::uuid`,
          [id, lease_token, external_id, step === 'take'],
        ),
      )
    case 'replace':
      return wrote(client.query(replaceSql, [id, lease_token, external_id, knownId]))
    case 'repeat':
    case 'again':
      return wrote(client.query(repeatSql, [id, lease_token, knownId, step === 'again']))
    default:
      return wrote(
        client.query(
          `update raw_sources
              set status = 'unmatched', external_id = $3, message = $4, validated_at = now(), sealed_headers = null,
                  due_at = null, lease_token = null, leased_until = null
            where id = $1 and lease_token is not distinct from $2::uuid`,
          [id, lease_token, external_id, step === 'differs' ? differs : unknownId],
        ),
      )
  }
}

async function wrote(written: Promise<pg.QueryResult>): Promise<boolean> {
  return (await written).rowCount === 1
}

const repeatSql = `
with gone as (
  delete from raw_sources where id = $1 and lease_token is not distinct from $2::uuid returning repeats
)
update raw_sources r
   set repeats = r.repeats + gone.repeats + 1,
       attempt_count = case when $4 and r.status = 'failed' then 0 else r.attempt_count end,
       due_at = case when $4 and r.status = 'failed' then now() else r.due_at end,
       status = case when $4 and r.status = 'failed' then 'received' else r.status end
  from gone where r.id = $3`

/** The update waits for what the delete returns, so the id is free when it is taken. */
const replaceSql = `
with own as (
  select id from raw_sources where id = $1 and lease_token is not distinct from $2::uuid
), gone as (
  delete from raw_sources k using own where k.id = $4 and k.status in ('pending', 'missing', 'failed')
  returning k.id, k.status, k.session_id, k.session_key, k.repeats, k.created_at
), runs as (
  update connector_runs r set raw_source_id = $1 from gone where r.raw_source_id = gone.id
)
update raw_sources r
   set unique_id = $3, external_id = $3, is_late = gone.status = 'missing', session_id = gone.session_id,
       session_key = gone.session_key, repeats = r.repeats + gone.repeats, created_at = gone.created_at,
       validated_at = now(), sealed_headers = null
  from gone
 where r.id = $1`

/** What `getRawSources` gave, one entry. */
export interface ProducedSource {
  readonly source: unknown
  readonly uniqueSourceId?: string | undefined
}

export interface StoredPending<Source extends ProducedSource> {
  /** Ids that are waited for now. */
  readonly pending: number
  /** Ids that were there before. */
  readonly known: number
  /** Ids whose payloads were here already; those are converted now. */
  readonly matched: number
  /** No ids but sources, as `isTwoPhased` said: to be stored like any producer's. */
  readonly direct: readonly Source[]
  /** Sources that are neither, and why: a sentence each. */
  readonly faults: readonly string[]
}

/** Ids of one statement. */
const batch = 1000

/** Stores what phase one yielded. Who triggers again takes no id twice. */
export async function storePending<Source extends ProducedSource>(
  parts: CallParts,
  callee: Callee,
  sources: readonly Source[],
  call: TwoPhaseCall & { readonly call_id: string },
): Promise<StoredPending<Source>> {
  const { ids, direct, faults } = await sorted(parts, callee, sources, call)
  const counts = { pending: 0, known: 0, matched: 0 }
  for (let from = 0; from < ids.length; from += batch) {
    const some = ids.slice(from, from + batch)
    const stored = await storeIds(parts.database.pool, callee.connection.id, some)
    counts.pending += stored.pending
    counts.matched += stored.matched
    counts.known += some.length - stored.pending - stored.matched
  }
  return { ...counts, direct, faults }
}

async function sorted<Source extends ProducedSource>(
  parts: CallParts,
  callee: Callee,
  sources: readonly Source[],
  call: TwoPhaseCall & { readonly call_id: string },
) {
  const ids = new Set<string>()
  const direct: Source[] = []
  const faults: string[] = []
  let asks = true
  for (const each of sources) {
    if (asks) {
      const { outcome, scrub } = await callConnector(parts, callee, {
        ...call,
        method: 'isTwoPhased',
        parameters: [each],
        log: [],
        calls: [],
      })
      if (outcome.ok && outcome.value === false) {
        direct.push(each)
        continue
      }
      if (!outcome.ok && outcome.failure !== 'absent') {
        faults.push(`isTwoPhased failed: ${scrub(outcome.message)}`)
        continue
      }
      asks = outcome.ok
    }
    const id = idIn(each.uniqueSourceId ?? each.source)
    if (id === undefined) faults.push(`A source of phase one must be an id: a text of 1 to ${mostIdLength} characters.`)
    else ids.add(id)
  }
  return { ids: [...ids], direct, faults }
}

/**
 * @param ids each once.
 * @internal exported for its test
 */
export async function storeIds(
  pool: pg.Pool,
  connectionId: string,
  ids: readonly string[],
): Promise<{ readonly pending: number; readonly matched: number }> {
  return locked(pool, connectionId, async (client) => {
    const { rows } = await client.query<{ pending: number; matched: number }>({
      name: 'raw sources: store pending',
      text: storeSql,
      values: [connectionId, ids, ids.map(digestOfUniqueId)],
    })
    return rows[0] ?? { pending: 0, matched: 0 }
  })
}

/** A payload that came before its id was known takes the id; of several the newest, the others stay for somebody to see. */
const storeSql = `
with given as (
  select id from unnest($2::text[], $3::text[]) as given(id, digest)
   where not exists (select from raw_sources r where r.connection_id = $1 and r.unique_id in (given.id, given.digest))
), here as (
  select distinct on (r.external_id) r.id, r.external_id
    from given join raw_sources r on r.connection_id = $1 and r.external_id = given.id and r.status = 'unmatched'
   order by r.external_id, r.position desc
), matched as (
  update raw_sources r
     set status = 'received', unique_id = here.external_id, message = null, due_at = now(), attempt_count = 0
    from here where r.id = here.id
  returning r.unique_id
), waiting as (
  insert into raw_sources (connection_id, team_id, unique_id, external_id, status, due_at)
  select c.id, coalesce(c.team_id, f.team_id), given.id, given.id, 'pending', now() + c.pending_hours * interval '1 hour'
    from given join connections c on c.id = $1 left join flows f on f.id = c.flow_id
   where not exists (select from here where here.external_id = given.id)
  on conflict do nothing
  returning 1
)
select (select count(*)::int from waiting) as pending, (select count(*)::int from matched) as matched`
