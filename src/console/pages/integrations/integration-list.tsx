import { Anchor, Badge, Group, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { useOwner } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import type { IntegrationLine } from './queries.ts'
import { useText } from './text.ts'

export interface IntegrationListProps {
  readonly rows: readonly IntegrationLine[]
  readonly onMore?: () => void
}

export function IntegrationList({ rows, onMore }: IntegrationListProps) {
  const { t } = useText()
  const columns = useMemo<Column<IntegrationLine>[]>(
    () => [
      { id: 'name', header: t('name'), main: true, cell: (row) => <Name row={row} /> },
      { id: 'state', header: t('state'), cell: ({ status }) => <State status={status} /> },
      {
        id: 'flows',
        header: t('flows'),
        cell: ({ destinations_aggregate }) => <Count of={destinations_aggregate.aggregate.count} />,
      },
      {
        id: 'webhooks',
        header: t('webhooks'),
        cell: ({ webhooks_aggregate }) => <Count of={webhooks_aggregate.aggregate.count} />,
      },
      {
        id: 'connections',
        header: t('connections'),
        cell: ({ connections_aggregate }) => <Count of={connections_aggregate.aggregate.count} />,
      },
      {
        id: 'credentials',
        header: t('credentials'),
        cell: ({ api_credentials_aggregate }) => <Count of={api_credentials_aggregate.aggregate.count} />,
      },
    ],
    [t],
  )
  return <DataTable label={t('title')} rows={rows} columns={columns} rowId={({ id }) => id} onMore={onMore} />
}

function Name({ row: { id, name, description, team_id } }: { readonly row: IntegrationLine }) {
  const { t } = useText()
  const { team } = useOwner()
  return (
    <Stack gap={2}>
      <Group gap="2px 8px">
        <Anchor component={Link} to={`/integrations/${id}`} fw={600} inherit>
          {name}
        </Anchor>
        {team && team_id === null && <Badge variant="default">{t('platform')}</Badge>}
      </Group>
      {description && (
        <Text size="xs" c="dimmed" fw={400} lineClamp={2} maw={420}>
          {description}
        </Text>
      )}
    </Stack>
  )
}

function State({ status }: { readonly status: IntegrationLine['status'] }) {
  const { t } = useText()
  return <StatusBadge tone={status === 'active' ? 'good' : 'off'}>{t(`state.${status}`)}</StatusBadge>
}

function Count({ of }: { readonly of: number }) {
  return (
    <Text size="sm" component="span" c={of === 0 ? 'dimmed' : undefined}>
      {of}
    </Text>
  )
}
