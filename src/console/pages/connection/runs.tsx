import { Anchor, Button, Code, Drawer, Group, SegmentedControl, Stack, Text, Title } from '@mantine/core'
import { IconPlayerPlay, IconRefresh } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { useAction, useLive, useRead } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { ShortId } from '../../kit/copy-button.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { useKitText } from '../../kit/text.ts'
import { Time } from '../../kit/time.tsx'
import { Facts } from '../connector-parts/facts.tsx'
import { RunState } from '../connector-parts/states.tsx'
import {
  type ConnectionDetail,
  convertAgain,
  liveRuns,
  modifySession,
  type RunDetail,
  type RunRow,
  rerun,
  runConnection,
  runDetail,
} from './queries.ts'
import { Calls, LogLines } from './run-parts.tsx'
import { useText } from './text.ts'

const pageSize = 50

/** Every run of the connector's code, live; one opens with its log and calls. */
export function Runs({ connection }: { readonly connection: ConnectionDetail }) {
  const { t } = useText()
  const [limit, setLimit] = useState(pageSize)
  const [only, setOnly] = useState('all')
  const [open, setOpen] = useState<string>()
  const where = useMemo(
    () => ({
      connection_id: { _eq: connection.id },
      ...(only === 'failed' ? { status: { _eq: 'failed' } } : {}),
    }),
    [connection.id, only],
  )
  const runs = useLive(liveRuns, { where, limit }, { keep: true })
  const columns = useMemo<Column<RunRow>[]>(
    () => [
      {
        id: 'started',
        header: t('run.started'),
        main: true,
        cell: ({ id, started_at }) => (
          <Anchor component="button" type="button" size="sm" onClick={() => setOpen(id)}>
            <Time at={started_at} />
          </Anchor>
        ),
      },
      { id: 'method', header: t('run.method'), cell: (row) => <Method row={row} /> },
      {
        id: 'status',
        header: t('status'),
        cell: ({ status }) => <RunState status={status} />,
      },
      {
        id: 'message',
        header: t('message'),
        cell: ({ message }) => (
          <Text size="sm" component="span" lineClamp={2} maw={420}>
            {message || '–'}
          </Text>
        ),
      },
      {
        id: 'took',
        header: t('run.took'),
        align: 'right',
        cell: ({ duration_ms }) => <Milliseconds value={duration_ms} />,
      },
    ],
    [t],
  )
  return (
    <Stack gap="md">
      <SegmentedControl
        aria-label={t('run.show')}
        value={only}
        onChange={setOnly}
        data={[
          { value: 'all', label: t('run.all') },
          { value: 'failed', label: t('run.onlyFailed') },
        ]}
        style={{ alignSelf: 'flex-start' }}
      />
      <Loaded of={runs}>
        {({ connector_runs: rows }) => (
          <DataTable
            label={t('tab.runs')}
            rows={rows}
            columns={columns}
            rowId={({ id }) => id}
            onMore={rows.length === limit ? () => setLimit(limit + pageSize) : undefined}
            empty={
              <EmptyState icon={IconPlayerPlay} title={t(only === 'failed' ? 'run.noneFailed' : 'run.none')}>
                {t('run.noneText')}
              </EmptyState>
            }
          />
        )}
      </Loaded>
      {open && <RunDrawer id={open} connection={connection} onClose={() => setOpen(undefined)} />}
    </Stack>
  )
}

function Method({ row }: { readonly row: RunRow }) {
  const { t } = useText()
  return (
    <Group gap={6}>
      <Code>{row.method}</Code>
      {row.dry_run && <StatusBadge tone="off">{t('run.dry')}</StatusBadge>}
      {row.attempt > 1 && (
        <Text size="xs" c="dimmed" component="span">
          {t('run.attempt', { number: row.attempt })}
        </Text>
      )}
    </Group>
  )
}

export function Milliseconds({ value }: { readonly value: number }) {
  const { t, language } = useText()
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 })
  return (
    <Text size="sm" component="span" style={{ whiteSpace: 'nowrap', fontVariantNumeric: 'tabular-nums' }}>
      {t('ms', { ms: number.format(value) })}
    </Text>
  )
}

interface RunDrawerProps {
  readonly id: string
  readonly connection: ConnectionDetail
  readonly onClose: () => void
}

function RunDrawer({ id, connection, onClose }: RunDrawerProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const run = useRead(runDetail, { id })
  return (
    <Drawer
      opened
      onClose={onClose}
      position="right"
      size="lg"
      title={
        <Text fw={650} size="lg" component="span">
          {t('run.title')}
        </Text>
      }
      closeButtonProps={{ 'aria-label': kit('close') }}
      styles={{
        content: { background: 'var(--sluice-surface)' },
        header: { background: 'var(--sluice-surface)' },
      }}
    >
      <Loaded of={run}>
        {({ connector_runs_by_pk: row }) =>
          row ? (
            <RunContent run={row} connection={connection} onDone={onClose} />
          ) : (
            <Text size="sm">{t('run.gone')}</Text>
          )
        }
      </Loaded>
    </Drawer>
  )
}

interface RunContentProps {
  readonly run: RunDetail
  readonly connection: ConnectionDetail
  readonly onDone: () => void
}

function RunContent({ run, connection, onDone }: RunContentProps) {
  const { t } = useText()
  return (
    <Stack gap="lg">
      <Group gap="xs">
        <RunState status={run.status} />
        {run.dry_run && <StatusBadge tone="off">{t('run.dry')}</StatusBadge>}
      </Group>
      {run.message && (
        <Text size="sm" style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
          {run.message}
        </Text>
      )}
      <Again run={run} connection={connection} onDone={onDone} />
      <Facts
        facts={[
          [t('run.started'), <Time key="at" at={run.started_at} />],
          [t('run.took'), <Milliseconds key="ms" value={run.duration_ms} />],
          [t('run.method'), <Code key="method">{run.method}</Code>],
          run.connector !== null && [t('connector'), run.connector],
          run.session_id !== null && [
            t('session'),
            <Group key="session" gap={6}>
              <Anchor component={Link} to={`/sessions/${run.session_id}`} size="sm">
                {t('session.open')}
              </Anchor>
              <ShortId id={run.session_id} />
            </Group>,
          ],
          run.revision !== null && [t('run.revision'), String(run.revision)],
          run.attempt > 1 && [t('run.attemptNumber'), String(run.attempt)],
        ]}
      />
      <Stack gap="xs" component="section">
        <Title order={3} size="h3">
          {t('log')}
        </Title>
        <LogLines lines={run.log ?? []} />
      </Stack>
      <Stack gap="xs" component="section">
        <Title order={3} size="h3">
          {t('calls')}
        </Title>
        <Calls calls={run.calls ?? []} />
      </Stack>
    </Stack>
  )
}

/** Once more, by whichever way its kind has: a delivery, a conversion, a question about a session, a fetch. */
function Again({ run, connection, onDone }: RunContentProps) {
  const { t } = useText()
  const { edit } = useCan()
  const options = { success: t('again.done') }
  const deliver = useAction(rerun, options)
  const convert = useAction(convertAgain, options)
  const modify = useAction(modifySession, options)
  const fetch = useAction(runConnection, options)
  const { raw_source_id: source, session_id: session, delivery_id: delivery, method } = run
  const way = delivery
    ? { action: deliver, go: () => deliver.run({ id: run.id }) }
    : source && method !== 'getRawSources'
      ? { action: convert, go: () => convert.run({ ids: [source], connection: null, status: null }) }
      : method === 'modify' && session
        ? { action: modify, go: () => modify.run({ connection: connection.id, session }) }
        : method === 'getRawSources'
          ? { action: fetch, go: () => fetch.run({ id: connection.id }) }
          : undefined
  if (!edit || run.dry_run || !way) return null
  return (
    <Stack gap="sm">
      <Button
        variant={run.status === 'failed' ? 'filled' : 'default'}
        leftSection={<IconRefresh size={18} aria-hidden />}
        loading={way.action.running}
        style={{ alignSelf: 'flex-start' }}
        onClick={async () => {
          if (await way.go()) onDone()
        }}
      >
        {t('again')}
      </Button>
      <ErrorAlert fault={way.action.fault} />
    </Stack>
  )
}
