/** Keeps this process's revocations true: what ended lately, and from then on what the change feed tells. */
import { createRevocations, type Revocations } from '../access/revocations.ts'
import type { Database } from '../database/database.ts'
import type { Change, ChangeFeed } from '../live/change-feed.ts'

export interface FollowOptions {
  readonly database: Database
  readonly feed: ChangeFeed
  /** The longest life of a token: what ended longer ago has no live token. */
  readonly tokenSeconds: number
}

export async function followRevocations({ database, feed, tokenSeconds }: FollowOptions): Promise<Revocations> {
  const missed: Change[] = []
  // From before the query on, so that nothing falls between the two.
  let take = (changes: readonly Change[]) => void missed.push(...changes)
  feed.listen((changes) => take(changes))
  const { rows } = await database.pool.query<{ id: string }>(
    `select id from api_credentials where least(revoked_at, expires_at) between now() - make_interval(secs => $1) and now()
     union all select id from users where disabled_at > now() - make_interval(secs => $1)`,
    [tokenSeconds],
  )
  const revocations = createRevocations(rows.map((row) => row.id))
  take = (changes) => {
    for (const change of changes) {
      if (change.table !== 'api_credentials' && change.table !== 'users') continue
      const id = String(change.key.id)
      if (hasEnded(change)) revocations.revoke(id)
      else revocations.restore(id)
    }
  }
  take(missed)
  return revocations
}

/** Whether a credential or person has no access after the change. */
function hasEnded({ operation, new: now }: Change): boolean {
  if (operation === 'delete') return true
  const isExpired = typeof now?.expires_at === 'string' && Date.parse(now.expires_at) <= Date.now()
  return isExpired || Boolean(now?.revoked_at ?? now?.disabled_at)
}
