import { Button, Menu, Text } from '@mantine/core'
import { IconChevronDown } from '@tabler/icons-react'
import { useState } from 'react'
import { usePerson, useTeamChoice } from './context.tsx'
import { useAppText } from './text.ts'

/** From so many teams on, one finds a team by its name. */
const manyTeams = 8

/** Chooses the team whose things all pages show. Somebody with one team sees its name. */
export function TeamSwitcher() {
  const { t } = useAppText()
  const { teams } = usePerson()
  const { team, chooseTeam } = useTeamChoice()
  const [sought, setSought] = useState('')
  if (!team) return null
  if (teams.length === 1) {
    return (
      <Text fw={550} truncate>
        {team.name}
      </Text>
    )
  }
  const found = teams.filter(({ name }) => name.toLowerCase().includes(sought.trim().toLowerCase()))
  return (
    <Menu position="bottom-start" width={280}>
      <Menu.Target>
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
      </Menu.Target>
      <Menu.Dropdown>
        {teams.length >= manyTeams && (
          <Menu.Search
            aria-label={t('team.search')}
            placeholder={t('team.search')}
            value={sought}
            onChange={(event) => setSought(event.currentTarget.value)}
          />
        )}
        <div style={{ maxHeight: '60dvh', overflowY: 'auto' }}>
          <Menu.RadioGroup value={team.id} onChange={chooseTeam}>
            {found.map(({ id, name }) => (
              <Menu.RadioItem key={id} value={id} closeMenuOnClick>
                {name}
              </Menu.RadioItem>
            ))}
          </Menu.RadioGroup>
        </div>
        {found.length === 0 && <Menu.Label>{t('team.notFound')}</Menu.Label>}
      </Menu.Dropdown>
    </Menu>
  )
}
