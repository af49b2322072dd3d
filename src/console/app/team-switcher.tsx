import { Button, Text } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { usePerson, useTeamChoice } from './context.tsx'
import { MenuOnDemand } from './menu-on-demand.tsx'
import { useAppText } from './text.ts'

const load = async () => (await import('./menus.tsx')).TeamChoices

/** Chooses the team whose things all pages show; of admins the platform too. Somebody with one team sees its name. */
export function TeamSwitcher() {
  const { t } = useAppText()
  const { teams, isAdmin } = usePerson()
  const { team, isPlatform } = useTeamChoice()
  const name = isPlatform ? t('platform') : (team?.name ?? t('team.choose'))
  if (!isAdmin && teams.length < 2) {
    return (
      <Text fw={550} truncate>
        {team?.name}
      </Text>
    )
  }
  return (
    <MenuOnDemand load={load}>
      <Button
        variant="default"
        px="sm"
        miw={0}
        maw={280}
        aria-label={`${t('team.switch')}: ${name}`}
        rightSection={<IconChevronDown size={16} aria-hidden />}
      >
        <Text component="span" inherit truncate>
          {name}
        </Text>
      </Button>
    </MenuOnDemand>
  )
}
