import { Anchor, Button, Group, Menu, Select, Stack, Text } from '@mantine/core'
import { IconRefresh, IconSend } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type ConnectionDetail, type DeliveryRow, liveDeliveries, sendAgain, sendAllAgain } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 50
const statuses = ['pending', 'leased', 'waiting', 'succeeded', 'exhausted', 'cancelled'] as const
const tones = {
  pending: 'waiting',
  leased: 'busy',
  waiting: 'warning',
  succeeded: 'good',
  exhausted: 'bad',
  cancelled: 'off',
} as const

/** Events that are bound for this connection, and how each fares. */
export function Deliveries({ connection }: { readonly connection: ConnectionDetail }) {
  const { t } = useText()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const [status, setStatus] = useState<string | null>(null)
  const where = useMemo(
    () => ({ connection_id: { _eq: connection.id }, ...(status ? { status: { _eq: status } } : {}) }),
    [connection.id, status],
  )
  const deliveries = useLive(liveDeliveries, { where, limit }, { keep: true })
  const all = useAction(sendAllAgain, {
    notify: true,
    success: ({ replay_deliveries: { total } }) => t('delivery.allAgain', { count: total }),
  })
  const columns = useMemo<Column<DeliveryRow>[]>(
    () => [
      {
        id: 'event',
        header: t('event'),
        main: true,
        cell: ({ event }) => (event ? t(`event.${event.type as 'session.submitted'}`) : t('event.test')),
      },
      {
        id: 'status',
        header: t('status'),
        cell: (row) => (
          <Stack gap={2} align="flex-start">
            <StatusBadge tone={tones[row.status]}>{t(`delivery.${row.status}`)}</StatusBadge>
            {row.status === 'waiting' && row.due_at && (
              <Text size="xs" c="dimmed" component="span">
                {t('delivery.nextTry')} <Time at={row.due_at} relative />
              </Text>
            )}
          </Stack>
        ),
      },
      { id: 'attempts', header: t('delivery.attempts'), align: 'right', cell: ({ attempt_count }) => attempt_count },
      {
        id: 'error',
        header: t('message'),
        cell: ({ last_error, status }) => (
          <Text size="sm" component="span" lang="en" lineClamp={2} maw={420}>
            {status === 'succeeded' ? '–' : (last_error ?? '–')}
          </Text>
        ),
      },
      {
        id: 'session',
        header: t('session'),
        cell: ({ session_id }) =>
          session_id ? (
            <Anchor component={Link} to={`/sessions/${session_id}`} size="sm" ff="monospace">
              {session_id.slice(0, 8)}
            </Anchor>
          ) : (
            '–'
          ),
      },
      { id: 'at', header: t('at'), cell: ({ created_at }) => <Time at={created_at} relative /> },
      ...(edit
        ? [
            {
              id: 'actions',
              header: t('actions'),
              bare: true,
              align: 'right',
              cell: (row) => <RowActions row={row} />,
            } satisfies Column<DeliveryRow>,
          ]
        : []),
    ],
    [t, edit],
  )
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Select
          aria-label={t('delivery.show')}
          placeholder={t('delivery.all')}
          data={statuses.map((one) => ({ value: one, label: t(`delivery.${one}`) }))}
          value={status}
          onChange={setStatus}
          clearable
          clearButtonProps={{ 'aria-label': t('filter.clear') }}
          maw={280}
        />
        {edit && status === 'exhausted' && (deliveries.data?.deliveries.length ?? 0) > 0 && (
          <Button
            variant="default"
            leftSection={<IconRefresh size={18} aria-hidden />}
            loading={all.running}
            onClick={() =>
              void all.run({
                object: { connection_id: connection.id, where: { status: { _eq: 'exhausted' } } },
              })
            }
          >
            {t('delivery.sendAll')}
          </Button>
        )}
      </Group>
      <Loaded of={deliveries}>
        {({ deliveries: rows }) => (
          <DataTable
            label={t('tab.deliveries')}
            rows={rows}
            columns={columns}
            rowId={({ id }) => id}
            onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
            empty={
              <EmptyState icon={IconSend} title={t(status ? 'filter.none' : 'delivery.none')}>
                {t('delivery.noneText', { integration: connection.integration?.name ?? '' })}
              </EmptyState>
            }
          />
        )}
      </Loaded>
    </Stack>
  )
}

function RowActions({ row }: { readonly row: DeliveryRow }) {
  const { t } = useText()
  const again = useAction(sendAgain, { notify: true, success: t('delivery.again') })
  if (!['succeeded', 'exhausted', 'cancelled'].includes(row.status)) return null
  return (
    <RowMenu label={t('actionsFor', { name: row.id.slice(-8) })}>
      <Menu.Item leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => void again.run({ id: row.id })}>
        {t('delivery.sendAgain')}
      </Menu.Item>
    </RowMenu>
  )
}
