import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconFileText, IconSend } from '@tabler/icons-react'
import { useMemo } from 'react'
import { useSearchParams } from 'react-router'
import { useLive, useRead } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { conditionOf, type Filter, narrows, placeText, readFilter } from './filter.ts'
import { FilterBar } from './filter-bar.tsx'
import { flowsOfTeam, liveSessions } from './queries.ts'
import { SessionList } from './session-list.tsx'
import { SubmitDialog } from './submit-dialog.tsx'
import { useText } from './text.ts'

const pageSize = 50

/** Every session of the team, the newest first, as they come and change. */
export function Component() {
  const { t } = useText()
  const team = useTeam()
  const { edit } = useCan()
  const [address, setAddress] = useSearchParams()
  const [submitting, { open, close }] = useDisclosure()
  const flows = useRead(flowsOfTeam, { team: team.id }).data?.flows
  const key = address.toString()
  // Spans count back from when they were chosen: a limit that moved would be another live query at every moment.
  const [filter, where] = useMemo(() => {
    const filter = readFilter(new URLSearchParams(key))
    return [filter, conditionOf(team.id, filter, Date.now())]
  }, [key, team.id])
  const sessions = useLive(liveSessions, { where, limit: pageSize }, { keep: true })

  /** What is changed begins at the first page again. */
  const change = (changes: Partial<Record<'q' | 'flow' | 'status' | 'kind' | 'since' | 'before', string | null>>) =>
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

  const submit = edit && (
    <Button leftSection={<IconSend size={18} aria-hidden />} onClick={open}>
      {t('submit')}
    </Button>
  )
  return (
    <>
      <PageHeader title={t('title')} description={t('description')} badge={<LiveDot />} actions={submit} />
      <Loaded of={sessions}>
        {({ sessions: rows }) =>
          rows.length === 0 && !narrows(filter) && !filter.before ? (
            <EmptyState icon={IconFileText} title={t('empty.title')} action={submit}>
              {t(edit ? 'empty.text' : 'empty.viewerText')}
            </EmptyState>
          ) : (
            <>
              <FilterBar key={team.id} filter={filter} flows={flows ?? []} onChange={change} />
              {rows.length === 0 ? (
                <NoMatch filter={filter} onClear={() => setAddress({}, { replace: true })} />
              ) : (
                <SessionList
                  key={`${team.id} ${key}`}
                  rows={rows}
                  filter={filter}
                  onOlder={rows.length === pageSize ? (last) => change({ before: placeText(last) }) : undefined}
                  onNewest={filter.before ? () => change({ before: null }) : undefined}
                />
              )}
            </>
          )
        }
      </Loaded>
      {submitting && <SubmitDialog onClose={close} />}
    </>
  )
}

function NoMatch({ filter, onClear }: { readonly filter: Filter; readonly onClear: () => void }) {
  const { t } = useText()
  return (
    <EmptyState
      icon={IconFileText}
      title={t('none.title')}
      action={
        <Button variant="default" onClick={onClear}>
          {t('filter.clear')}
        </Button>
      }
    >
      {t(filter.search ? 'none.search' : 'none.text')}
    </EmptyState>
  )
}
