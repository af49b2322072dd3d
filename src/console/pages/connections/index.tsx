import { Button } from '@mantine/core'
import { IconPlugConnected, IconPlus } from '@tabler/icons-react'
import { useState } from 'react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { ConnectionTable } from './connection-table.tsx'
import { liveConnections } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50

/** The team's connections, or the platform's, and how each fares. */
export function Component() {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const connections = useLive(liveConnections, { owner, limit }, { keep: true })
  const create = edit && (
    <Button component={Link} to="/connections/new" leftSection={<IconPlus size={18} aria-hidden />}>
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
      <Loaded of={connections}>
        {({ connections: rows }) =>
          rows.length === 0 ? (
            <EmptyState
              icon={IconPlugConnected}
              title={t('empty.title')}
              action={
                <Button component={Link} to="/connectors">
                  {t('empty.action')}
                </Button>
              }
            >
              {t('empty.text')}
            </EmptyState>
          ) : (
            <ConnectionTable
              rows={rows}
              onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
            />
          )
        }
      </Loaded>
    </>
  )
}
