import { useEffect, useRef } from 'react'
import { useLive } from '../api/hooks.ts'
import { usePerson, useSignIn } from './context.tsx'
import { liveMemberships } from './queries.ts'

/**
 * Somebody made the person a member of one more team, or gave them another role: the token does not say so before it is
 * refreshed, which this does at once. What is taken away, and who is made an admin, voids the token anyway.
 */
export function useNewRoles(): void {
  const { id, teams, isAdmin } = usePerson()
  const signIn = useSignIn()
  // Without a team there is no role to ask in.
  const { data } = useLive(liveMemberships, { person: id }, { paused: isAdmin || teams.length === 0 })
  const known = textOf(teams)
  const now =
    data &&
    textOf(data.team_members.map(({ team_id, role }) => ({ id: team_id, role: role === 'admin' ? 'editor' : role })))
  const asked = useRef('')
  useEffect(() => {
    if (now === undefined || now === known || asked.current === now) return
    asked.current = now
    // When it fails, the token ends in minutes and the next one says it.
    signIn.renew().catch(() => {})
  }, [now, known, signIn])
}

function textOf(roles: readonly { readonly id: string; readonly role: string }[]): string {
  return roles
    .map(({ id, role }) => `${id} ${role}`)
    .sort()
    .join()
}
