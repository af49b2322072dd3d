import { Menu, Stack, Text } from '@mantine/core'
import { IconMailForward, IconMailX } from '@tabler/icons-react'
import { useMemo } from 'react'
import { useAction, useLive } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type InvitationRow, liveInvitations, resendInvitation, revokeInvitation } from './queries.ts'
import { useText } from './text.ts'

/** Invitations that were not accepted yet; the section is absent without any. */
export function Invitations() {
  const { t } = useText()
  const team = useTeam()
  const invitations = useLive(liveInvitations, { team: team.id })
  const columns = useMemo<Column<InvitationRow>[]>(
    () => [
      { id: 'email', header: t('email'), main: true, cell: ({ email }) => email },
      { id: 'role', header: t('role'), cell: ({ role }) => t(`role.${role}`) },
      { id: 'state', header: t('invitation.state'), cell: (row) => <State row={row} /> },
      { id: 'sent', header: t('invitation.sent'), cell: ({ created_at }) => <Time at={created_at} relative /> },
      { id: 'actions', header: t('actions'), bare: true, align: 'right', cell: (row) => <Actions row={row} /> },
    ],
    [t],
  )
  if (invitations.data?.invitations.length === 0) return null
  return (
    <Section title={t('invitations')} description={t('invitations.text')}>
      <Loaded of={invitations}>
        {({ invitations: rows }) => (
          <DataTable label={t('invitations')} rows={rows} columns={columns} rowId={({ id }) => id} />
        )}
      </Loaded>
    </Section>
  )
}

function State({ row: { expires_at } }: { readonly row: InvitationRow }) {
  const { t } = useText()
  const over = Date.parse(expires_at) <= Date.now()
  return (
    <Stack gap={2} align="flex-start">
      <StatusBadge tone={over ? 'off' : 'waiting'}>{t(over ? 'invitation.over' : 'invitation.open')}</StatusBadge>
      <Text size="xs" c="dimmed" component="span">
        {t(over ? 'invitation.ended' : 'invitation.ends')} <Time at={expires_at} relative />
      </Text>
    </Stack>
  )
}

function Actions({ row }: { readonly row: InvitationRow }) {
  const { t } = useText()
  const resend = useAction(resendInvitation, { success: t('resent', { email: row.email }), notify: true })
  const revoke = useAction(revokeInvitation, { success: t('revoked', { email: row.email }), notify: true })
  return (
    <RowMenu label={t('actionsFor', { name: row.email })}>
      <Menu.Item
        leftSection={<IconMailForward size={16} aria-hidden />}
        onClick={() => void resend.run({ id: row.id })}
      >
        {t('resend')}
      </Menu.Item>
      {/* No question: inviting again undoes it. */}
      <Menu.Item
        color="var(--mantine-color-error)"
        leftSection={<IconMailX size={16} aria-hidden />}
        onClick={() => void revoke.run({ id: row.id })}
      >
        {t('revoke')}
      </Menu.Item>
    </RowMenu>
  )
}
