import { Alert, Anchor, Button, Group, Menu, Modal, Select, Stack, Text } from '@mantine/core'
import { IconDownload, IconEye, IconInbox, IconRefresh, IconTrash } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { Link, useSearchParams } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { JsonView } from '../../kit/json-view.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { useKitText } from '../../kit/text.ts'
import { Time } from '../../kit/time.tsx'
import {
  type ConnectionDetail,
  convertAgain,
  discardSources,
  liveSources,
  liveSourcesForEditors,
  type SourceContent,
  type SourceRow,
  type SourceStatus,
  sourceContent,
} from './queries.ts'
import { bytesOf, save, textOf } from './source-content.ts'
import { useText } from './text.ts'

const pageSize = 50
const statuses: readonly SourceStatus[] = [
  'failed',
  'unmatched',
  'missing',
  'pending',
  'received',
  'converted',
  'discarded',
]
const tones = {
  pending: 'waiting',
  received: 'busy',
  converted: 'good',
  discarded: 'off',
  failed: 'bad',
  missing: 'warning',
  unmatched: 'warning',
} as const

/** By status: of the API. */
const repeatable: readonly SourceStatus[] = ['failed', 'unmatched', 'discarded', 'converted']
const discardable: readonly SourceStatus[] = ['pending', 'missing', 'unmatched', 'failed', 'received']

/** What it fetched or was sent, as it came, and what became of each. */
export function Sources({ connection }: { readonly connection: ConnectionDetail }) {
  const { t } = useText()
  const { edit } = useCan()
  const [query, setQuery] = useSearchParams()
  const status = statuses.find((one) => one === query.get('status')) ?? null
  const [limit, setLimit] = useState(pageSize)
  const [shown, setShown] = useState<SourceRow>()
  const [discarding, setDiscarding] = useState<SourceRow>()
  const where = useMemo(
    () => ({ connection_id: { _eq: connection.id }, ...(status ? { status: { _eq: status } } : {}) }),
    [connection.id, status],
  )
  // Viewers see that something came, not what it says.
  const sources = useLive(edit ? liveSourcesForEditors : liveSources, { where, limit }, { keep: true })
  const all = useAction(convertAgain, {
    notify: true,
    success: ({ convert_raw_sources: { count } }) => t('source.willConvert', { count }),
  })
  const columns = useMemo<Column<SourceRow>[]>(
    () => [
      { id: 'what', header: t('source'), main: true, cell: (row) => <What row={row} /> },
      {
        id: 'status',
        header: t('status'),
        cell: (row) => (
          <Stack gap={2} align="flex-start">
            <StatusBadge tone={tones[row.status]}>{t(`source.${row.status}`)}</StatusBadge>
            <Notes row={row} />
          </Stack>
        ),
      },
      ...(edit
        ? [
            {
              id: 'message',
              header: t('message'),
              cell: ({ message }) => (
                <Text size="sm" component="span" lineClamp={2} maw={360} title={message ?? undefined}>
                  {message || '–'}
                </Text>
              ),
            } satisfies Column<SourceRow>,
          ]
        : []),
      {
        id: 'session',
        header: t('session'),
        cell: ({ session_id }) =>
          session_id ? (
            <Anchor component={Link} to={`/sessions/${session_id}`} size="sm" ff="monospace">
              {session_id.slice(0, 8)}
            </Anchor>
          ) : (
            '–'
          ),
      },
      {
        id: 'at',
        header: t('source.came'),
        cell: ({ received_at, created_at }) => <Time at={received_at ?? created_at} relative />,
      },
      ...(edit
        ? [
            {
              id: 'actions',
              header: t('actions'),
              bare: true,
              align: 'right',
              cell: (row) => <RowActions row={row} onShow={() => setShown(row)} onDiscard={() => setDiscarding(row)} />,
            } satisfies Column<SourceRow>,
          ]
        : []),
    ],
    [t, edit],
  )
  const rows = sources.data?.raw_sources
  return (
    <Stack gap="md">
      <Group justify="space-between" gap="sm">
        <Select
          aria-label={t('source.show')}
          placeholder={t('source.all')}
          data={statuses.map((one) => ({ value: one, label: t(`source.${one}`) }))}
          value={status}
          onChange={(value) =>
            setQuery(
              (before) => {
                if (value) before.set('status', value)
                else before.delete('status')
                return before
              },
              { replace: true },
            )
          }
          clearable
          clearButtonProps={{ 'aria-label': t('filter.clear') }}
          maw={280}
        />
        {edit && (status === 'failed' || status === 'unmatched') && (rows?.length ?? 0) > 0 && (
          <Button
            variant="default"
            leftSection={<IconRefresh size={18} aria-hidden />}
            loading={all.running}
            onClick={() => void all.run({ ids: null, connection: connection.id, status })}
          >
            {t(status === 'failed' ? 'source.allFailed' : 'source.allUnmatched')}
          </Button>
        )}
      </Group>
      {status && (
        <Text size="sm" c="dimmed">
          {t(`source.${status}.text`)}
        </Text>
      )}
      <Loaded of={sources}>
        {({ raw_sources }) => (
          <DataTable
            label={t('tab.sources')}
            rows={raw_sources}
            columns={columns}
            rowId={({ id }) => id}
            onMore={raw_sources.length === limit ? () => setLimit(limit + pageSize) : undefined}
            empty={
              <EmptyState icon={IconInbox} title={t(status ? 'filter.none' : 'source.none')}>
                {t('source.noneText')}
              </EmptyState>
            }
          />
        )}
      </Loaded>
      {shown && <ContentDialog row={shown} onClose={() => setShown(undefined)} />}
      {discarding && <DiscardDialog row={discarding} onClose={() => setDiscarding(undefined)} />}
    </Stack>
  )
}

/** What it says of itself; viewers are told its type and size only. */
function What({ row }: { readonly row: SourceRow }) {
  const { t, language } = useText()
  const id = row.unique_id ?? row.external_id
  const size =
    row.size === null
      ? null
      : t('bytes', { bytes: new Intl.NumberFormat(language, { maximumFractionDigits: 0 }).format(row.size) })
  return (
    <Stack gap={0}>
      <Text size="sm" component="span" lineClamp={1} title={row.description ?? id ?? undefined}>
        {row.description || id || t(row.origin === 'inbound' ? 'source.inbound' : 'source.fetched')}
      </Text>
      <Text size="xs" c="dimmed" component="span" fw={400} lineClamp={1}>
        {[row.participants, row.mime, size, row.description ? id : null].filter(Boolean).join(' · ')}
      </Text>
    </Stack>
  )
}

function Notes({ row }: { readonly row: SourceRow }) {
  const { t } = useText()
  const notes = [
    row.is_refused && t('source.refused'),
    row.is_late && t('source.late'),
    row.repeats > 0 && t('source.repeats', { count: row.repeats }),
    row.purged_at && t('source.purged'),
  ].filter(Boolean)
  return (
    <>
      {row.status === 'pending' && row.due_at && (
        <Text size="xs" c="dimmed" component="span">
          {t('source.until')} <Time at={row.due_at} relative />
        </Text>
      )}
      {notes.length > 0 && (
        <Text size="xs" c="dimmed" component="span">
          {notes.join(' · ')}
        </Text>
      )}
    </>
  )
}

interface RowActionsProps {
  readonly row: SourceRow
  readonly onShow: () => void
  readonly onDiscard: () => void
}

function RowActions({ row, onShow, onDiscard }: RowActionsProps) {
  const { t } = useText()
  const again = useAction(convertAgain, {
    notify: true,
    success: ({ convert_raw_sources: { count } }) => t('source.willConvert', { count }),
  })
  const hasContent = row.size !== null && !row.purged_at
  const canRepeat = hasContent && repeatable.includes(row.status)
  const canDiscard = discardable.includes(row.status)
  if (!hasContent && !canDiscard) return null
  return (
    <RowMenu label={t('actionsFor', { name: row.description || row.unique_id || row.external_id || row.id.slice(-8) })}>
      {hasContent && (
        <Menu.Item leftSection={<IconEye size={16} aria-hidden />} onClick={onShow}>
          {t('source.content')}
        </Menu.Item>
      )}
      {canRepeat && (
        <Menu.Item
          leftSection={<IconRefresh size={16} aria-hidden />}
          onClick={() => void again.run({ ids: [row.id], connection: null, status: null })}
        >
          {t(row.status === 'unmatched' || row.is_refused ? 'source.accept' : 'source.again')}
        </Menu.Item>
      )}
      {canDiscard && (
        <Menu.Item
          color="var(--mantine-color-error)"
          leftSection={<IconTrash size={16} aria-hidden />}
          onClick={onDiscard}
        >
          {t('source.discard')}
        </Menu.Item>
      )}
    </RowMenu>
  )
}

interface RowDialogProps {
  readonly row: SourceRow
  readonly onClose: () => void
}

/** Asks first: who looks at it is written to the audit. */
function ContentDialog({ row, onClose }: RowDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const content = useAction(sourceContent)
  const [answer, setAnswer] = useState<SourceContent>()
  const found = useMemo(() => {
    if (!answer) return undefined
    const bytes = bytesOf(answer)
    return { bytes, text: textOf(bytes) }
  }, [answer])
  const show = async () => {
    const data = await content.run({ id: row.id })
    if (data) setAnswer(data.raw_source_content)
  }
  return (
    <Modal
      opened
      onClose={onClose}
      size="xl"
      title={row.description || t('source.content')}
      closeButtonProps={{ 'aria-label': kit('close') }}
    >
      <Stack>
        {!found && (
          <>
            <Alert color="yellow" icon={<IconEye aria-hidden />}>
              {t('source.audited')}
            </Alert>
            <Group justify="flex-end">
              <Button variant="default" onClick={onClose}>
                {kit('cancel')}
              </Button>
              <Button loading={content.running} onClick={() => void show()} data-autofocus>
                {t('source.showNow')}
              </Button>
            </Group>
          </>
        )}
        <ErrorAlert fault={content.fault} />
        {found && answer && (
          <>
            {found.text === null ? (
              <Text size="sm">{t('source.noText')}</Text>
            ) : (
              <JsonView value={found.text} label={t('source.content')} />
            )}
            <Group justify="flex-end">
              <Button
                variant="default"
                leftSection={<IconDownload size={18} aria-hidden />}
                onClick={() => save(answer, found.bytes)}
              >
                {t('source.download')}
              </Button>
              <Button onClick={onClose}>{kit('done')}</Button>
            </Group>
          </>
        )}
      </Stack>
    </Modal>
  )
}

function DiscardDialog({ row, onClose }: RowDialogProps) {
  const { t } = useText()
  const discard = useAction(discardSources, { success: t('source.discarded.done') })
  return (
    <ConfirmDelete
      title={t('source.discard.title')}
      action={t('source.discard')}
      running={discard.running}
      fault={discard.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await discard.run({ ids: [row.id] })) onClose()
      }}
    >
      {t('source.discard.text')}
    </ConfirmDelete>
  )
}
