/** How a session fares, as the list and its own page show it. */
import { Button, Group, Text } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { useAction } from '../../api/hooks.ts'
import { StatusBadge, type Tone } from '../../kit/status-badge.tsx'
import { revalidateSession, type SessionRow, type SessionStatus } from './queries.ts'
import { useText } from './text.ts'

const tones: Readonly<Record<SessionStatus, Tone>> = {
  submitted: 'good',
  settling: 'busy',
  invalid: 'bad',
  purged: 'off',
}

export function SessionStatusBadge({ status }: { readonly status: SessionStatus }) {
  const { t } = useText()
  return (
    <StatusBadge tone={tones[status]} title={t(`status.${status}Text`)}>
      {t(`status.${status}`)}
    </StatusBadge>
  )
}

/** How many arrived, failed for good, and are still tried. */
export function Deliveries({ row }: { readonly row: Pick<SessionRow, 'delivered' | 'failed' | 'open'> }) {
  const { t } = useText()
  const [delivered, failed, open] = [row.delivered, row.failed, row.open].map(({ aggregate }) => aggregate.count)
  if (!delivered && !failed && !open) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('deliveries.none')}
      </Text>
    )
  }
  return (
    <Group gap={4}>
      {failed ? <StatusBadge tone="bad">{t('deliveries.failed', { count: failed })}</StatusBadge> : null}
      {open ? <StatusBadge tone="busy">{t('deliveries.open', { count: open })}</StatusBadge> : null}
      {delivered ? <StatusBadge tone="good">{t('deliveries.delivered', { count: delivered })}</StatusBadge> : null}
    </Group>
  )
}

/** Validates one session again, or all invalid ones of a flow. What is valid now is announced. */
export function RevalidateButton({ id, flow }: { readonly id?: string; readonly flow?: string }) {
  const { t } = useText()
  const revalidate = useAction(revalidateSession, {
    notify: true,
    success: ({ revalidate_session: { published, invalid } }) =>
      published > 0 ? t('revalidate.published', { count: published }) : t('revalidate.invalid', { count: invalid }),
  })
  return (
    <Button
      variant="default"
      size="compact-xs"
      leftSection={<IconRefresh size={14} aria-hidden />}
      loading={revalidate.running}
      onClick={() => void revalidate.run(id ? { id } : { flow })}
    >
      {t(id ? 'revalidate' : 'revalidate.flow')}
    </Button>
  )
}
