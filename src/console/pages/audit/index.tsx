import { Button, Group } from '@mantine/core'
import { IconShieldCheck } from '@tabler/icons-react'
import { useEffect, useMemo } from 'react'
import { useSearchParams } from 'react-router'
import { useLive, useRead } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { Chain } from './chain.tsx'
import { EntryList } from './entry-list.tsx'
import { ExportMenu } from './export-menu.tsx'
import { conditionOf, type FilterName, narrows, placeText, readFilter } from './filter.ts'
import { FilterBar } from './filter-bar.tsx'
import { type ActorsData, actorsOfTeam, auditHead, liveEntries } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50
/** A worker seals every five seconds. */
const headMs = 15_000

/** Who did what, when and from where, as it happens; and how far nobody can change it any more. */
export function Component() {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit } = useCan()
  const [address, setAddress] = useSearchParams()
  const key = address.toString()
  // Spans count back from when they were chosen: a limit that moved would be another live query at every moment.
  const [filter, where] = useMemo(() => {
    const filter = readFilter(new URLSearchParams(key))
    return [filter, conditionOf(owner, filter, Date.now())]
  }, [key, owner])
  const entries = useLive(liveEntries, { where, limit: pageSize }, { keep: true })
  const actors = useRead(actorsOfTeam, {
    owner,
    // The platform has administrators in place of members.
    people: team ? { memberships: { team_id: owner } } : { is_admin: { _eq: true } },
  }).data
  const names = useMemo(() => namesOf(actors), [actors])
  const head = useHead()

  /** What is changed begins at the first page again. */
  const change = (changes: Partial<Record<FilterName, string | null>>) =>
    setAddress(
      (old) => {
        const next = new URLSearchParams(old)
        next.delete('before')
        for (const [name, value] of Object.entries(changes)) {
          if (value) next.set(name, value)
          else next.delete(name)
        }
        return next
      },
      { replace: !('before' in changes) },
    )
  return (
    <>
      <PageHeader
        title={t('title')}
        description={t(team ? 'description' : 'platform.description')}
        badge={<LiveDot />}
        actions={edit && <ExportMenu filter={filter} />}
      />
      <Loaded of={entries}>
        {({ audit_entries: rows }) =>
          rows.length === 0 && !narrows(filter) && !filter.before ? (
            <EmptyState icon={IconShieldCheck} title={t('empty.title')}>
              {t('empty.text')}
            </EmptyState>
          ) : (
            <>
              <Chain head={head} />
              <FilterBar filter={filter} actors={actors} onChange={change} />
              {rows.length === 0 ? (
                <EmptyState
                  icon={IconShieldCheck}
                  title={t('none.title')}
                  action={
                    <Button variant="default" onClick={() => setAddress({}, { replace: true })}>
                      {t('filter.clear')}
                    </Button>
                  }
                >
                  {t('none.text')}
                </EmptyState>
              ) : (
                <EntryList rows={rows} names={names} sealedTo={head?.last_position ?? null} />
              )}
              <Pages
                onNewest={filter.before ? () => change({ before: null }) : undefined}
                onOlder={
                  rows.length === pageSize
                    ? () => {
                        const last = rows.at(-1)
                        if (last) change({ before: placeText(last) })
                        scrollTo(0, 0)
                      }
                    : undefined
                }
              />
            </>
          )
        }
      </Loaded>
    </>
  )
}

interface PagesProps {
  readonly onNewest: (() => void) | undefined
  readonly onOlder: (() => void) | undefined
}

function Pages({ onNewest, onOlder }: PagesProps) {
  const { t } = useText()
  if (!onNewest && !onOlder) return null
  return (
    <Group justify="center" gap="sm">
      {onNewest && (
        <Button variant="default" onClick={onNewest}>
          {t('newest')}
        </Button>
      )}
      {onOlder && (
        <Button variant="default" onClick={onOlder}>
          {t('older')}
        </Button>
      )}
    </Group>
  )
}

function useHead() {
  const { data, refresh } = useRead(auditHead, {})
  useEffect(() => {
    const timer = setInterval(() => {
      if (!document.hidden) refresh()
    }, headMs)
    return () => clearInterval(timer)
  }, [refresh])
  return data?.audit_head
}

function namesOf(actors: ActorsData | undefined): ReadonlyMap<string, string> {
  const all = [...(actors?.users ?? []), ...(actors?.api_credentials ?? []), ...(actors?.connections ?? [])]
  return new Map(all.map(({ id, name }) => [id, name]))
}
