import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconArrowsExchange, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { CreateDialog } from './create-dialog.tsx'
import { IntegrationList } from './integration-list.tsx'
import { liveIntegrations } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50

/** The third parties that a team may send sessions to: its own, and those of the platform; or the latter alone. */
export function Component() {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const [creating, { open, close }] = useDisclosure()
  const integrations = useLive(
    liveIntegrations,
    { owner, flows: team ? { flow: { team_id: owner } } : {}, limit },
    { keep: true },
  )
  const isEmpty = integrations.data?.integrations.length === 0
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
        actions={isEmpty ? undefined : create}
      />
      <Loaded of={integrations}>
        {({ integrations: rows }) =>
          rows.length === 0 ? (
            <EmptyState icon={IconArrowsExchange} title={t('empty.title')} action={create}>
              {t(!team ? 'platform.empty' : edit ? 'empty.text' : 'empty.viewer')}
            </EmptyState>
          ) : (
            <IntegrationList
              rows={rows}
              onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
            />
          )
        }
      </Loaded>
      {creating && <CreateDialog onClose={close} />}
    </>
  )
}
