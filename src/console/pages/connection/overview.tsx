import { Alert, Anchor, Button, Code, Group, SimpleGrid, Stack, Text } from '@mantine/core'
import { IconAlertTriangle, IconArrowUp } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { Facts } from '../connector-parts/facts.tsx'
import { HostList } from '../connector-parts/hosts.tsx'
import { fetches, hearsEvents, makesSessions, runsByClock, takesPayloads } from '../connector-parts/manifest.ts'
import { PermissionList } from '../connector-parts/permissions.tsx'
import { Presentation } from '../connector-parts/presentation.tsx'
import { ScheduleText } from '../connector-parts/schedule-field.tsx'
import { RunState } from '../connector-parts/states.tsx'
import { Inbound } from './inbound.tsx'
import { type ConnectionDetail, type Counts, liveCounts } from './queries.ts'
import { useText } from './text.ts'

export interface OverviewProps {
  readonly connection: ConnectionDetail
  /** The newest approved version beyond its own. */
  readonly newer: string | null
  readonly onUpgrade: () => void
}

/** How it fares, what it is, and what waits for somebody. */
export function Overview({ connection, newer, onUpgrade }: OverviewProps) {
  const { t } = useText()
  const { edit } = useCan()
  const { connector, integration } = connection
  const kinds = connector?.kinds ?? []
  return (
    <Stack gap="lg">
      {connection.state_reason && connection.health !== 'active' && (
        <Alert
          color={connection.health === 'disabled' ? 'red' : 'yellow'}
          icon={<IconAlertTriangle aria-hidden />}
          title={t(connection.health === 'disabled' ? 'stopped' : 'failing')}
        >
          <Text size="sm" lang="en" style={{ overflowWrap: 'anywhere' }}>
            {connection.state_reason}
          </Text>
          {connection.probe_at && (
            <Text size="sm" mt={4}>
              {t('probe')} <Time at={connection.probe_at} relative />
            </Text>
          )}
        </Alert>
      )}
      {integration?.status === 'disabled' && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />}>
          {t('integrationOff')}
        </Alert>
      )}
      {fetches(kinds) && !connection.flow && (
        <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />}>
          {t('noFlow')}
        </Alert>
      )}
      {newer && edit && (
        <Alert color="water" icon={<IconArrowUp aria-hidden />} title={t('newer.title', { version: newer })}>
          <Group justify="space-between" gap="sm">
            <Text size="sm">{t(connection.requested_connector_id ? 'newer.waits' : 'newer.text')}</Text>
            <Button size="compact-sm" variant="default" onClick={onUpgrade}>
              {t('newer.look')}
            </Button>
          </Group>
        </Alert>
      )}
      <Waiting id={connection.id} kinds={kinds} />
      <Section title={t('status')} framed>
        <Facts
          facts={[
            runsByClock(kinds) && [
              t('schedule'),
              <ScheduleText key="s" schedule={connection.schedule} timeZone={connection.time_zone} />,
            ],
            runsByClock(kinds) && [
              t('nextRun'),
              connection.next_run_at && connection.enabled ? (
                <Time key="n" at={connection.next_run_at} />
              ) : (
                t('nextRun.none')
              ),
            ],
            runsByClock(kinds) && [
              t('lastRun'),
              connection.last_run_at && connection.last_run_status ? (
                <Stack key="l" gap={2} align="flex-start">
                  <Group gap="xs">
                    <RunState status={connection.last_run_status} />
                    <Time at={connection.last_run_at} relative />
                  </Group>
                  {connection.last_run_message && (
                    <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
                      {connection.last_run_message}
                    </Text>
                  )}
                </Stack>
              ) : (
                t('lastRun.never')
              ),
            ],
            integration && [
              t('integration'),
              <Anchor key="i" component={Link} to={`/integrations/${integration.id}`} size="sm">
                {integration.name}
              </Anchor>,
            ],
            makesSessions(kinds) &&
              connection.flow && [
                t('flow'),
                <Anchor key="f" component={Link} to={`/flows/${connection.flow.id}`} size="sm">
                  {connection.flow.name}
                </Anchor>,
              ],
            kinds.includes('consumer') && [
              t('events'),
              connection.events.map((type) => t(`event.${type as 'session.submitted'}`)).join(', '),
            ],
            hearsEvents(kinds) && [t('pattern'), <Pattern key="p" pattern={connection.pattern} />],
            kinds.includes('modifier') && [t('order'), String(connection.run_order)],
            [t('hosts'), <HostList key="h" hosts={connection.hosts} />],
            connection.consecutive_failures > 0 && [
              t('failures'),
              <span key="c">
                {t('failures.count', { count: connection.consecutive_failures })}
                {connection.failing_since && (
                  <>
                    {' '}
                    {t('failures.since')} <Time at={connection.failing_since} relative />
                  </>
                )}
              </span>,
            ],
            [t('created'), <Time key="t" at={connection.created_at} day />],
          ]}
        />
      </Section>
      {takesPayloads(kinds) && <Inbound connection={connection} />}
      {connector && (
        <Section title={t('connector')} framed>
          <Stack gap="md">
            <Presentation connector={connector} linked />
            <PermissionList connector={connector} />
          </Stack>
        </Section>
      )}
    </Stack>
  )
}

function Pattern({ pattern }: { readonly pattern: unknown }) {
  const { t } = useText()
  const text = JSON.stringify(pattern)
  return text === '{}' ? <span>{t('pattern.all')}</span> : <Code style={{ overflowWrap: 'anywhere' }}>{text}</Code>
}

/** Numbers that somebody may have to act on, each leading to its list; nothing when there is nothing. */
function Waiting({ id, kinds }: { readonly id: string; readonly kinds: readonly string[] }) {
  const { t } = useText()
  const counts = useLive(liveCounts, { id })
  const row = counts.data?.connections_by_pk
  if (!row) return null
  const shown = (
    [
      ['exhausted', `?tab=deliveries`, hearsEvents(kinds)],
      ['open', `?tab=deliveries`, hearsEvents(kinds)],
      ['failed', `?tab=sources&status=failed`, takesPayloads(kinds)],
      ['unmatched', `?tab=sources&status=unmatched`, takesPayloads(kinds)],
      ['missing', `?tab=sources&status=missing`, takesPayloads(kinds)],
      ['pending', `?tab=sources&status=pending`, takesPayloads(kinds)],
      ['received', `?tab=sources&status=received`, takesPayloads(kinds)],
    ] as const satisfies readonly (readonly [Exclude<keyof Counts, 'id'>, string, boolean])[]
  )
    .map(([name, to, isMeant]) => ({ name, to, count: isMeant ? row[name].aggregate.count : 0 }))
    .filter(({ count }) => count > 0)
  if (shown.length === 0) return null
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, md: 4 }} spacing="sm">
      {shown.map(({ name, to, count }) => (
        <Anchor
          key={name}
          component={Link}
          to={to}
          underline="never"
          c="inherit"
          p="md"
          style={{
            border: '1px solid var(--sluice-line)',
            borderRadius: 'var(--mantine-radius-md)',
            background: 'var(--sluice-surface)',
          }}
        >
          <Text fz={26} fw={650} lh={1.2} component="div" style={{ fontVariantNumeric: 'tabular-nums' }}>
            {count}
          </Text>
          <Text size="sm" c="dimmed" component="div">
            {t(`count.${name}`, { count })}
          </Text>
        </Anchor>
      ))}
    </SimpleGrid>
  )
}
