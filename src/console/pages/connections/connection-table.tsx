import { Anchor, Group, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { Time } from '../../kit/time.tsx'
import { Logo } from '../connector-parts/presentation.tsx'
import { ConnectionState, RunState } from '../connector-parts/states.tsx'
import type { ConnectionRow } from './queries.ts'
import { useText } from './text.ts'

export interface ConnectionTableProps {
  readonly rows: readonly ConnectionRow[]
  readonly onMore?: (() => void) | undefined
}

export function ConnectionTable({ rows, onMore }: ConnectionTableProps) {
  const { t, language } = useText()
  const columns = useMemo<Column<ConnectionRow>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        sortBy: ({ name }) => name,
        cell: ({ id, name, connector }) => (
          <Group gap="sm" wrap="nowrap">
            <Logo of={connector ?? { logo: null }} size={32} />
            <Stack gap={0} miw={0}>
              <Anchor component={Link} to={`/connections/${id}`} size="sm" fw={550}>
                {name}
              </Anchor>
              <Text size="xs" c="dimmed" component="span" fw={400}>
                {connector
                  ? t('through', { name: connector[language]?.name ?? connector.name, version: connector.version })
                  : t('connectorGone')}
              </Text>
            </Stack>
          </Group>
        ),
      },
      {
        id: 'integration',
        header: t('integration'),
        sortBy: ({ integration }) => integration?.name ?? null,
        cell: ({ integration }) =>
          integration ? (
            <Anchor component={Link} to={`/integrations/${integration.id}`} size="sm">
              {integration.name}
            </Anchor>
          ) : (
            '–'
          ),
      },
      {
        id: 'state',
        header: t('state'),
        sortBy: ({ enabled, health }) => (enabled ? health : 'off'),
        cell: (row) => (
          <Stack gap={2} align="flex-start">
            <ConnectionState enabled={row.enabled} health={row.health} />
            {row.state_reason && (
              <Text size="xs" c="dimmed" component="span" maw={320} lineClamp={2} lang="en" title={row.state_reason}>
                {row.state_reason}
              </Text>
            )}
          </Stack>
        ),
      },
      { id: 'last', header: t('lastRun'), sortBy: lastRunAt, cell: (row) => <LastRun row={row} /> },
      {
        id: 'next',
        header: t('nextRun'),
        sortBy: ({ next_run_at }) => next_run_at,
        cell: ({ next_run_at, enabled }) =>
          next_run_at && enabled ? (
            <Time at={next_run_at} relative />
          ) : (
            <Text size="sm" c="dimmed" component="span">
              {t('onDemand')}
            </Text>
          ),
      },
    ],
    [t, language],
  )
  return <DataTable label={t('title')} rows={rows} columns={columns} rowId={({ id }) => id} onMore={onMore} />
}

/** Scheduled runs are told by the connection; others by the last run of a function. */
function lastRunAt({ last_run_at, runs }: ConnectionRow): string | null {
  const [run] = runs
  return (
    [last_run_at, run?.started_at]
      .filter((at) => at != null)
      .sort()
      .at(-1) ?? null
  )
}

function LastRun({ row }: { readonly row: ConnectionRow }) {
  const { t } = useText()
  const at = lastRunAt(row)
  const status = row.last_run_at === at && row.last_run_status ? row.last_run_status : row.runs[0]?.status
  if (!at || !status) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('neverRan')}
      </Text>
    )
  }
  return (
    <Stack gap={2} align="flex-start">
      <RunState status={status} />
      <Text size="xs" c="dimmed" component="span">
        <Time at={at} relative />
      </Text>
    </Stack>
  )
}
