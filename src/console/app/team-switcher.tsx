import { Select, Text } from '@mantine/core'
import { IconUsersGroup } from '@tabler/icons-react'
import { usePerson, useTeamChoice } from './context.tsx'
import { useAppText } from './text.ts'

/** From so many teams on, one finds a team by its name. */
const manyTeams = 8

/** Chooses the team whose things all pages show. Somebody with one team sees its name. */
export function TeamSwitcher() {
  const { t } = useAppText()
  const { teams } = usePerson()
  const { team, chooseTeam } = useTeamChoice()
  if (!team) return null
  if (teams.length === 1) {
    return (
      <Text fw={550} truncate>
        {team.name}
      </Text>
    )
  }
  return (
    <Select
      aria-label={t('team.switch')}
      data={teams.map(({ id, name }) => ({ value: id, label: name }))}
      value={team.id}
      onChange={(id) => id && chooseTeam(id)}
      allowDeselect={false}
      searchable={teams.length >= manyTeams}
      nothingFoundMessage={t('team.notFound')}
      leftSection={<IconUsersGroup size={16} aria-hidden />}
      w="100%"
      maw={260}
      comboboxProps={{ width: 260, position: 'bottom-start' }}
    />
  )
}
