/** What pages know of where they are: the person, the chosen team, and what may be done in it. */
import {
  createContext,
  type ReactNode,
  type RefObject,
  useContext,
  useEffect,
  useMemo,
  useRef,
  useState,
  useSyncExternalStore,
} from 'react'
import { Provider as UrqlProvider } from 'urql'
import { type Connection, createConnection, type SocketState } from '../api/client.ts'
import type { Person, Role, Team } from '../api/person.ts'
import type { SignIn, SignInState } from '../api/sign-in.ts'

const SignInContext = createContext<SignIn | null>(null)

export function SignInProvider({ signIn, children }: { readonly signIn: SignIn; readonly children: ReactNode }) {
  return <SignInContext value={signIn}>{children}</SignInContext>
}

/** For pages of the entrance; others need `usePerson`. */
export function useSignIn(): SignIn {
  return needed(useContext(SignInContext), 'SignInProvider')
}

export function useSignInState(): SignInState {
  const signIn = useSignIn()
  return useSyncExternalStore(signIn.subscribe, signIn.state)
}

interface Place {
  readonly person: Person
  /** Null in the platform, and for somebody who has none yet. */
  readonly team: Team | null
  readonly isPlatform: boolean
  readonly choose: (id: string) => void
  /** The row whose team was found out last; see `useRowOwner`. */
  readonly arrivedAt: RefObject<string>
  readonly connection: Connection
}

const PlaceContext = createContext<Place | null>(null)
const teamKey = 'sluice.team'
/** Stands for the platform where ids of teams stand. */
export const platform = 'platform'

/** Who is signed in, and where: the team that was chosen last, or the first; of admins the platform too. */
export function PlaceProvider({ person, children }: { readonly person: Person; readonly children: ReactNode }) {
  const signIn = useSignIn()
  const [wanted, setWanted] = useState(() => localStorage.getItem(teamKey))
  const arrivedAt = useRef('')
  const isPlatform = person.isAdmin && wanted === platform
  const team = isPlatform ? null : (person.teams.find(({ id }) => id === wanted) ?? person.teams[0] ?? null)
  const role: Role = team?.role ?? (person.isAdmin ? 'admin' : 'viewer')
  // Another person or role has another view of the same rows, so nothing of a cache may be kept.
  const connection = useConnection(signIn, `${person.id} ${role}`, role)
  const place = useMemo<Place | null>(
    () =>
      connection && {
        person,
        team,
        isPlatform,
        connection,
        arrivedAt,
        choose: (id) => {
          localStorage.setItem(teamKey, id)
          setWanted(id)
        },
      },
    [person, team, isPlatform, connection],
  )
  if (!place) return null
  return (
    <PlaceContext value={place}>
      <UrqlProvider value={place.connection.client}>{children}</UrqlProvider>
    </PlaceContext>
  )
}

function useConnection(signIn: SignIn, identity: string, role: Role): Connection | null {
  const [made, setMade] = useState<{ identity: string; connection: Connection }>()
  useEffect(() => {
    const connection = createConnection({ signIn, role })
    setMade({ identity, connection })
    return () => connection.dispose()
  }, [signIn, identity, role])
  return made?.identity === identity ? made.connection : null
}

function usePlace(): Place {
  return needed(useContext(PlaceContext), 'PlaceProvider')
}

export function usePerson(): Person {
  return usePlace().person
}

/** Where the person is. Pages use `useTeam` or `useOwner`. */
export function useTeamChoice(): Pick<Place, 'team' | 'isPlatform' | 'choose' | 'arrivedAt'> {
  return usePlace()
}

/** The chosen team. Every page filters by its id. */
export function useTeam(): Team {
  return needed(usePlace().team, 'a chosen team')
}

/** Whose things a page shows that is there for teams and for the platform. */
export interface Owner {
  /** Null: the platform, whose rows have no team. */
  readonly team: Team | null
  /** What `team_id` of its rows is compared with, for `$owner: uuid_comparison_exp!`. */
  readonly rows: Readonly<Record<string, unknown>>
  /** Of the teams whose sessions they may serve: the one, or all. */
  readonly slugs: readonly string[]
}

/** Of pages with `platform: true` in app/pages.ts, in place of `useTeam`. */
export function useOwner(): Owner {
  const { person, team, isPlatform } = usePlace()
  return useMemo(() => {
    if (isPlatform) return { team: null, rows: { _is_null: true }, slugs: person.teams.map(({ slug }) => slug) }
    const { id, slug } = needed(team, 'a chosen team')
    return { team, rows: { _eq: id }, slugs: [slug] }
  }, [person, team, isPlatform])
}

export interface Can {
  readonly role: Role
  /** Change what belongs to the chosen team. */
  readonly edit: boolean
  /** What only admins of the platform may: new teams, reviews, disabling people. */
  readonly administer: boolean
}

/** What the person may do here. What would be refused is not shown. */
export function useCan(): Can {
  const { team, person } = usePlace()
  const role = team?.role ?? (person.isAdmin ? 'admin' : 'viewer')
  return { role, edit: role !== 'viewer', administer: role === 'admin' }
}

export function useSocketState(): SocketState {
  const { connection } = usePlace()
  return useSyncExternalStore(connection.subscribe, connection.socketState)
}

function needed<Value>(value: Value | null, what: string): Value {
  if (value === null) throw new Error(`This needs ${what} around it.`)
  return value
}
