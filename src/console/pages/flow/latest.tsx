import { Anchor, Button, Group, Text } from '@mantine/core'
import { IconFlask } from '@tabler/icons-react'
import { useMemo } from 'react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type FlowFacts, type LatestRow, liveLatest } from './queries.ts'
import { useText } from './text.ts'

const shown = 5
const tones = { submitted: 'good', settling: 'busy', invalid: 'warning', purged: 'off' } as const

export interface LatestProps {
  readonly flow: FlowFacts
  readonly onTest: () => void
}

/** The youngest sessions of a flow, as they come in. */
export function Latest({ flow, onTest }: LatestProps) {
  const { t } = useText()
  const { edit } = useCan()
  const latest = useLive(liveLatest, { flow: flow.id, limit: shown })
  const columns = useMemo<Column<LatestRow>[]>(
    () => [
      {
        id: 'submitted',
        header: t('submitted'),
        main: true,
        cell: ({ id, submitted_at }) => (
          <Anchor component={Link} to={`/sessions/${id}`} inherit>
            <Time at={submitted_at} />
          </Anchor>
        ),
      },
      {
        id: 'status',
        header: t('status'),
        cell: ({ status, purged_at }) => {
          const state = purged_at ? 'purged' : status
          return <StatusBadge tone={tones[state]}>{t(`status.${state}`)}</StatusBadge>
        },
      },
      {
        id: 'payment',
        header: t('payment'),
        cell: ({ payment_id }) =>
          payment_id ?? (
            <Text size="sm" c="dimmed" component="span">
              {t('none')}
            </Text>
          ),
      },
      {
        id: 'opened',
        header: t('opened'),
        cell: (row) => t('opened.count', { count: row.grants_aggregate.aggregate.count }),
      },
      {
        id: 'delivered',
        header: t('delivered'),
        cell: ({ delivered, bound }) =>
          bound.aggregate.count > 0 ? (
            t('delivered.count', { done: delivered.aggregate.count, all: bound.aggregate.count })
          ) : (
            <Text size="sm" c="dimmed" component="span">
              {t('delivered.none')}
            </Text>
          ),
      },
    ],
    [t],
  )
  return (
    <Section
      title={t('latest')}
      actions={
        (latest.data?.sessions.length ?? 0) > 0 && (
          <Anchor component={Link} to={`/sessions?flow=${flow.id}`} size="sm">
            {t('latest.all')}
          </Anchor>
        )
      }
    >
      <Loaded of={latest}>
        {({ sessions }) => (
          <DataTable
            label={t('latest')}
            rows={sessions}
            columns={columns}
            rowId={({ id }) => id}
            empty={
              <EmptyState
                icon={IconFlask}
                title={t('latest.none')}
                action={
                  edit && (
                    <Group>
                      <Button variant="default" onClick={onTest}>
                        {t('test')}
                      </Button>
                    </Group>
                  )
                }
              >
                {t('latest.noneText')}
              </EmptyState>
            }
          />
        )}
      </Loaded>
    </Section>
  )
}
