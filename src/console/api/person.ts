/** Who is signed in, and what they may do in which team. */
import { type PostOptions, post } from './post.ts'

/** What somebody acts as; it is sent as `x-hasura-role`. */
export type Role = 'admin' | 'editor' | 'viewer'

export interface Team {
  readonly id: string
  readonly slug: string
  readonly name: string
  /** The person's role in this team; an admin of the platform has `admin` in all of them. */
  readonly role: Role
}

export interface Person {
  readonly id: string
  readonly name: string
  readonly email: string
  /** An admin of the whole platform. */
  readonly isAdmin: boolean
  /** By name. */
  readonly teams: readonly Team[]
}

interface TeamRow {
  readonly id: string
  readonly slug: string
  readonly name: string
}

const whoami = /* GraphQL */ `
  query Whoami {
    whoami { id name email allowed_roles }
  }
`

const allTeams = /* GraphQL */ `
  query AllTeams {
    teams(order_by: [{ name: asc }], limit: 1000) { id slug name }
  }
`

const ownTeams = /* GraphQL */ `
  query OwnTeams($person: uuid!) {
    team_members(where: { user_id: { _eq: $person } }, order_by: [{ team: { name: asc } }], limit: 1000) {
      role
      team { id slug name }
    }
  }
`

/** Everything that these read; a test checks them against the schema. */
export const personDocuments = [whoami, allTeams, ownTeams]

/**
 * Asks who a token belongs to. Memberships are asked for as a viewer, who sees all of a person's teams; an editor sees
 * only those where they edit.
 */
export async function readPerson(token: string, options: PostOptions = {}): Promise<Person> {
  const as = { ...options, token }
  const { whoami: who } = await post<{
    whoami: { id: string; name: string | null; email: string | null; allowed_roles: Role[] }
  }>(whoami, {}, as)
  const isAdmin = who.allowed_roles.includes('admin')
  const base = { id: who.id, name: who.name ?? '', email: who.email ?? '', isAdmin }
  if (isAdmin) {
    const { teams } = await post<{ teams: TeamRow[] }>(allTeams, {}, as)
    return { ...base, teams: teams.map((team) => ({ ...team, role: 'admin' })) }
  }
  if (!who.allowed_roles.includes('viewer')) return { ...base, teams: [] }
  const { team_members } = await post<{ team_members: { role: Role; team: TeamRow }[] }>(
    ownTeams,
    { person: who.id },
    { ...as, role: 'viewer' },
  )
  return {
    ...base,
    teams: team_members.map(({ role, team }) => ({ ...team, role: role === 'viewer' ? 'viewer' : 'editor' })),
  }
}
