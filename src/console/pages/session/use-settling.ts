import { useEffect } from 'react'
import { useRead } from '../../api/hooks.ts'
import { type SessionFacts, type SettlingFacts, settlingOf } from './queries.ts'

const everyMs = 5_000

/**
 * What the session waits for. Nothing that live queries follow is written while a session settles, which keeps settling
 * cheap: so it is asked again with each change of the session, and every five seconds while the page is in sight.
 */
export function useSettling({ id, status, revision }: SessionFacts): SettlingFacts | undefined {
  const paused = status !== 'settling' && status !== 'submitted'
  const { data, refresh } = useRead(settlingOf, { id }, { paused })
  // Its changes are no input: they are when to ask again.
  useEffect(() => {
    if (paused) return
    const refreshInSight = () => {
      if (!document.hidden) refresh()
    }
    refreshInSight()
    const timer = setInterval(refreshInSight, everyMs)
    return () => clearInterval(timer)
  }, [paused, refresh, status, revision])
  return paused ? undefined : (data?.session_settling ?? undefined)
}
