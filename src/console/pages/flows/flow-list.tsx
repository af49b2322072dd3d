import { Anchor, Code, Group, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import type { FlowLine } from './queries.ts'
import { useText } from './text.ts'

export interface FlowListProps {
  readonly rows: readonly FlowLine[]
  readonly onMore?: () => void
}

export function FlowList({ rows, onMore }: FlowListProps) {
  const { t } = useText()
  const columns = useMemo<Column<FlowLine>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        cell: ({ id, name, slug }) => (
          <Stack gap={2} align="flex-start">
            <Anchor component={Link} to={`/flows/${id}`} fw={600} inherit>
              {name}
            </Anchor>
            <Code fw={400}>{slug}</Code>
          </Stack>
        ),
      },
      { id: 'destinations', header: t('destinations'), cell: (row) => <Destinations row={row} /> },
      {
        id: 'schema',
        header: t('schema'),
        cell: ({ schema_url }) =>
          schema_url ? (
            <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
              {schema_url}
            </Text>
          ) : (
            <Text size="sm" c="dimmed">
              {t('schema.none')}
            </Text>
          ),
      },
      {
        id: 'last',
        header: t('last'),
        cell: ({ sessions: [last], invalid }) => (
          <Stack gap={4} align="flex-start">
            {last ? (
              <Anchor component={Link} to={`/sessions/${last.id}`} size="sm">
                <Time at={last.submitted_at} relative />
              </Anchor>
            ) : (
              <Text size="sm" c="dimmed">
                {t('last.none')}
              </Text>
            )}
            {invalid.aggregate.count > 0 && (
              <StatusBadge tone="warning">{t('invalid', { count: invalid.aggregate.count })}</StatusBadge>
            )}
          </Stack>
        ),
      },
    ],
    [t],
  )
  return <DataTable label={t('title')} rows={rows} columns={columns} rowId={({ id }) => id} onMore={onMore} />
}

function Destinations({ row: { destinations, destinations_aggregate } }: { readonly row: FlowLine }) {
  const { t } = useText()
  const more = destinations_aggregate.aggregate.count - destinations.length
  if (destinations.length === 0) return <StatusBadge tone="warning">{t('destinations.none')}</StatusBadge>
  return (
    <Group gap="2px 10px">
      {destinations.map(({ id, integration }) => (
        <Text key={id} size="sm" component="span" td={integration?.status === 'disabled' ? 'line-through' : undefined}>
          {integration?.name}
        </Text>
      ))}
      {more > 0 && (
        <Text size="sm" c="dimmed" component="span">
          {t('destinations.more', { count: more })}
        </Text>
      )}
    </Group>
  )
}
