import { Anchor, DataList, Drawer, Group, Stack, Text, Title } from '@mantine/core'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { CopyText, ShortId } from '../../kit/copy-button.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Time } from '../../kit/time.tsx'
import { AttemptView } from './attempt-view.tsx'
import { DeliveryActions, DeliveryBadge } from './deliveries.tsx'
import { liveDelivery } from './queries.ts'
import { useText } from './text.ts'

export interface DeliveryDrawerProps {
  readonly id: string
  readonly onClose: () => void
}

/** One delivery and its attempts, as they happen. */
export function DeliveryDrawer({ id, onClose }: DeliveryDrawerProps) {
  const { t } = useText()
  const { edit } = useCan()
  const delivery = useLive(liveDelivery, { id })
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={t('delivery')}
      closeButtonProps={{ 'aria-label': t('close') }}
      styles={{
        title: { fontWeight: 650 },
        content: { background: 'var(--sluice-page)' },
        header: { background: 'var(--sluice-page)' },
      }}
    >
      <Loaded of={delivery}>
        {({ deliveries_by_pk: row }) =>
          row ? (
            <Stack gap="md">
              <Group justify="space-between" wrap="nowrap" align="flex-start">
                <Stack gap={4}>
                  <Text fw={600}>{row.event?.type ?? row.operational_event?.type}</Text>
                  <Group gap="xs">
                    <DeliveryBadge status={row.status} />
                    {row.status === 'waiting' && (
                      <Text size="sm" c="dimmed" component="span">
                        {t('next')} <Time at={row.due_at} relative />
                      </Text>
                    )}
                  </Group>
                </Stack>
                {edit && <DeliveryActions row={row} />}
              </Group>
              <DataList gap={6} labelWidth={130}>
                <Row label={t('created')}>
                  <Time at={row.created_at} />
                </Row>
                {row.finished_at && (
                  <Row label={t('finished')}>
                    <Time at={row.finished_at} />
                  </Row>
                )}
                <Row label={t('webhookId')}>
                  <CopyText value={row.id} what={t('webhookId')} length={18} />
                </Row>
                {row.session_id && (
                  <Row label={t('session')}>
                    <Group gap={4}>
                      <ShortId id={row.session_id} />
                      <Anchor component={Link} to={`/sessions/${row.session_id}`} size="sm">
                        {t('session.open')}
                      </Anchor>
                    </Group>
                  </Row>
                )}
              </DataList>
              <div>
                <Title order={3} mb="xs">
                  {t('attempts.count', { count: row.attempt_count })}
                </Title>
                {row.attempts.length === 0 ? (
                  <Text size="sm" c="dimmed">
                    {t(row.attempt_count > 0 ? 'attempts.gone' : 'attempts.none')}
                  </Text>
                ) : (
                  <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-live="polite">
                    {row.attempts.map((attempt) => (
                      <AttemptView key={attempt.id} attempt={attempt} />
                    ))}
                  </Stack>
                )}
              </div>
            </Stack>
          ) : (
            <Text size="sm">{t('delivery.gone')}</Text>
          )
        }
      </Loaded>
    </Drawer>
  )
}

function Row({ label, children }: { readonly label: string; readonly children: React.ReactNode }) {
  return (
    <DataList.Item>
      <DataList.ItemLabel w={130}>{label}</DataList.ItemLabel>
      <DataList.ItemValue style={{ minWidth: 0, overflowWrap: 'anywhere' }}>{children}</DataList.ItemValue>
    </DataList.Item>
  )
}
