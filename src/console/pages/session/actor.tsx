import { Anchor } from '@mantine/core'
import { createContext, type ReactNode, useContext } from 'react'
import { Link } from 'react-router'
import type { Named } from './queries.ts'
import { useText } from './text.ts'
import type { Author } from './timeline.ts'

interface Names {
  readonly users: readonly Named[]
  readonly api_credentials: readonly Named[]
  readonly connections: readonly Named[]
}

const NamesContext = createContext<Names | undefined>(undefined)

export function ActorNames({ value, children }: { readonly value: Names | undefined; readonly children: ReactNode }) {
  return <NamesContext value={value}>{children}</NamesContext>
}

const nobody = { users: [], api_credentials: [], connections: [] }

/** Who did it: by name where the team knows them. */
export function Actor({ of: { kind, id } }: { readonly of: Author }) {
  const { t } = useText()
  const { users, api_credentials, connections } = useContext(NamesContext) ?? nobody
  const named = (rows: readonly Named[]) => rows.find((row) => row.id === id)?.name
  if (kind === 'person') return named(users) ?? t('actor.person')
  if (kind === 'credential') {
    const name = named(api_credentials)
    return name ? t('actor.credential', { name }) : t('actor.aCredential')
  }
  if (kind === 'connection') {
    const name = named(connections)
    return name ? (
      <Anchor component={Link} to={`/connections/${id}`} inherit>
        {name}
      </Anchor>
    ) : (
      t('actor.connection')
    )
  }
  return t(kind === 'system' ? 'actor.system' : 'actor.unknown')
}
