import { Badge, Button, Group, Menu, Stack, Text } from '@mantine/core'
import { IconMailPlus, IconUserMinus, IconUserShield, IconUsers } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan, usePerson, useTeam } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { EmptyState } from '../../kit/empty-state.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { RowMenu } from '../../kit/row-menu.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { changeRole, liveMembers, liveMembersWithAddresses, type MemberRow, removeMember } from './queries.ts'
import { useText } from './text.ts'

/** Who is in the team, what they may, and their way out. */
export function Members({ onInvite }: { readonly onInvite: () => void }) {
  const { t } = useText()
  const team = useTeam()
  const { edit } = useCan()
  const members = useLive(edit ? liveMembersWithAddresses : liveMembers, { team: team.id })
  const [removing, setRemoving] = useState<MemberRow>()
  const columns = useMemo<Column<MemberRow>[]>(
    () => [
      { id: 'name', header: t('name'), main: true, sortBy: ({ user }) => user.name, cell: (row) => <Name row={row} /> },
      { id: 'role', header: t('role'), sortBy: ({ role }) => role, cell: ({ role }) => t(`role.${role}`) },
      { id: 'since', header: t('since'), cell: ({ created_at }) => <Time at={created_at} day /> },
      ...(edit
        ? [
            {
              id: 'actions',
              header: t('actions'),
              bare: true,
              align: 'right',
              cell: (row) => <Actions row={row} onRemove={() => setRemoving(row)} />,
            } satisfies Column<MemberRow>,
          ]
        : []),
    ],
    [t, edit],
  )
  return (
    <Section title={t('members')} description={t('members.text')}>
      <Loaded of={members}>
        {({ team_members }) => (
          <DataTable
            label={t('members')}
            rows={team_members}
            columns={columns}
            rowId={({ id }) => id}
            empty={
              <EmptyState
                icon={IconUsers}
                title={t('members.none')}
                action={
                  edit && (
                    <Button leftSection={<IconMailPlus size={18} aria-hidden />} onClick={onInvite}>
                      {t('invite')}
                    </Button>
                  )
                }
              >
                {t('members.noneText')}
              </EmptyState>
            }
          />
        )}
      </Loaded>
      {removing && <RemoveDialog row={removing} onClose={() => setRemoving(undefined)} />}
    </Section>
  )
}

function Name({ row: { user } }: { readonly row: MemberRow }) {
  const { t } = useText()
  const self = usePerson().id === user.id
  return (
    <Stack gap={0}>
      <Group gap={8}>
        {user.name}
        {self && (
          <Badge className="sluice-status" size="sm">
            {t('you')}
          </Badge>
        )}
      </Group>
      {user.email && (
        <Text size="xs" c="dimmed" component="span" fw={400} style={{ overflowWrap: 'anywhere' }}>
          {user.email}
        </Text>
      )}
    </Stack>
  )
}

function Actions({ row, onRemove }: { readonly row: MemberRow; readonly onRemove: () => void }) {
  const { t } = useText()
  const { administer } = useCan()
  const change = useAction(changeRole, { success: t('roleChanged', { name: row.user.name }), notify: true })
  // Editors see to editors and viewers.
  if (row.role === 'admin' && !administer) return null
  const other = row.role === 'viewer' ? 'editor' : 'viewer'
  return (
    <RowMenu label={t('actionsFor', { name: row.user.name })}>
      <Menu.Item
        leftSection={<IconUserShield size={16} aria-hidden />}
        onClick={() => void change.run({ id: row.id, role: other })}
      >
        {t(`make.${other}`)}
      </Menu.Item>
      <Menu.Item
        color="var(--mantine-color-error)"
        leftSection={<IconUserMinus size={16} aria-hidden />}
        onClick={onRemove}
      >
        {t('remove')}
      </Menu.Item>
    </RowMenu>
  )
}

function RemoveDialog({ row, onClose }: { readonly row: MemberRow; readonly onClose: () => void }) {
  const { t } = useText()
  const team = useTeam()
  const remove = useAction(removeMember, { success: t('remove.done', { name: row.user.name }) })
  const self = usePerson().id === row.user.id
  return (
    <ConfirmDelete
      title={t('remove.title', { name: row.user.name, team: team.name })}
      action={t('remove')}
      name={self ? team.name : undefined}
      running={remove.running}
      fault={remove.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await remove.run({ id: row.id })) onClose()
      }}
    >
      {t(self ? 'remove.self' : 'remove.text', { name: row.user.name, team: team.name })}
    </ConfirmDelete>
  )
}
