import { Anchor, Button, Group, Text } from '@mantine/core'
import { IconPlugConnected } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan, useOwner } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { newerFirst, servesAll } from '../connector-parts/manifest.ts'
import { ConnectionState } from '../connector-parts/states.tsx'
import { type ConnectorDetail, liveUsers, type UserRow } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50

/** The owner's connections through any version, and which of them could go on to this one. */
export function UserTable({ connector }: { readonly connector: ConnectorDetail }) {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const { implementation, version, status, id, kinds } = connector
  const users = useLive(liveUsers, { owner, implementation, limit }, { keep: true })
  const columns = useMemo<Column<UserRow>[]>(
    () => [
      {
        id: 'name',
        header: t('connection'),
        main: true,
        sortBy: ({ name }) => name,
        cell: (row) => (
          <Anchor component={Link} to={`/connections/${row.id}`} size="sm">
            {row.name}
          </Anchor>
        ),
      },
      { id: 'integration', header: t('integration'), cell: ({ integration }) => integration?.name ?? '–' },
      {
        id: 'state',
        header: t('state'),
        cell: ({ enabled, health }) => <ConnectionState enabled={enabled} health={health} />,
      },
      {
        id: 'version',
        header: t('version'),
        cell: (row) => {
          const used = row.connector?.version ?? '–'
          const isOlder = row.connector !== null && newerFirst(version, row.connector.version) < 0
          return (
            <Group gap="xs">
              <span>{used}</span>
              {isOlder && status === 'approved' && edit && (
                <Button
                  component={Link}
                  to={`/connections/${row.id}?upgrade=${id}`}
                  size="compact-sm"
                  variant="light"
                  aria-label={t('upgradeOf', { name: row.name, version })}
                >
                  {t('upgrade', { version })}
                </Button>
              )}
              {row.requested_connector_id === id && (
                <Text size="xs" c="dimmed" component="span">
                  {t('upgrade.asked')}
                </Text>
              )}
            </Group>
          )
        },
      },
    ],
    [t, edit, version, status, id],
  )
  return (
    <Loaded of={users}>
      {({ connections }) => (
        <DataTable
          label={t('connections')}
          rows={connections}
          columns={columns}
          rowId={(row) => row.id}
          onMore={connections.length === limit ? () => setLimit(limit + pageSize) : undefined}
          empty={
            <EmptyState
              icon={IconPlugConnected}
              title={t('connections.none')}
              action={
                edit &&
                status === 'approved' &&
                (team || servesAll(kinds)) && (
                  <Button component={Link} to={`/connections/new?connector=${id}`} variant="light">
                    {t('connect')}
                  </Button>
                )
              }
            >
              {t(status === 'approved' ? 'connections.text' : 'connections.notYet')}
            </EmptyState>
          }
        />
      )}
    </Loaded>
  )
}
