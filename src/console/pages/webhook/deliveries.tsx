import { Anchor, Button, Group, Menu, NativeSelect, Stack, Text } from '@mantine/core'
import { IconInbox, IconListCheck, IconRepeat, IconX } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { ShortId } from '../../kit/copy-button.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import {
  cancelDeliveries,
  type Delivery,
  type DeliveryStatus,
  exhaustedOf,
  liveDeliveries,
  replayDelivery,
  type Webhook,
} from './queries.ts'
import { ReplayDialog } from './replay-dialog.tsx'
import { useText } from './text.ts'

const pageSize = 50

export const statuses = ['pending', 'leased', 'waiting', 'succeeded', 'exhausted', 'cancelled'] as const
const tones = {
  pending: 'waiting',
  leased: 'busy',
  waiting: 'warning',
  succeeded: 'good',
  exhausted: 'bad',
  cancelled: 'off',
} as const

export function DeliveryBadge({ status }: { readonly status: DeliveryStatus }) {
  const { t } = useText()
  return <StatusBadge tone={tones[status]}>{t(`status.${status}`)}</StatusBadge>
}

export interface DeliveriesProps {
  readonly webhook: Webhook
  readonly onOpen: (id: string) => void
}

/** What was sent to it, and is to be, the newest first. */
export function Deliveries({ webhook, onOpen }: DeliveriesProps) {
  const { t } = useText()
  const [status, setStatus] = useState<DeliveryStatus | ''>('')
  const [limit, setLimit] = useState(pageSize)
  const where = { webhook_id: { _eq: webhook.id }, ...(status ? { status: { _eq: status } } : {}) }
  const deliveries = useLive(liveDeliveries, { where, limit }, { keep: true })
  return (
    <Stack gap="sm">
      <NativeSelect
        aria-label={t('status')}
        value={status}
        onChange={(event) => setStatus(event.currentTarget.value as typeof status)}
        data={[
          { value: '', label: t('status.all') },
          ...statuses.map((each) => ({ value: each as string, label: t(`status.${each}`) })),
        ]}
        style={{ alignSelf: 'flex-start' }}
      />
      <Loaded of={deliveries}>
        {({ deliveries: rows }) => (
          <DeliveryTable
            rows={rows}
            onOpen={onOpen}
            empty={
              <EmptyState icon={IconInbox} title={t(status ? 'deliveries.noneLike' : 'deliveries.none')}>
                {t('deliveries.text')}
              </EmptyState>
            }
            onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
          />
        )}
      </Loaded>
    </Stack>
  )
}

/** What was given up: a list to work off, one by one or all together. */
export function Exhausted({ webhook, onOpen }: DeliveriesProps) {
  const { t } = useText()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const [asking, setAsking] = useState<'replay' | 'cancel'>()
  const deliveries = useLive(liveDeliveries, { where: exhaustedOf(webhook.id), limit }, { keep: true })
  const close = () => setAsking(undefined)
  return (
    <Stack gap="sm">
      <Loaded of={deliveries}>
        {({ deliveries: rows }) => (
          <>
            {edit && rows.length > 0 && (
              <Group gap="xs">
                <Button
                  size="xs"
                  leftSection={<IconRepeat size={16} aria-hidden />}
                  onClick={() => setAsking('replay')}
                >
                  {t('exhausted.retryAll')}
                </Button>
                <Button size="xs" variant="default" onClick={() => setAsking('cancel')}>
                  {t('exhausted.cancelAll')}
                </Button>
              </Group>
            )}
            <DeliveryTable
              rows={rows}
              onOpen={onOpen}
              empty={
                <EmptyState icon={IconListCheck} title={t('exhausted.none')}>
                  {t('exhausted.text')}
                </EmptyState>
              }
              onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
            />
          </>
        )}
      </Loaded>
      {asking === 'replay' && <ReplayDialog webhook={webhook} what="exhausted" onClose={close} />}
      {asking === 'cancel' && <CancelAllDialog webhook={webhook} onClose={close} />}
    </Stack>
  )
}

function CancelAllDialog({ webhook, onClose }: { readonly webhook: Webhook; readonly onClose: () => void }) {
  const { t } = useText()
  const cancel = useAction(cancelDeliveries, {
    success: ({ cancel_deliveries: { cancelled } }) => t('cancelled', { count: cancelled }),
  })
  return (
    <ConfirmDelete
      title={t('exhausted.cancelAll')}
      action={t('exhausted.cancelDo')}
      running={cancel.running}
      fault={cancel.fault}
      onClose={onClose}
      onConfirm={async () => {
        // One call takes a bounded number.
        for (let more = true; more; ) {
          const done = await cancel.run({ where: exhaustedOf(webhook.id) })
          if (!done) return
          more = done.cancel_deliveries.more
        }
        onClose()
      }}
    >
      {t('exhausted.cancelText')}
    </ConfirmDelete>
  )
}

interface DeliveryTableProps {
  readonly rows: readonly Delivery[]
  readonly onOpen: (id: string) => void
  readonly empty: React.ReactNode
  readonly onMore?: () => void
}

function DeliveryTable({ rows, onOpen, empty, onMore }: DeliveryTableProps) {
  const { t } = useText()
  const { edit } = useCan()
  const columns = useMemo<Column<Delivery>[]>(
    () => [
      {
        id: 'event',
        header: t('event'),
        main: true,
        cell: ({ id, event, operational_event, created_at }) => (
          <Stack gap={0} align="flex-start">
            <Anchor component="button" type="button" size="sm" fw={550} ta="start" onClick={() => onOpen(id)}>
              {event?.type ?? operational_event?.type ?? t('event.none')}
            </Anchor>
            <Text size="xs" c="dimmed" component="span" fw={400}>
              <Time at={created_at} />
            </Text>
          </Stack>
        ),
      },
      {
        id: 'session',
        header: t('session'),
        cell: ({ session_id }) =>
          session_id ? (
            <Group gap={4} wrap="nowrap">
              <ShortId id={session_id} />
              <Anchor component={Link} to={`/sessions/${session_id}`} size="sm">
                {t('session.open')}
              </Anchor>
            </Group>
          ) : (
            ''
          ),
      },
      { id: 'status', header: t('status'), cell: (row) => <Status row={row} /> },
      { id: 'attempts', header: t('attempts'), align: 'right', cell: ({ attempt_count }) => attempt_count },
      {
        id: 'error',
        header: t('error'),
        cell: ({ last_error, status }) =>
          last_error && (
            <Text size="sm" component="span" lang="en" lineClamp={2} c={status === 'succeeded' ? 'dimmed' : undefined}>
              {last_error}
            </Text>
          ),
      },
      ...(edit
        ? [
            {
              id: 'actions',
              header: t('actions'),
              bare: true,
              align: 'right',
              cell: (row) => <DeliveryActions row={row} />,
            } satisfies Column<Delivery>,
          ]
        : []),
    ],
    [t, edit, onOpen],
  )
  return (
    <DataTable
      label={t('deliveries')}
      rows={rows}
      columns={columns}
      rowId={({ id }) => id}
      empty={empty}
      onMore={onMore}
    />
  )
}

function Status({ row: { status, due_at, finished_at } }: { readonly row: Delivery }) {
  const { t } = useText()
  return (
    <Stack gap={2} align="flex-start">
      <DeliveryBadge status={status} />
      {(status === 'waiting' ? due_at : finished_at) && (
        <Text size="xs" c="dimmed" component="span">
          {status === 'waiting' && `${t('next')} `}
          <Time at={status === 'waiting' ? due_at : finished_at} relative />
        </Text>
      )}
    </Stack>
  )
}

/** Again, or off the list; null for a test, which is sent anew, not again. */
export function DeliveryActions({ row: { id, status, event, operational_event } }: { readonly row: Delivery }) {
  const { t } = useText()
  const retry = useAction(replayDelivery, { success: t('retried'), notify: true })
  const cancel = useAction(cancelDeliveries, {
    success: ({ cancel_deliveries: { cancelled } }) => t('cancelled', { count: cancelled }),
    notify: true,
  })
  const isFinal = ['succeeded', 'exhausted', 'cancelled'].includes(status)
  const isOpen = ['pending', 'waiting', 'exhausted'].includes(status)
  if (operational_event?.type === 'webhook.test' && isFinal) return null
  return (
    <RowMenu label={t('actionsFor', { event: event?.type ?? operational_event?.type ?? '', id: id.slice(-8) })}>
      {isFinal && (
        <Menu.Item leftSection={<IconRepeat size={16} aria-hidden />} onClick={() => void retry.run({ id })}>
          {t('retry')}
        </Menu.Item>
      )}
      {isOpen && (
        <Menu.Item
          leftSection={<IconX size={16} aria-hidden />}
          onClick={() => void cancel.run({ where: { id: { _eq: id } } })}
        >
          {t('cancelOne')}
        </Menu.Item>
      )}
    </RowMenu>
  )
}
