import { Button } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconArrowsExchange, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { ListPage } from '../../kit/list-page.tsx'
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
  return (
    <>
      <ListPage
        title={t('title')}
        description={t(team ? 'description' : 'platform.description')}
        action={
          edit && (
            <Button leftSection={<IconPlus size={18} aria-hidden />} onClick={open}>
              {t('create')}
            </Button>
          )
        }
        of={integrations}
        rows={integrations.data?.integrations}
        empty={{
          icon: IconArrowsExchange,
          title: t('empty.title'),
          text: t(!team ? 'platform.empty' : edit ? 'empty.text' : 'empty.viewer'),
        }}
      >
        {(rows) => (
          <IntegrationList rows={rows} onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined} />
        )}
      </ListPage>
      {creating && <CreateDialog onClose={close} />}
    </>
  )
}
