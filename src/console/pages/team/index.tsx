import { Button, Group, Stack } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconMailPlus, IconPlus } from '@tabler/icons-react'
import { useCan, useTeam } from '../../app/context.tsx'
import { MakeTeamDialog } from '../../app/make-team.tsx'
import { CopyText } from '../../kit/copy-button.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { Invitations } from './invitations.tsx'
import { InviteDialog } from './invite-dialog.tsx'
import { Members } from './members.tsx'
import { Settings } from './settings.tsx'
import { useText } from './text.ts'

/** The chosen team: who is in it, who is invited, and what it has set for itself. */
export function Component() {
  const { t } = useText()
  const team = useTeam()
  const { edit, administer } = useCan()
  const [inviting, invite] = useDisclosure()
  const [making, make] = useDisclosure()
  return (
    <>
      <PageHeader
        title={team.name}
        badge={<LiveDot />}
        description={
          <Group gap={6}>
            {t('slug')} <CopyText value={team.slug} what={t('slug')} />
          </Group>
        }
        actions={
          <>
            {administer && (
              <Button variant="default" leftSection={<IconPlus size={18} aria-hidden />} onClick={make.open}>
                {t('newTeam')}
              </Button>
            )}
            {edit && (
              <Button leftSection={<IconMailPlus size={18} aria-hidden />} onClick={invite.open}>
                {t('invite')}
              </Button>
            )}
          </>
        }
      />
      <Stack gap="xl">
        <Members onInvite={invite.open} />
        {edit && <Invitations />}
        <Settings />
      </Stack>
      {inviting && <InviteDialog onClose={invite.close} />}
      {making && <MakeTeamDialog onClose={make.close} />}
    </>
  )
}
