import { Anchor, Code, Group, Stack, Text, Timeline } from '@mantine/core'
import {
  IconClockHour4,
  IconDownload,
  IconEraser,
  IconEye,
  IconFileImport,
  IconInbox,
  IconLoader,
  IconLockOff,
  IconLockOpen,
  IconPencil,
  IconPlugConnected,
  IconSpeakerphone,
  IconWebhook,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { StatusBadge, type Tone } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { Actor } from './actor.tsx'
import { DeliveryDetail } from './delivery-detail.tsx'
import { Modifiers } from './modifiers.tsx'
import type { Named, SessionFacts } from './queries.ts'
import { RunDetail } from './run-detail.tsx'
import { useText } from './text.ts'
import { type Author, deliveryTone, type Entry } from './timeline.ts'

export interface TimelineEntryProps {
  readonly entry: Entry
  readonly session: SessionFacts
}

const icons = {
  submitted: IconInbox,
  source: IconFileImport,
  settling: IconLoader,
  revised: IconPencil,
  event: IconSpeakerphone,
  delivery: IconWebhook,
  run: IconPlugConnected,
  opened: IconLockOpen,
  retrieved: IconDownload,
  withdrawn: IconLockOff,
  audit: IconEye,
  expires: IconClockHour4,
  purged: IconEraser,
} satisfies Record<Entry['type'], typeof IconInbox>

const colors: Readonly<Record<Tone, string | undefined>> = {
  good: undefined,
  busy: undefined,
  waiting: 'gray',
  warning: 'yellow.8',
  bad: 'red.8',
  off: 'gray',
}

/**
 * One thing that happened. `Timeline` gives its items what they need by props, so these are passed on.
 */
export function TimelineEntry({ entry, session, ...given }: TimelineEntryProps) {
  const Icon = entry.type === 'delivery' && entry.delivery.connection ? IconPlugConnected : icons[entry.type]
  return (
    <Timeline.Item
      {...given}
      bullet={<Icon size={14} aria-hidden />}
      color={colors[toneOf(entry)]}
      lineVariant={entry.isAhead ? 'dashed' : 'solid'}
      title={<Head entry={entry} />}
    >
      <Body entry={entry} session={session} />
    </Timeline.Item>
  )
}

function toneOf(entry: Entry): Tone {
  if (entry.type === 'delivery') return deliveryTone(entry.delivery)
  if (entry.type === 'run') return entry.run.status === 'failed' ? 'bad' : 'good'
  if (entry.type === 'audit') return entry.entry.outcome === 'granted' ? 'good' : 'warning'
  return 'good'
}

/** What happened, and when. */
function Head({ entry }: { readonly entry: Entry }) {
  return (
    <Group justify="space-between" gap="0 12px" align="baseline">
      <Text size="sm" fw={600} component="span" style={{ overflowWrap: 'anywhere' }}>
        <Title entry={entry} />
      </Text>
      <Text size="xs" c="dimmed" component="span">
        <Time at={entry.at} relative={entry.isAhead ?? false} />
      </Text>
    </Group>
  )
}

function Title({ entry }: { readonly entry: Entry }): ReactNode {
  const { t } = useText()
  switch (entry.type) {
    case 'submitted':
    case 'settling':
    case 'source':
    case 'expires':
    case 'purged':
      return t(`entry.${entry.type}`)
    case 'revised':
      return t('entry.revised', { revision: entry.revision })
    case 'event':
      return t('entry.event', { type: entry.event.type })
    case 'delivery': {
      const { webhook, connection, integration } = entry.delivery
      return (
        <Group gap={8} component="span" display="inline-flex">
          <TargetLink webhook={webhook} connection={connection} integration={integration} />
          <StatusBadge tone={deliveryTone(entry.delivery)}>{t(`delivery.${entry.delivery.status}`)}</StatusBadge>
        </Group>
      )
    }
    case 'run': {
      const { method, connection, status, dry_run } = entry.run
      return (
        <Group gap={8} component="span" display="inline-flex">
          {connection && (
            <Anchor component={Link} to={`/connections/${connection.id}`} inherit>
              {connection.name}
            </Anchor>
          )}
          <Code>{method}</Code>
          {dry_run && (
            <Text span size="xs" c="dimmed">
              {t('run.dry')}
            </Text>
          )}
          <StatusBadge tone={status === 'failed' ? 'bad' : 'good'}>{t(`run.${status}`)}</StatusBadge>
        </Group>
      )
    }
    case 'opened':
      return t('entry.opened', {
        names: entry.grants.map(({ integration }) => integration?.name ?? t('platform')).join(', '),
      })
    case 'retrieved':
    case 'withdrawn':
      return t(`entry.${entry.type}`, { name: entry.grant.integration?.name ?? t('platform') })
    case 'audit': {
      const { operation, outcome } = entry.entry
      return (
        <Group gap={8} component="span" display="inline-flex">
          <Operation name={operation} />
          {outcome !== 'granted' && (
            <StatusBadge tone="warning">{t(outcome === 'refused' ? 'audit.refused' : 'audit.failed')}</StatusBadge>
          )}
        </Group>
      )
    }
  }
}

/** What came of it, who did it, and what can be done about it. */
function Body({ entry, session }: TimelineEntryProps): ReactNode {
  const { t } = useText()
  switch (entry.type) {
    case 'submitted':
    case 'revised':
      return entry.author && <By author={entry.author} />
    case 'settling':
      return (
        <Note>
          <Modifiers session={session} settling={entry.settling} />
        </Note>
      )
    case 'expires':
      return <Note>{t('entry.expiresText')}</Note>
    case 'source':
      return (
        entry.source.connection && <Note>{t('entry.sourceText', { name: entry.source.connection.name ?? '' })}</Note>
      )
    case 'purged':
      return (
        <Note>
          {entry.reason === 'retention' ? t('entry.purgedRetention') : (entry.reason ?? t('entry.purgedText'))}
        </Note>
      )
    case 'delivery':
      return <DeliveryDetail delivery={entry.delivery} runs={entry.runs} canRun={session.status !== 'purged'} />
    case 'run':
      return <RunDetail run={entry.run} session={session.id} canRun={session.status !== 'purged'} />
    case 'retrieved':
      return (
        <Note>
          {t('entry.retrievedText')} <Time at={entry.grant.expires_at} />
        </Note>
      )
    case 'audit':
      return (
        <Stack gap={0}>
          <By author={{ kind: entry.entry.actor_kind, id: entry.entry.actor_id }} />
          {entry.times > 1 && (
            <Note>
              {t('audit.times', { count: entry.times })} <Time at={entry.since} />
            </Note>
          )}
        </Stack>
      )
    default:
      return null
  }
}

function By({ author }: { readonly author: Author }) {
  const { t } = useText()
  return (
    <Note>
      {t('by')} <Actor of={author} />
    </Note>
  )
}

function Note({ children }: { readonly children: ReactNode }) {
  return (
    <Text size="sm" c="dimmed" component="div" style={{ overflowWrap: 'anywhere' }}>
      {children}
    </Text>
  )
}

interface Target {
  readonly webhook: Named | null
  readonly connection: Named | null
  readonly integration: Named | null
}

function TargetLink({ webhook, connection, integration }: Target) {
  const { t } = useText()
  const target = webhook ?? connection
  const name = target?.name ?? integration?.name ?? t('platform')
  if (!target) return <span>{name}</span>
  return (
    <Anchor component={Link} to={`/${webhook ? 'webhooks' : 'connections'}/${target.id}`} inherit>
      {name}
    </Anchor>
  )
}

const known = [
  'query',
  'subscription',
  'annotations',
  'link_files',
  'read_file',
  'retrieve',
  'revalidate_session',
  'modify_session',
  'update_session',
  'upload_file',
  'replay_delivery',
  'rerun',
  'dry_run_connection',
  'raw_source_content',
] as const

/** In words; a name that has none yet is shown as the log has it. */
function Operation({ name }: { readonly name: string }) {
  const { t } = useText()
  const found = known.find((one) => one === name)
  return found ? <span>{t(`operation.${found}`)}</span> : <Code>{name}</Code>
}
