import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconGitBranch, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { CreateDialog } from './create-dialog.tsx'
import { FlowList } from './flow-list.tsx'
import { liveFlows } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50

/** The services of a team whose sessions Sluice takes in, and where each sends them. */
export function Component() {
  const { t } = useText()
  const team = useTeam()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const [creating, { open, close }] = useDisclosure()
  const flows = useLive(liveFlows, { team: team.id, limit }, { keep: true })
  const isEmpty = flows.data?.flows.length === 0
  const create = edit && (
    <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
      {t('create')}
    </Button>
  )
  return (
    <>
      <PageHeader
        title={t('title')}
        description={t('description')}
        badge={<LiveDot />}
        actions={isEmpty ? undefined : create}
      />
      <Loaded of={flows}>
        {({ flows: rows }) =>
          rows.length === 0 ? (
            <EmptyState icon={IconGitBranch} title={t('empty.title')} action={create}>
              {edit ? t('empty.text') : t('empty.viewer')}
            </EmptyState>
          ) : (
            <FlowList rows={rows} onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined} />
          )
        }
      </Loaded>
      {creating && <CreateDialog onClose={close} />}
    </>
  )
}
