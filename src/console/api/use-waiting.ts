/** How many deliveries wait for each target of a team. */
import { useEffect, useMemo } from 'react'
import { gql } from './gql.ts'
import { useRead } from './hooks.ts'

interface WaitingData {
  readonly activity: { readonly waiting_targets: readonly { readonly id: string; readonly waiting: number }[] }
}

// A live aggregate would count every delivery that a target ever had; this counts the queue.
const waitingOfTeam = gql<WaitingData, { team: string }>(`
  query WaitingDeliveries($team: uuid!) {
    activity(team_id: $team, seconds: 60, bucket_seconds: 60) { waiting_targets { id waiting } }
  }
`)

const everyMs = 5_000

/**
 * Asked again every five seconds while the page is in sight.
 *
 * @param team none for the platform, whose deliveries wait in the teams' queues.
 * @returns by the id of a webhook or connection; undefined before the first answer. A target without an entry has none.
 */
export function useWaiting(team: string | undefined): ReadonlyMap<string, number> | undefined {
  const { data, refresh } = useRead(waitingOfTeam, { team: team ?? '' }, { paused: !team })
  useEffect(() => {
    if (!team) return
    const refreshInSight = () => {
      if (!document.hidden) refresh()
    }
    const timer = setInterval(refreshInSight, everyMs)
    return () => clearInterval(timer)
  }, [team, refresh])
  return useMemo(() => data && new Map(data.activity.waiting_targets.map(({ id, waiting }) => [id, waiting])), [data])
}
