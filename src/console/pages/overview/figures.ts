/** The figures of the chosen span: asked for anew when something has happened, and now and then. */
import { useCallback, useEffect, useRef, useState } from 'react'
import { useClient } from 'urql'
import { type Fault, faultOf } from '../../api/fault.ts'
import { type FiguresData, figuresOfTeam } from './queries.ts'

/** By the names that lists of sessions know in their address. */
export const spans = {
  hour: { seconds: 3_600, bucket: 60, everyMs: 10_000 },
  day: { seconds: 86_400, bucket: 900, everyMs: 20_000 },
  week: { seconds: 604_800, bucket: 7_200, everyMs: 60_000 },
} as const
export type Span = keyof typeof spans

/** However much happens, figures are asked for no more often. */
const leastMs = 3_000

export interface Figures {
  readonly data: FiguresData | undefined
  readonly loading: boolean
  readonly fault: Fault | undefined
  readonly retry: () => void
}

/** @param signal differs whenever something has happened that the figures should show. */
export function useFigures(team: string, span: Span, signal: unknown): Figures {
  const client = useClient()
  const [result, setResult] = useState<{ readonly key: string; readonly data?: FiguresData; readonly fault?: Fault }>({
    key: '',
  })
  const loaded = useRef(0)
  const key = `${team} ${span}`

  const load = useCallback(async () => {
    loaded.current = Date.now()
    const { seconds, bucket } = spans[span]
    const { data, error } = await client
      .query(
        figuresOfTeam,
        { team, seconds, bucket, since: sinceOf(seconds, bucket) },
        { requestPolicy: 'network-only' },
      )
      .toPromise()
    setResult((before) => ({
      key: `${team} ${span}`,
      data: data ?? (before.key === `${team} ${span}` ? before.data : undefined),
      fault: error ? faultOf(error) : undefined,
    }))
  }, [client, team, span])

  useEffect(() => {
    const loadInSight = () => {
      if (!document.hidden) void load()
    }
    loadInSight()
    const timer = setInterval(loadInSight, spans[span].everyMs)
    document.addEventListener('visibilitychange', loadInSight)
    return () => {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', loadInSight)
    }
  }, [load, span])

  useEffect(() => {
    if (signal === undefined) return
    // What happened is followed by more: deliveries by their attempts. One look a little later sees both.
    const timer = setTimeout(() => void load(), Math.max(1_000, loaded.current + leastMs - Date.now()))
    return () => clearTimeout(timer)
  }, [signal, load])

  // While another span loads, the one before stays: the page does not jump.
  const fault = result.key === key ? result.fault : undefined
  return { data: result.data, fault, loading: result.data === undefined && !fault, retry: () => void load() }
}

/** The beginning of the first bucket, so that counts and charts speak of the same span. */
function sinceOf(seconds: number, bucket: number): string {
  const length = bucket * 1000
  const last = Math.floor(Date.now() / length) * length
  return new Date(last - (seconds / bucket - 1) * length).toISOString()
}

export type Countable = 'sessions' | 'deliveries' | 'exhausted' | 'runs' | 'failed_runs'

export function sumOf({ activity }: FiguresData, name: Countable): number {
  return activity.buckets.reduce((sum, bucket) => sum + bucket[name], 0)
}
