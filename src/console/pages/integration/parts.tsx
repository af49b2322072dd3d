import { Anchor, Button, Group, Stack, Text } from '@mantine/core'
import { IconGitBranch, IconKey, IconPlugConnected, IconPlus, IconWebhook } from '@tabler/icons-react'
import { type ReactNode, useMemo } from 'react'
import { Link } from 'react-router'
import { useCan, useOwner } from '../../app/context.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { VariableBadges } from '../../kit/variable-badges.tsx'
import type { IntegrationFacts, PartsOfIntegration } from './queries.ts'
import { useText } from './text.ts'

export interface PartsProps {
  readonly integration: IntegrationFacts
  readonly parts: PartsOfIntegration
  readonly onAddFlow: () => void
}

const tones = { active: 'good', failing: 'warning', probing: 'warning', disabled: 'bad' } as const

/** What an integration has: flows that send to it, and the ways by which sessions reach it. */
export function Parts({ integration, parts, onAddFlow }: PartsProps) {
  const { t } = useText()
  const { edit } = useCan()
  const { team } = useOwner()
  // What the platform's integrations have is made where the platform is chosen.
  const own = edit && integration.team_id === (team?.id ?? null)
  return (
    <>
      <Flows parts={parts} onAddFlow={onAddFlow} />
      <Webhooks
        rows={parts.webhooks}
        action={own && <MakeButton to={`/webhooks/new?integration=${integration.id}`}>{t('webhooks.make')}</MakeButton>}
      />
      <Connections
        rows={parts.connections}
        action={own && <MakeButton to="/connectors">{t('connections.make')}</MakeButton>}
      />
      <Credentials
        rows={parts.api_credentials}
        action={own && <MakeButton to="/credentials">{t('credentials.make')}</MakeButton>}
      />
    </>
  )
}

function MakeButton({ to, children }: { readonly to: string; readonly children: ReactNode }) {
  return (
    <Button component={Link} to={to} variant="default" leftSection={<IconPlus size={18} aria-hidden />}>
      {children}
    </Button>
  )
}

type FlowRow = PartsOfIntegration['destinations'][number]

function Flows({ parts, onAddFlow }: { readonly parts: PartsOfIntegration; readonly onAddFlow: () => void }) {
  const { t } = useText()
  const { edit } = useCan()
  const { team } = useOwner()
  const columns = useMemo<Column<FlowRow>[]>(
    () => [
      {
        id: 'flow',
        header: t('flow'),
        main: true,
        cell: ({ flow }) =>
          flow && (
            <Anchor component={Link} to={`/flows/${flow.id}`} fw={600} inherit>
              {flow.name}
            </Anchor>
          ),
      },
      ...(team ? [] : [{ id: 'team', header: t('team'), cell: ({ flow }) => flow?.team?.name } as Column<FlowRow>]),
      {
        id: 'variables',
        header: t('variables'),
        cell: ({ config }) =>
          Object.keys(config ?? {}).length > 0 ? <VariableBadges config={config} /> : <Dimmed>{t('none')}</Dimmed>,
      },
    ],
    [t, team],
  )
  // Which of its flows send to the platform's is a team's choice.
  const add = edit && team && (
    <Button variant="default" leftSection={<IconPlus size={18} aria-hidden />} onClick={onAddFlow}>
      {t('addFlow')}
    </Button>
  )
  const rows = parts.destinations
  return (
    <Section title={t('flows')} description={t('flows.text')} actions={rows.length > 0 && add}>
      <DataTable
        label={t('flows')}
        rows={rows}
        columns={columns}
        rowId={({ id }) => id}
        empty={
          <EmptyState icon={IconGitBranch} title={t('flows.none')} action={add}>
            {t(team ? 'flows.noneText' : 'platform.noFlows')}
          </EmptyState>
        }
      />
    </Section>
  )
}

interface ListProps<Row> {
  readonly rows: readonly Row[]
  readonly action: ReactNode
}

function Webhooks({ rows, action }: ListProps<PartsOfIntegration['webhooks'][number]>) {
  const { t } = useText()
  const columns = useMemo<Column<PartsOfIntegration['webhooks'][number]>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        cell: ({ id, name }) => (
          <Anchor component={Link} to={`/webhooks/${id}`} fw={600} inherit>
            {name}
          </Anchor>
        ),
      },
      {
        id: 'url',
        header: t('url'),
        cell: ({ url }) => (
          <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
            {url}
          </Text>
        ),
      },
      { id: 'health', header: t('health'), cell: ({ enabled, state }) => <Health on={enabled} state={state} /> },
    ],
    [t],
  )
  return (
    <Section title={t('webhooks')} description={t('webhooks.text')} actions={rows.length > 0 && action}>
      <DataTable
        label={t('webhooks')}
        rows={rows}
        columns={columns}
        rowId={({ id }) => id}
        empty={
          <EmptyState icon={IconWebhook} title={t('webhooks.none')} action={action}>
            {t('webhooks.noneText')}
          </EmptyState>
        }
      />
    </Section>
  )
}

function Connections({ rows, action }: ListProps<PartsOfIntegration['connections'][number]>) {
  const { t } = useText()
  const columns = useMemo<Column<PartsOfIntegration['connections'][number]>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        cell: ({ id, name }) => (
          <Anchor component={Link} to={`/connections/${id}`} fw={600} inherit>
            {name}
          </Anchor>
        ),
      },
      {
        id: 'connector',
        header: t('connector'),
        cell: ({ connector }) => connector && t('connector.version', { ...connector }),
      },
      { id: 'health', header: t('health'), cell: ({ enabled, health }) => <Health on={enabled} state={health} /> },
      { id: 'run', header: t('lastRun'), cell: ({ last_run_at }) => <Time at={last_run_at} relative /> },
    ],
    [t],
  )
  return (
    <Section title={t('connections')} description={t('connections.text')} actions={rows.length > 0 && action}>
      <DataTable
        label={t('connections')}
        rows={rows}
        columns={columns}
        rowId={({ id }) => id}
        empty={<None icon={<IconPlugConnected size={18} aria-hidden />} text={t('connections.none')} action={action} />}
      />
    </Section>
  )
}

function Credentials({ rows, action }: ListProps<PartsOfIntegration['api_credentials'][number]>) {
  const { t } = useText()
  const columns = useMemo<Column<PartsOfIntegration['api_credentials'][number]>[]>(
    () => [
      { id: 'name', header: t('name'), main: true, cell: ({ name }) => name },
      { id: 'key', header: t('key'), cell: ({ key_id }) => <CopyText value={key_id} what={t('key')} /> },
      {
        id: 'used',
        header: t('lastUsed'),
        cell: ({ secrets: [newest] }) => <Time at={newest?.last_used_at} relative />,
      },
      {
        id: 'ends',
        header: t('ends'),
        cell: ({ expires_at }) => (expires_at ? <Time at={expires_at} day /> : <Dimmed>{t('ends.not')}</Dimmed>),
      },
    ],
    [t],
  )
  return (
    <Section title={t('credentials')} description={t('credentials.text')} actions={rows.length > 0 && action}>
      <DataTable
        label={t('credentials')}
        rows={rows}
        columns={columns}
        rowId={({ id }) => id}
        empty={<None icon={<IconKey size={18} aria-hidden />} text={t('credentials.none')} action={action} />}
      />
    </Section>
  )
}

/** An empty list that need not be filled: one line. */
function None({ icon, text, action }: { readonly icon: ReactNode; readonly text: string; readonly action: ReactNode }) {
  return (
    <Group justify="space-between" gap="sm">
      <Group gap="xs" wrap="nowrap" c="dimmed" miw={0}>
        {icon}
        <Text size="sm">{text}</Text>
      </Group>
      {action}
    </Group>
  )
}

interface HealthProps {
  readonly on: boolean
  readonly state: keyof typeof tones
}

function Health({ on, state }: HealthProps) {
  const { t } = useText()
  if (!on) return <StatusBadge tone="off">{t('health.off')}</StatusBadge>
  return (
    <Stack align="flex-start">
      <StatusBadge tone={tones[state]}>{t(`health.${state}`)}</StatusBadge>
    </Stack>
  )
}

function Dimmed({ children }: { readonly children: ReactNode }) {
  return (
    <Text size="sm" c="dimmed" component="span">
      {children}
    </Text>
  )
}
