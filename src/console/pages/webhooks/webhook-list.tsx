import { Anchor, Stack, Text } from '@mantine/core'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { useOwner } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import type { WebhookRow } from './queries.ts'
import { stateOf, webhookTones } from './state.ts'
import { useText } from './text.ts'

export interface WebhookListProps {
  readonly rows: readonly WebhookRow[]
  /** By the webhook's id. */
  readonly waiting: ReadonlyMap<string, number> | undefined
  readonly empty: React.ReactNode
  readonly onMore?: () => void
}

export function WebhookList({ rows, waiting, empty, onMore }: WebhookListProps) {
  const { t, language } = useText()
  const { team } = useOwner()
  const columns = useMemo<Column<WebhookRow>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        cell: ({ id, name, url }) => (
          <Stack gap={0}>
            <Anchor component={Link} to={`/webhooks/${id}`} fw={550} size="sm">
              {name}
            </Anchor>
            <Text size="xs" c="dimmed" component="span" fw={400} lineClamp={2} title={url}>
              {url.replace(/^https:\/\//, '')}
            </Text>
          </Stack>
        ),
      },
      { id: 'integration', header: t('integration'), cell: ({ integration }) => integration?.name ?? '' },
      { id: 'state', header: t('state'), cell: (row) => <State row={row} /> },
      {
        id: 'success',
        header: t('success'),
        cell: ({ succeeded: [newest] }) => <Time at={newest?.finished_at} relative />,
      },
      ...(team
        ? [
            {
              id: 'waiting',
              header: t('waiting'),
              align: 'right',
              cell: ({ id }) => (waiting ? new Intl.NumberFormat(language).format(waiting.get(id) ?? 0) : ''),
            } satisfies Column<WebhookRow>,
          ]
        : []),
    ],
    [t, language, waiting, team],
  )
  return (
    <DataTable label={t('title')} rows={rows} columns={columns} rowId={({ id }) => id} empty={empty} onMore={onMore} />
  )
}

function State({ row }: { readonly row: WebhookRow }) {
  const { t } = useText()
  const state = stateOf(row)
  return (
    <Stack gap={2} align="flex-start">
      <StatusBadge tone={webhookTones[state]}>{t(`state.${state}`)}</StatusBadge>
      {row.failing_since && state !== 'off' && (
        <Text size="xs" c="dimmed" component="span">
          {t('failing')} <Time at={row.failing_since} relative />
        </Text>
      )}
    </Stack>
  )
}
