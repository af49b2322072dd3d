import { Menu, Stack, Text } from '@mantine/core'
import { IconBan, IconKeyOff, IconRefresh } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type CredentialRow, revokeSecret } from './queries.ts'
import { RevokeDialog, RotateDialog } from './row-dialogs.tsx'
import { SecretLines } from './secret-lines.tsx'
import { type CredentialState, liveSecrets, stateOf } from './state.ts'
import { useText } from './text.ts'

const tones = { works: 'good', ending: 'warning', revoked: 'off', expired: 'off' } as const

export interface CredentialListProps {
  readonly rows: readonly CredentialRow[]
  readonly onMore?: () => void
}

export function CredentialList({ rows, onMore }: CredentialListProps) {
  const { t } = useText()
  const { edit } = useCan()
  const [asking, setAsking] = useState<{ readonly what: 'rotate' | 'revoke'; readonly row: CredentialRow }>()
  const columns = useMemo<Column<CredentialRow>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        sortBy: ({ name }) => name,
        cell: (row) => <NameCell row={row} />,
      },
      {
        id: 'key',
        header: t('key'),
        cell: ({ key_id }) => <CopyText value={key_id} what={t('key')} />,
      },
      { id: 'secrets', header: t('secrets'), cell: (row) => <SecretLines row={row} /> },
      {
        id: 'state',
        header: t('state'),
        sortBy: (row) => stateOf(row, Date.now()),
        cell: (row) => <State row={row} />,
      },
      {
        id: 'created',
        header: t('created'),
        sortBy: ({ created_at }) => created_at,
        cell: ({ created_at }) => <Time at={created_at} day />,
      },
      ...(edit
        ? [
            {
              id: 'actions',
              header: t('actions'),
              bare: true,
              align: 'right',
              cell: (row) => <Actions row={row} onAsk={(what) => setAsking({ what, row })} />,
            } satisfies Column<CredentialRow>,
          ]
        : []),
    ],
    [t, edit],
  )
  const close = () => setAsking(undefined)
  return (
    <>
      <DataTable label={t('title')} rows={rows} columns={columns} rowId={({ id }) => id} onMore={onMore} />
      {asking?.what === 'rotate' && <RotateDialog row={asking.row} onClose={close} />}
      {asking?.what === 'revoke' && <RevokeDialog row={asking.row} onClose={close} />}
    </>
  )
}

function NameCell({ row }: { readonly row: CredentialRow }) {
  const { t } = useText()
  return (
    <Stack gap={0}>
      <span>{row.name}</span>
      <Text size="xs" c="dimmed" component="span" fw={400}>
        {row.integration ? t('reads', { integration: row.integration.name }) : t('submits')}
      </Text>
    </Stack>
  )
}

function State({ row }: { readonly row: CredentialRow }) {
  const { t } = useText()
  const state: CredentialState = stateOf(row, Date.now())
  return (
    <Stack gap={2} align="flex-start">
      <StatusBadge tone={tones[state]}>{t(`state.${state}`)}</StatusBadge>
      {state !== 'works' && (
        <Text size="xs" c="dimmed" component="span">
          <Time at={row.revoked_at ?? row.expires_at} relative />
        </Text>
      )}
    </Stack>
  )
}

interface ActionsProps {
  readonly row: CredentialRow
  readonly onAsk: (what: 'rotate' | 'revoke') => void
}

function Actions({ row, onAsk }: ActionsProps) {
  const { t } = useText()
  const end = useAction(revokeSecret, { success: t('endSecret.done'), notify: true })
  const state = stateOf(row, Date.now())
  if (state === 'revoked' || state === 'expired') return null
  return (
    <RowMenu label={t('actionsFor', { name: row.name })}>
      {row.secrets.length > 0 && (
        <Menu.Item leftSection={<IconRefresh size={16} aria-hidden />} onClick={() => onAsk('rotate')}>
          {t('rotate')}
        </Menu.Item>
      )}
      {liveSecrets(row.secrets, Date.now())
        .slice(1)
        .map(({ id, ending }) => (
          <Menu.Item key={id} leftSection={<IconKeyOff size={16} aria-hidden />} onClick={() => void end.run({ id })}>
            {t('endSecret', { ending: ending ?? '' })}
          </Menu.Item>
        ))}
      <Menu.Item
        color="var(--mantine-color-error)"
        leftSection={<IconBan size={16} aria-hidden />}
        onClick={() => onAsk('revoke')}
      >
        {t('revoke')}
      </Menu.Item>
    </RowMenu>
  )
}
