import { Button, Text } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { usePerson, useTeamChoice } from './context.tsx'
import { MenuOnDemand } from './menu-on-demand.tsx'
import { useAppText } from './text.ts'

const load = async () => (await import('./menus.tsx')).TeamChoices

/** Chooses the team whose things all pages show. Somebody with one team sees its name. */
export function TeamSwitcher() {
  const { t } = useAppText()
  const { teams } = usePerson()
  const { team } = useTeamChoice()
  if (!team) return null
  if (teams.length === 1) {
    return (
      <Text fw={550} truncate>
        {team.name}
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
        aria-label={`${t('team.switch')}: ${team.name}`}
        rightSection={<IconChevronDown size={16} aria-hidden />}
      >
        <Text component="span" inherit truncate>
          {team.name}
        </Text>
      </Button>
    </MenuOnDemand>
  )
}
