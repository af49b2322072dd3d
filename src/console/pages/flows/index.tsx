import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconGitBranch, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { ListPage } from '../../kit/list-page.tsx'
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
  return (
    <>
      <ListPage
        title={t('title')}
        description={t('description')}
        action={
          edit && (
            <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
              {t('create')}
            </Button>
          )
        }
        of={flows}
        rows={flows.data?.flows}
        empty={{ icon: IconGitBranch, title: t('empty.title'), text: t(edit ? 'empty.text' : 'empty.viewer') }}
      >
        {(rows) => (
          <FlowList rows={rows} onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined} />
        )}
      </ListPage>
      {creating && <CreateDialog onClose={close} />}
    </>
  )
}
