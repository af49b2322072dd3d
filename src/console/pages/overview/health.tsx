import { Anchor, Box, Group, Stack, Text } from '@mantine/core'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge, type Tone } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type Health, liveConnectionHealth, liveWebhookHealth } from './queries.ts'
import { useText } from './text.ts'

const shown = 8

interface Target {
  readonly id: string
  readonly to: string
  readonly name: string
  readonly integration: string | null
  readonly state: Health | 'off'
  readonly failing_since: string | null
}

const tones: Readonly<Record<Target['state'], Tone>> = {
  active: 'good',
  failing: 'warning',
  probing: 'busy',
  disabled: 'bad',
  off: 'off',
}
const order: readonly Target['state'][] = ['disabled', 'probing', 'failing', 'active', 'off']

/** Webhooks and connections, those in trouble first. */
export function TargetHealth() {
  const { t } = useText()
  const team = useTeam()
  const webhooks = useLive(liveWebhookHealth, { team: team.id, limit: shown + 1 })
  const connections = useLive(liveConnectionHealth, { team: team.id, limit: shown + 1 })
  const both = webhooks.data &&
    connections.data && [
      ...webhooks.data.webhooks.map(({ state, ...row }) => targetOf(row, state, 'webhooks')),
      ...connections.data.connections.map(({ health, ...row }) => targetOf(row, health, 'connections')),
    ]
  const of = {
    data: both?.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state)),
    loading: webhooks.loading || connections.loading,
    fault: webhooks.fault ?? connections.fault,
    retry: () => {
      webhooks.retry()
      connections.retry()
    },
  }
  return (
    <Section title={t('health')} framed>
      <Loaded of={of}>
        {(targets) =>
          targets.length === 0 ? (
            <Text size="sm" c="dimmed">
              {t('health.none')}
            </Text>
          ) : (
            <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {targets.slice(0, shown).map((target) => (
                <TargetLine key={target.id} target={target} />
              ))}
              {targets.length > shown && (
                <Group component="li" gap="md">
                  <Anchor component={Link} to="/webhooks" size="sm">
                    {t('health.allWebhooks')}
                  </Anchor>
                  <Anchor component={Link} to="/connections" size="sm">
                    {t('health.allConnections')}
                  </Anchor>
                </Group>
              )}
            </Stack>
          )
        }
      </Loaded>
    </Section>
  )
}

function TargetLine({ target: { to, name, integration, state, failing_since } }: { readonly target: Target }) {
  const { t } = useText()
  return (
    <Group component="li" justify="space-between" wrap="nowrap" gap="sm">
      <Box miw={0}>
        <Anchor component={Link} to={to} size="sm" fw={550} style={{ overflowWrap: 'anywhere' }}>
          {name}
        </Anchor>
        <Text size="xs" c="dimmed" component="div">
          {integration}
          {failing_since && (
            <>
              {' '}
              · {t('health.since')} <Time at={failing_since} relative />
            </>
          )}
        </Text>
      </Box>
      <Box style={{ flexShrink: 0 }}>
        <StatusBadge tone={tones[state]}>{t(`state.${state}`)}</StatusBadge>
      </Box>
    </Group>
  )
}

function targetOf(
  row: {
    readonly id: string
    readonly name: string
    readonly enabled: boolean
    readonly failing_since: string | null
    readonly integration: { readonly name: string } | null
  },
  health: Health,
  kind: 'webhooks' | 'connections',
): Target {
  const { id, name, enabled, failing_since, integration } = row
  return {
    id,
    to: `/${kind}/${id}`,
    name,
    integration: integration?.name ?? null,
    state: enabled ? health : 'off',
    failing_since: enabled ? failing_since : null,
  }
}
