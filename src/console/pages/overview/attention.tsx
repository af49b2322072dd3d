import { Group, Paper, SimpleGrid, Text } from '@mantine/core'
import { IconAlertTriangle, IconCheck } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { Link } from 'react-router'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { type Span, sumOf } from './figures.ts'
import type { FiguresData } from './queries.ts'
import { useText } from './text.ts'

/** The API counts no further. */
const mostWaiting = 10_000

/** What failed or waits: each count leads to where it can be seen to. */
export function Attention({ data, span }: { readonly data: FiguresData; readonly span: Span }) {
  const { t, language } = useText()
  const { oldest_waiting: oldest, waiting_deliveries: waiting } = data.activity
  const [exhausted] = data.exhausted
  const [run] = data.failed_runs
  const [missing] = data.missing
  const recently = t(`in.${span}`)
  return (
    <Section title={t('attention')} description={t('attention.text')}>
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
        <Figure
          count={sumOf(data, 'exhausted')}
          label={t('exhausted')}
          to={exhausted ? targetPage(exhausted, 'deliveries') : '/webhooks'}
          hint={recently}
        />
        <Figure
          count={data.failing_webhooks.aggregate.count}
          label={t('webhooks.failing')}
          to="/webhooks?state=failing"
        />
        <Figure
          count={data.disabled_webhooks.aggregate.count}
          label={t('webhooks.disabled')}
          to="/webhooks?state=gaveUp"
        />
        <Figure count={data.troubled_connections.aggregate.count} label={t('connections')} to="/connections" />
        <Figure
          count={sumOf(data, 'failed_runs')}
          label={t('failedRuns')}
          to={run ? targetPage(run, 'runs') : '/connections'}
          hint={recently}
        />
        <Figure
          count={data.invalid_sessions.aggregate.count}
          label={t('invalid')}
          to={`/sessions?status=invalid&since=${span}`}
          hint={recently}
        />
        <Figure
          count={data.missing_payloads.aggregate.count}
          label={t('missing')}
          to={missing ? `${targetPage(missing, 'sources')}&status=missing` : '/connections'}
        />
        <Figure
          count={waiting}
          text={
            waiting >= mostWaiting
              ? t('waiting.most', { count: new Intl.NumberFormat(language).format(mostWaiting) })
              : undefined
          }
          label={t('waiting')}
          to={oldest ? targetPage(oldest, 'deliveries') : '/webhooks'}
          calm={!oldest || Date.parse(oldest.due_at) > Date.now() - 60_000}
          hint={
            oldest && (
              <>
                {t('waiting.oldest')} <Time at={oldest.created_at} relative />
              </>
            )
          }
        />
      </SimpleGrid>
    </Section>
  )
}

/** Of a webhook or a connection, at the part that lists what failed. */
function targetPage(
  { webhook_id, connection_id }: { readonly webhook_id?: string | null; readonly connection_id: string | null },
  tab: 'deliveries' | 'runs' | 'sources',
): string {
  return webhook_id ? `/webhooks/${webhook_id}?tab=${tab}` : `/connections/${connection_id}?tab=${tab}`
}

interface FigureProps {
  readonly count: number
  /** Instead of the count. */
  readonly text?: string | undefined
  readonly label: string
  readonly to: string
  readonly hint?: ReactNode
  /** Some of it is no reason to look. @default count is 0 */
  readonly calm?: boolean
}

function Figure({ count, text, label, to, hint, calm = count === 0 }: FigureProps) {
  const { language } = useText()
  const Sign = calm ? IconCheck : IconAlertTriangle
  return (
    <Paper
      component={Link}
      to={to}
      withBorder
      p="sm"
      bg="var(--sluice-surface)"
      c="inherit"
      td="none"
      className="sluice-figure"
      style={calm ? undefined : { borderInlineStart: '3px solid var(--mantine-color-red-7)' }}
    >
      <Group gap="xs" justify="space-between" wrap="nowrap">
        <Text fz="xl" fw={650} lh={1.25} c={calm && count === 0 ? 'dimmed' : undefined}>
          {text ?? new Intl.NumberFormat(language).format(count)}
        </Text>
        <Sign
          size={18}
          aria-hidden
          color={calm ? 'var(--mantine-color-dimmed)' : 'var(--mantine-color-error)'}
          style={{ flexShrink: 0 }}
        />
      </Group>
      <Text size="sm" lh={1.35} style={{ overflowWrap: 'anywhere', hyphens: 'auto' }}>
        {label}
      </Text>
      {hint && (
        <Text size="xs" c="dimmed">
          {hint}
        </Text>
      )}
    </Paper>
  )
}
