import { Anchor, Group, Stack, Text } from '@mantine/core'
import { Link } from 'react-router'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { shortId } from '../sessions/session-list.tsx'
import { SessionStatusBadge } from '../sessions/session-state.tsx'
import type { TripRow } from './queries.ts'
import { useText } from './text.ts'

/** The journey that a booking belongs to, with its other bookings. */
export function Trip({ trip, current }: { readonly trip: TripRow; readonly current: string }) {
  const { t } = useText()
  return (
    <Section
      title={trip.title ? t('trip.named', { title: trip.title }) : t('trip')}
      description={t('trip.reference', { reference: trip.reference })}
      framed
    >
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {trip.sessions.map(({ id, status, submitted_at, flow }) => (
          <Group key={id} component="li" justify="space-between" gap="xs">
            <Stack gap={0} miw={0}>
              {id === current ? (
                <Text size="sm" fw={600} component="span" aria-current="true">
                  {t('trip.this')}
                </Text>
              ) : (
                <Anchor component={Link} to={`/sessions/${id}`} size="sm" ff="monospace" title={id}>
                  {shortId(id)}
                </Anchor>
              )}
              <Text size="xs" c="dimmed" component="span">
                {flow?.name} · <Time at={submitted_at} day />
              </Text>
            </Stack>
            <SessionStatusBadge status={status} />
          </Group>
        ))}
      </Stack>
    </Section>
  )
}
