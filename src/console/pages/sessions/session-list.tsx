import { Anchor, Box, Button, Group, Stack, Text } from '@mantine/core'
import { IconArrowUp } from '@tabler/icons-react'
import { useEffect, useMemo, useRef, useState } from 'react'
import { Link } from 'react-router'
import { useCan } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { Time } from '../../kit/time.tsx'
import type { Filter, Place } from './filter.ts'
import { held } from './held-rows.ts'
import type { SessionRow } from './queries.ts'
import { Deliveries, RevalidateButton, SessionStatusBadge } from './session-state.tsx'
import { useText } from './text.ts'

export interface SessionListProps {
  readonly rows: readonly SessionRow[]
  readonly filter: Filter
  readonly onOlder?: (last: Place) => void
  readonly onNewest?: () => void
}

/** A page of the list. While somebody points at it, is in it with the keyboard or has scrolled, it does not move. */
export function SessionList({ rows, filter, onOlder, onNewest }: SessionListProps) {
  const { t } = useText()
  const { edit } = useCan()
  const [isPointedAt, setPointedAt] = useState(false)
  const [isFocused, setFocused] = useState(false)
  const [released, setReleased] = useState(false)
  const isScrolled = useScrolled()
  const reading = (isPointedAt || isFocused || isScrolled) && !released
  const shown = useRef(rows)
  const top = useRef<Place | null>(null)
  const place = reading ? (top.current ?? shown.current[0] ?? null) : null
  const { rows: visible, waiting } = held(rows, shown.current, place)
  useEffect(() => {
    shown.current = visible
    top.current = place
  })
  // Whoever came back to see what is new begins to read again when they move on.
  useEffect(() => {
    if (!isPointedAt && !isFocused && !isScrolled) setReleased(false)
  }, [isPointedAt, isFocused, isScrolled])

  const columns = useMemo<Column<SessionRow>[]>(
    () => [
      { id: 'session', header: t('session'), main: true, cell: (row) => <SessionLink row={row} /> },
      { id: 'flow', header: t('flow'), cell: (row) => <FlowAndKind row={row} /> },
      {
        id: 'status',
        header: t('status'),
        cell: (row) => (
          <Stack gap={4} align="flex-start">
            <SessionStatusBadge status={row.status} />
            {edit && row.status === 'invalid' && <RevalidateButton id={row.id} />}
          </Stack>
        ),
      },
      { id: 'deliveries', header: t('deliveries'), cell: (row) => <Deliveries row={row} /> },
      { id: 'submitted', header: t('submitted'), cell: ({ submitted_at }) => <Time at={submitted_at} relative /> },
      { id: 'left', header: t('left'), cell: (row) => <RetentionLeft row={row} /> },
    ],
    [t, edit],
  )
  const last = visible.at(-1)
  return (
    <Stack gap="sm">
      {edit && filter.flow && filter.status === 'invalid' && (
        <Group>
          <RevalidateButton flow={filter.flow} />
        </Group>
      )}
      {waiting > 0 && (
        <Group justify="center" style={{ position: 'sticky', top: 64, zIndex: 2 }}>
          <Button
            size="compact-md"
            leftSection={<IconArrowUp size={16} aria-hidden />}
            onClick={() => {
              setReleased(true)
              scrollTo({ top: 0 })
            }}
          >
            {t('newRows', { count: waiting })}
          </Button>
        </Group>
      )}
      <Box
        onPointerEnter={({ pointerType }) => pointerType === 'mouse' && setPointedAt(true)}
        onPointerLeave={() => setPointedAt(false)}
        onFocus={() => setFocused(true)}
        onBlur={({ currentTarget, relatedTarget }) => setFocused(currentTarget.contains(relatedTarget))}
      >
        <DataTable label={t('title')} rows={visible} columns={columns} rowId={({ id }) => id} />
      </Box>
      {(onNewest || (onOlder && last)) && (
        <Group justify="center">
          {onNewest && (
            <Button variant="default" onClick={onNewest}>
              {t('newest')}
            </Button>
          )}
          {onOlder && last && (
            <Button
              variant="default"
              onClick={() => {
                onOlder({ submitted_at: last.submitted_at, id: last.id })
                scrollTo({ top: 0 })
              }}
            >
              {t('older')}
            </Button>
          )}
        </Group>
      )}
    </Stack>
  )
}

/** @returns whether the page is scrolled down from its top. */
function useScrolled(): boolean {
  const [scrolled, setScrolled] = useState(false)
  useEffect(() => {
    const look = () => setScrolled(scrollY > 120)
    look()
    addEventListener('scroll', look, { passive: true })
    return () => removeEventListener('scroll', look)
  }, [])
  return scrolled
}

function SessionLink({ row: { id, payment_id } }: { readonly row: SessionRow }) {
  return (
    <Stack gap={0}>
      <Anchor component={Link} to={`/sessions/${id}`} ff="monospace" fz="sm" fw={600} title={id}>
        {shortId(id)}
      </Anchor>
      {payment_id && (
        <Text size="xs" c="dimmed" component="span" fw={400}>
          {payment_id}
        </Text>
      )}
    </Stack>
  )
}

/** Ids of one minute begin alike, so the end is shown too. */
export function shortId(id: string): string {
  return `${id.slice(0, 8)}…${id.slice(-4)}`
}

function FlowAndKind({ row: { flow, kind } }: { readonly row: SessionRow }) {
  const { t } = useText()
  return (
    <Stack gap={0}>
      <span>{flow?.name}</span>
      <Text size="xs" c="dimmed" component="span">
        {t(`kind.${kind}`)}
      </Text>
    </Stack>
  )
}

function RetentionLeft({ row: { status, expires_at, purged_at, grants } }: { readonly row: SessionRow }) {
  const { t } = useText()
  if (status === 'purged') {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('left.purged')} <Time at={purged_at} relative />
      </Text>
    )
  }
  const end = grants[0]?.expires_at ?? expires_at
  return Date.parse(end) > Date.now() ? <Time at={end} relative /> : <span>{t('left.ended')}</span>
}
