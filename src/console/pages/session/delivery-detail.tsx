import { Button, Code, Collapse, Group, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconChevronDown, IconRefresh } from '@tabler/icons-react'
import { type ReactNode, useId } from 'react'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { useDuration } from './download.ts'
import { type AttemptRow, type DeliveryRow, liveAttempts, type RunRow, replayDelivery } from './queries.ts'
import { RunDetail } from './run-detail.tsx'
import { useText } from './text.ts'

export interface DeliveryDetailProps {
  readonly delivery: DeliveryRow
  /** Of its connector. */
  readonly runs: readonly RunRow[]
  /** The session's data is still there. */
  readonly canRun: boolean
}

/** How a delivery went: why it waits, each attempt, each run. */
export function DeliveryDetail({ delivery, runs, canRun }: DeliveryDetailProps) {
  const { t } = useText()
  const { edit } = useCan()
  const replay = useAction(replayDelivery, { success: t('delivery.again.done'), notify: true })
  const { id, status, event, due_at, finished_at, last_error, attempt_count, integration, webhook, connection } =
    delivery
  const isOver = status === 'succeeded' || status === 'exhausted' || status === 'cancelled'
  return (
    <Stack gap={4} mt={2}>
      <Text size="sm" c="dimmed" component="div">
        {[event?.type, (webhook?.name ?? connection?.name) && integration?.name].filter(Boolean).join(' · ')}
        {isOver && finished_at && (
          <>
            {' · '}
            {t('delivery.finished')} <Time at={finished_at} />
          </>
        )}
        {status === 'waiting' && due_at && attempt_count > 0 && (
          <>
            {' · '}
            {t('delivery.next')} <Time at={due_at} relative />
          </>
        )}
      </Text>
      {last_error && status !== 'succeeded' && (
        <Text size="sm" component="div" lang="en" style={{ overflowWrap: 'anywhere' }}>
          {last_error}
        </Text>
      )}
      <Group gap="xs" align="flex-start">
        {attempt_count > 0 && (
          <Fold label={t('delivery.attempts', { count: attempt_count })}>
            <Attempts delivery={id} limit={50} />
          </Fold>
        )}
        {edit && isOver && canRun && (
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconRefresh size={14} aria-hidden />}
            loading={replay.running}
            onClick={() => void replay.run({ id })}
          >
            {t('delivery.again')}
          </Button>
        )}
      </Group>
      {runs.map((run) => (
        <Stack key={run.id} gap={2} pl="sm" style={{ borderInlineStart: '2px solid var(--sluice-line)' }}>
          <Group gap={8}>
            <Code>{run.connector ?? run.method}</Code>
            <StatusBadge tone={run.status === 'failed' ? 'bad' : 'good'}>{t(`run.${run.status}`)}</StatusBadge>
          </Group>
          <RunDetail run={run} canRun={canRun} />
        </Stack>
      ))}
    </Stack>
  )
}

export interface FoldProps {
  readonly label: string
  /** Made when it is opened first. */
  readonly children: ReactNode
}

/** More of it, on request. */
export function Fold({ label, children }: FoldProps) {
  const [opened, { toggle }] = useDisclosure()
  const id = useId()
  return (
    <>
      <Button
        variant="subtle"
        size="compact-xs"
        onClick={toggle}
        aria-expanded={opened}
        aria-controls={id}
        rightSection={<IconChevronDown size={14} aria-hidden style={{ rotate: opened ? '180deg' : undefined }} />}
      >
        {label}
      </Button>
      <Collapse id={id} expanded={opened} style={{ order: 9, width: '100%' }}>
        {opened && children}
      </Collapse>
    </>
  )
}

function Attempts({ delivery, limit }: { readonly delivery: string; readonly limit: number }) {
  const { t } = useText()
  const attempts = useLive(liveAttempts, { delivery, limit })
  return (
    <Loaded of={attempts}>
      {({ delivery_attempts: rows }) =>
        rows.length === 0 ? (
          <Text size="sm" c="dimmed">
            {t('delivery.hidden')}
          </Text>
        ) : (
          <Stack gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label={t('attempts')}>
            {rows.map((attempt) => (
              <Attempt key={attempt.id} attempt={attempt} />
            ))}
          </Stack>
        )
      }
    </Loaded>
  )
}

function Attempt({ attempt }: { readonly attempt: AttemptRow }) {
  const { t } = useText()
  const duration = useDuration()
  const { number, outcome, started_at, duration_ms, status_code, error_class, error_message } = attempt
  return (
    <Stack component="li" gap={0}>
      <Group gap={8}>
        <StatusBadge tone={outcome === 'succeeded' ? 'good' : 'bad'}>
          {t('attempt', { number })} · {status_code ?? error_class ?? t(`run.${outcome}`)}
        </StatusBadge>
        <Text size="xs" c="dimmed" component="span">
          <Time at={started_at} /> · {duration(duration_ms)}
        </Text>
      </Group>
      {error_message && (
        <Text size="sm" component="span" lang="en" style={{ overflowWrap: 'anywhere' }}>
          {error_message}
        </Text>
      )}
    </Stack>
  )
}
