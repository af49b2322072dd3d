import { Button, Switch } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconKey, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { CreateDialog } from './create-dialog.tsx'
import { CredentialList } from './credential-list.tsx'
import { liveCredentials } from './queries.ts'
import { stateOf } from './state.ts'
import { useText } from './text.ts'

const pageSize = 100

/** Keys and secrets of machines: who has one, when it was used last, new ones, rotation and the end. */
export function Component() {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const [withEnded, setWithEnded] = useState(false)
  const [creating, { open, close }] = useDisclosure()
  const credentials = useLive(liveCredentials, { owner, limit }, { keep: true })
  const create = edit && (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
      {t('create')}
    </Button>
  )
  return (
    <>
      <PageHeader
        title={t('title')}
        description={t(team ? 'description' : 'platform.description')}
        badge={<LiveDot />}
        actions={create}
      />
      <Loaded of={credentials}>
        {({ api_credentials: all }) => {
          if (all.length === 0) {
            return (
              <EmptyState icon={IconKey} title={t('empty.title')} action={create}>
                {t('empty.text')}
              </EmptyState>
            )
          }
          const now = Date.now()
          const live = all.filter((row) => ['works', 'ending'].includes(stateOf(row, now)))
          const ended = all.length - live.length
          return (
            <>
              {ended > 0 && (
                <Switch
                  label={t('withEnded', { count: ended })}
                  checked={withEnded}
                  onChange={(event) => setWithEnded(event.currentTarget.checked)}
                />
              )}
              <CredentialList
                rows={withEnded ? all : live}
                onMore={all.length === limit ? () => setLimit(limit + pageSize) : undefined}
              />
            </>
          )
        }}
      </Loaded>
      {creating && <CreateDialog onClose={close} />}
    </>
  )
}
