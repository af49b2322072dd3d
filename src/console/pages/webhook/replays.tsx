import { Button, Group, Paper, Progress, Stack, Text } from '@mantine/core'
import { IconPlayerStop, IconRepeat } from '@tabler/icons-react'
import { useState } from 'react'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { cancelReplay, liveReplays, type Replay, type Webhook } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 20
const tones = { running: 'busy', finished: 'good', cancelled: 'off' } as const

export interface ReplaysProps {
  readonly webhook: Webhook
  readonly onNew: () => void
}

/** What is sent again, how far it is, and what was. */
export function Replays({ webhook, onNew }: ReplaysProps) {
  const { t } = useText()
  const { edit } = useCan()
  const [limit, setLimit] = useState(pageSize)
  const replays = useLive(liveReplays, { webhook: webhook.id, limit }, { keep: true })
  const create = edit && (
    <Button size="xs" leftSection={<IconRepeat size={16} aria-hidden />} onClick={onNew}>
      {t('replay.new')}
    </Button>
  )
  return (
    <Loaded of={replays}>
      {({ replays: rows }) =>
        rows.length === 0 ? (
          <EmptyState icon={IconRepeat} title={t('replays.none')} action={create}>
            {t('replays.text')}
          </EmptyState>
        ) : (
          <Stack gap="sm">
            <Group>{create}</Group>
            <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {rows.map((replay) => (
                <ReplayView key={replay.id} replay={replay} />
              ))}
            </Stack>
            {rows.length === limit && (
              <Group justify="center">
                <Button variant="default" onClick={() => setLimit(limit + pageSize)}>
                  {t('more')}
                </Button>
              </Group>
            )}
          </Stack>
        )
      }
    </Loaded>
  )
}

function ReplayView({ replay }: { readonly replay: Replay }) {
  const { t, language } = useText()
  const { edit } = useCan()
  const cancel = useAction(cancelReplay, { success: t('replay.cancelled'), notify: true })
  const { id, status, missed, range_from, range_to, rate_per_second, total, released, skipped } = replay
  const number = (count: number) => new Intl.NumberFormat(language).format(count)
  const done = released + skipped
  const share = total === 0 ? 100 : (done / total) * 100
  const label = t('replay.progress', { done: number(done), total: number(total) })
  return (
    <Paper component="li" withBorder p="sm" bg="var(--sluice-surface)">
      <Stack gap="xs">
        <Group justify="space-between" gap="xs" align="flex-start">
          <Group gap="xs">
            <Text size="sm" fw={600} component="span">
              {t(missed ? 'replay.missed' : 'replay.again')}
            </Text>
            <StatusBadge tone={tones[status]}>{t(`replay.${status}`)}</StatusBadge>
          </Group>
          {edit && status === 'running' && (
            <Button
              size="compact-sm"
              variant="default"
              leftSection={<IconPlayerStop size={14} aria-hidden />}
              loading={cancel.running}
              onClick={() => void cancel.run({ id })}
            >
              {t('replay.cancel')}
            </Button>
          )}
        </Group>
        <Progress
          value={share}
          aria-label={label}
          aria-valuetext={label}
          color={status === 'cancelled' ? 'gray' : undefined}
          animated={status === 'running'}
        />
        <Group justify="space-between" gap="2px 12px">
          <Text size="sm" component="span">
            {label}
            {skipped > 0 && ` · ${t('replay.skipped', { count: skipped })}`}
          </Text>
          <Text size="xs" c="dimmed" component="span">
            {t('replay.rate', { rate: number(rate_per_second) })} · <Time at={replay.created_at} />
          </Text>
        </Group>
        {(range_from || range_to) && (
          <Text size="xs" c="dimmed">
            {range_from && (
              <>
                {t('range.from')} <Time at={range_from} />{' '}
              </>
            )}
            {range_to && (
              <>
                {t('range.to')} <Time at={range_to} />
              </>
            )}
          </Text>
        )}
      </Stack>
    </Paper>
  )
}
