import { Anchor, Text } from '@mantine/core'
import { useMemo, useState } from 'react'
import { Link } from 'react-router'
import { useLive } from '../../api/hooks.ts'
import { useOwner } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge, type Tone } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type GrantRow, liveGrants } from './queries.ts'
import { useText } from './text.ts'

const pageSize = 10

/** Sessions that were opened to an integration: which it has read, and until when it may. */
export function Grants({ id }: { readonly id: string }) {
  const { t } = useText()
  const { team, rows: owner } = useOwner()
  const [limit, setLimit] = useState(pageSize)
  const grants = useLive(
    liveGrants,
    { where: { integration_id: { _eq: id }, ...(team ? { team_id: owner } : {}) }, limit },
    { keep: true },
  )
  const columns = useMemo<Column<GrantRow>[]>(
    () => [
      {
        id: 'session',
        header: t('session'),
        main: true,
        cell: ({ session, created_at }) =>
          session && (
            <Anchor component={Link} to={`/sessions/${session.id}`} inherit>
              <Time at={created_at} />
            </Anchor>
          ),
      },
      {
        id: 'flow',
        header: t('flow'),
        cell: (row) => (team ? '' : `${row.team?.name}: `) + (row.session?.flow?.name ?? ''),
      },
      {
        id: 'read',
        header: t('read'),
        cell: ({ first_retrieved_at }) =>
          first_retrieved_at ? (
            <Time at={first_retrieved_at} relative />
          ) : (
            <Text size="sm" c="dimmed" component="span">
              {t('read.not')}
            </Text>
          ),
      },
      {
        id: 'access',
        header: t('access'),
        cell: (row) => {
          const state = accessOf(row, Date.now())
          return (
            <StatusBadge tone={tones[state]}>
              {t(`access.${state}`)} {state === 'open' && <Time at={row.expires_at} relative />}
            </StatusBadge>
          )
        },
      },
    ],
    [t, team],
  )
  return (
    <Section title={t('sessions')} description={t('sessions.text')}>
      <Loaded of={grants}>
        {({ session_grants: rows }) => (
          <DataTable
            label={t('sessions')}
            rows={rows}
            columns={columns}
            rowId={({ id }) => id}
            empty={
              <Text size="sm" c="dimmed">
                {t('sessions.none')}
              </Text>
            }
            onMore={rows.length === limit ? () => setLimit(limit + pageSize * 5) : undefined}
          />
        )}
      </Loaded>
    </Section>
  )
}

const tones: Readonly<Record<Access, Tone>> = { open: 'good', withdrawn: 'off', ended: 'off', purged: 'off' }
type Access = 'open' | 'withdrawn' | 'ended' | 'purged'

function accessOf({ revoked_at, purged_at, expires_at }: GrantRow, now: number): Access {
  if (revoked_at) return 'withdrawn'
  if (purged_at) return 'purged'
  return Date.parse(expires_at) <= now ? 'ended' : 'open'
}
