/** What happened to a session, from many tables, as one story from old to new. */
import type { Tone } from '../../kit/status-badge.tsx'
import type {
  AuditRow,
  DeliveryRow,
  EditorFacts,
  EventRow,
  GrantRow,
  History,
  RevisionRow,
  RunRow,
  SessionFacts,
  SettlingFacts,
  SourceRow,
} from './queries.ts'

export const groups = ['intake', 'deliveries', 'connectors', 'access'] as const
export type Group = (typeof groups)[number]

export interface Author {
  readonly kind: string
  readonly id: string | null
}

export type Entry = {
  readonly key: string
  readonly at: string
  /** It will happen. */
  readonly isAhead?: boolean
} & (
  | { readonly type: 'submitted'; readonly group: 'intake'; readonly author: Author | null }
  | { readonly type: 'source'; readonly group: 'intake'; readonly source: SourceRow }
  | { readonly type: 'settling'; readonly group: 'intake'; readonly settling: SettlingFacts | undefined }
  | { readonly type: 'revised'; readonly group: 'intake'; readonly revision: number; readonly author: Author | null }
  | { readonly type: 'event'; readonly group: 'intake'; readonly event: EventRow }
  | {
      readonly type: 'delivery'
      readonly group: 'deliveries'
      readonly delivery: DeliveryRow
      readonly runs: readonly RunRow[]
    }
  | { readonly type: 'run'; readonly group: 'connectors'; readonly run: RunRow }
  | { readonly type: 'opened'; readonly group: 'access'; readonly grants: readonly GrantRow[] }
  | { readonly type: 'retrieved' | 'withdrawn'; readonly group: 'access'; readonly grant: GrantRow }
  | {
      readonly type: 'audit'
      readonly group: 'access'
      readonly entry: AuditRow
      readonly times: number
      readonly since: string
    }
  | { readonly type: 'expires'; readonly group: 'access' }
  | { readonly type: 'purged'; readonly group: 'access'; readonly reason: string | null }
)

export interface Story {
  readonly session: SessionFacts
  readonly editor?: EditorFacts | undefined
  readonly history?: Omit<History, 'id'> | undefined
  readonly audit?: readonly AuditRow[] | undefined
  readonly sources?: readonly SourceRow[] | undefined
  /** Of a session that waits, also with an update only. */
  readonly settling?: SettlingFacts | undefined
}

/** Of things of one moment, what led to the other comes first. */
const order = [
  ...['source', 'submitted', 'revised', 'settling', 'run', 'opened', 'event', 'delivery', 'retrieved', 'audit'],
  ...['withdrawn', 'expires', 'purged'],
]

export function storyOf({ session, editor, history, audit = [], sources = [], settling }: Story): readonly Entry[] {
  const { events = [], revisions = [], deliveries = [], connector_runs = [] } = history ?? {}
  const shown = new Set(deliveries.map(({ id }) => id))
  const entries: Entry[] = [
    ...revised(session, editor, revisions),
    ...sources.map(
      (source): Entry => ({
        key: `source ${source.id}`,
        at: source.received_at ?? source.created_at,
        type: 'source',
        group: 'intake',
        source,
      }),
    ),
    ...events.map(
      (event): Entry => ({ key: `event ${event.id}`, at: event.created_at, type: 'event', group: 'intake', event }),
    ),
    ...deliveries.map(
      (delivery): Entry => ({
        key: `delivery ${delivery.id}`,
        at: delivery.created_at,
        type: 'delivery',
        group: 'deliveries',
        delivery,
        runs: connector_runs.filter(({ delivery_id }) => delivery_id === delivery.id),
      }),
    ),
    ...connector_runs
      .filter(({ delivery_id }) => !delivery_id || !shown.has(delivery_id))
      .map((run): Entry => ({ key: `run ${run.id}`, at: run.started_at, type: 'run', group: 'connectors', run })),
    ...opened(session.grants),
    ...session.grants.flatMap((grant): Entry[] => [
      ...(grant.first_retrieved_at
        ? [
            {
              key: `retrieved ${grant.id}`,
              at: grant.first_retrieved_at,
              type: 'retrieved',
              group: 'access',
              grant,
            } as const,
          ]
        : []),
      ...(grant.revoked_at
        ? [{ key: `withdrawn ${grant.id}`, at: grant.revoked_at, type: 'withdrawn', group: 'access', grant } as const]
        : []),
    ]),
    ...together(audit),
  ]
  if (session.status === 'settling' || settling) {
    const at = settling?.since ?? session.submitted_at
    entries.push({ key: 'settling', at, type: 'settling', group: 'intake', settling })
  }
  entries.push(
    session.purged_at
      ? { key: 'purged', at: session.purged_at, type: 'purged', group: 'access', reason: editor?.purge_reason ?? null }
      : { key: 'expires', at: lastEnd(session), isAhead: true, type: 'expires', group: 'access' },
  )
  return entries.sort(
    (a, b) =>
      Number(a.isAhead ?? false) - Number(b.isAhead ?? false) ||
      Date.parse(a.at) - Date.parse(b.at) ||
      order.indexOf(a.type) - order.indexOf(b.type),
  )
}

/** When its data is erased: with the last grant that opens it, or where there is none, by its own time. */
export function lastEnd({ grants, expires_at }: Pick<SessionFacts, 'grants' | 'expires_at'>): string {
  const ends = grants.filter(({ revoked_at }) => !revoked_at).map(({ expires_at }) => expires_at)
  return ends.sort((a, b) => Date.parse(b) - Date.parse(a))[0] ?? expires_at
}

/** The rows are revisions that were replaced, each with its own author and time; the present one is the session's. */
function revised(
  { revision, submitted_at }: SessionFacts,
  editor: EditorFacts | undefined,
  older: readonly RevisionRow[],
): readonly Entry[] {
  const authors = new Map<number, Author & { readonly at: string }>(
    older.map(({ revision, author_kind, author_id, created_at }) => [
      revision,
      { kind: author_kind, id: author_id, at: created_at },
    ]),
  )
  if (editor?.author_kind) {
    authors.set(revision, { kind: editor.author_kind, id: editor.author_id, at: editor.revised_at ?? submitted_at })
  }
  const entries: Entry[] = [
    { key: 'submitted', at: submitted_at, type: 'submitted', group: 'intake', author: authors.get(1) ?? null },
  ]
  for (const [number, author] of authors) {
    if (number > 1)
      entries.push({
        key: `revision ${number}`,
        at: author.at,
        type: 'revised',
        group: 'intake',
        revision: number,
        author,
      })
  }
  return entries
}

/** Those that were opened at one moment are one entry. */
function opened(grants: readonly GrantRow[]): readonly Entry[] {
  const byTime = Map.groupBy(grants, ({ created_at }) => created_at)
  return [...byTime].map(
    ([at, grants]): Entry => ({ key: `opened ${at}`, at, type: 'opened', group: 'access', grants }),
  )
}

/** A consumer that reads the same thing again and again is one entry: what it did, how often, since when. */
function together(audit: readonly AuditRow[]): readonly Entry[] {
  const byAct = Map.groupBy(audit, ({ actor_kind, actor_id, operation, outcome }) =>
    [actor_kind, actor_id, operation, outcome].join(' '),
  )
  return [...byAct].flatMap(([key, rows]): Entry[] => {
    const sorted = [...rows].sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
    const [first, last] = [sorted[0], sorted.at(-1)]
    if (!first || !last) return []
    return [
      {
        key: `audit ${key}`,
        at: last.at,
        type: 'audit',
        group: 'access',
        entry: last,
        times: sorted.length,
        since: first.at,
      },
    ]
  })
}

export function deliveryTone({ status, attempt_count }: Pick<DeliveryRow, 'status' | 'attempt_count'>): Tone {
  if (status === 'succeeded') return 'good'
  if (status === 'exhausted') return 'bad'
  if (status === 'cancelled') return 'off'
  return attempt_count > 0 && status === 'waiting' ? 'warning' : 'busy'
}
