import { useEffect } from 'react'
import { useParams } from 'react-router'
import { useRead } from '../api/hooks.ts'
import { platform, usePerson, useTeamChoice } from './context.tsx'
import type { Table } from './pages.ts'
import { ownerOf } from './queries.ts'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * A link, as in a mail, may lead to a row of another team than the one that is chosen: then its team is chosen, if it is
 * one of the person's. Once for each row: who chooses another one on its page stays there.
 *
 * @returns whether it is still being found out.
 */
export function useRowOwner(table: Table | undefined): boolean {
  const { id = '' } = useParams()
  const { teams, isAdmin } = usePerson()
  const { team, isPlatform, choose, arrivedAt } = useTeamChoice()
  const hasChoice = teams.length + Number(isAdmin) > 1
  const paused = !table || !hasChoice || !uuid.test(id)
  const { data, loading } = useRead(ownerOf[table ?? 'sessions'], { id }, { paused })
  const owner = data?.row && data.row.id === id.toLowerCase() ? (data.row.team_id ?? platform) : undefined
  const here = isPlatform ? platform : team?.id
  const isElsewhere =
    owner !== undefined && owner !== here && (owner === platform ? isAdmin : teams.some((one) => one.id === owner))

  useEffect(() => {
    if (!table) arrivedAt.current = ''
    if (owner === undefined || arrivedAt.current === id) return
    arrivedAt.current = id
    if (isElsewhere) choose(owner)
  }, [table, id, owner, isElsewhere, choose, arrivedAt])
  return !paused && (loading || (isElsewhere && arrivedAt.current !== id))
}
