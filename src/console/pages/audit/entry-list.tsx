import { Anchor, Button, Code, Group, Stack, Text } from '@mantine/core'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { EntryDialog } from './entry-dialog.tsx'
import type { EntryRow } from './queries.ts'
import { useText } from './text.ts'

export interface EntryListProps {
  readonly rows: readonly EntryRow[]
  readonly names: ReadonlyMap<string, string>
  /** Entries up to here are sealed. */
  readonly sealedTo: string | null
}

const tones = { granted: 'good', refused: 'warning', failed: 'bad' } as const

export function EntryList({ rows, names, sealedTo }: EntryListProps) {
  const { t } = useText()
  const [shown, setShown] = useState<EntryRow>()
  const columns = useMemo<Column<EntryRow>[]>(
    () => [
      { id: 'at', header: t('at'), cell: ({ at }) => <Time at={at} /> },
      { id: 'actor', header: t('actor'), cell: (row) => <Actor row={row} names={names} /> },
      { id: 'operation', header: t('operation'), main: true, cell: ({ operation }) => <Code>{operation}</Code> },
      { id: 'sessions', header: t('sessions'), cell: ({ session_ids }) => <Sessions ids={session_ids} /> },
      {
        id: 'outcome',
        header: t('outcome'),
        cell: ({ outcome }) => <StatusBadge tone={tones[outcome]}>{t(`outcome.${outcome}`)}</StatusBadge>,
      },
      {
        id: 'details',
        header: t('details'),
        bare: true,
        align: 'right',
        cell: (row) => (
          <Button
            size="compact-sm"
            variant="subtle"
            onClick={() => setShown(row)}
            aria-label={t('detailsOf', { operation: row.operation })}
          >
            {t('details')}
          </Button>
        ),
      },
    ],
    [t, names],
  )
  return (
    <>
      <DataTable label={t('title')} rows={rows} columns={columns} rowId={({ id }) => id} />
      {shown && <EntryDialog row={shown} names={names} sealedTo={sealedTo} onClose={() => setShown(undefined)} />}
    </>
  )
}

/** Who it was, by name where the team knows one. */
export function Actor({ row, names }: { readonly row: EntryRow; readonly names: ReadonlyMap<string, string> }) {
  const { t } = useText()
  const { actor_kind, actor_id, role } = row
  const name = actor_id && names.get(actor_id)
  const kind = t(`kind.${actor_kind}`)
  return (
    <Stack gap={0}>
      <span>{name ?? kind}</span>
      <Text size="xs" c="dimmed" component="span">
        {[name && kind, role && role !== 'anonymous' && role, !name && actor_id?.slice(0, 8)]
          .filter(Boolean)
          .join(' · ')}
      </Text>
    </Stack>
  )
}

const mostShown = 2

export function Sessions({ ids, all = false }: { readonly ids: readonly string[]; readonly all?: boolean }) {
  if (ids.length === 0) return <span aria-hidden>–</span>
  const shown = all ? ids : ids.slice(0, mostShown)
  return (
    <Group gap="2px 8px" component="span">
      {shown.map((id) => (
        <Anchor key={id} component={Link} to={`/sessions/${id}`} size="sm" ff="monospace" title={id}>
          {all ? id : id.slice(0, 8)}
        </Anchor>
      ))}
      {ids.length > shown.length && (
        <Text size="xs" c="dimmed" component="span">
          +{ids.length - shown.length}
        </Text>
      )}
    </Group>
  )
}
