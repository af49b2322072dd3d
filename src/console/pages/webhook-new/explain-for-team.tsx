import { NativeSelect, Text } from '@mantine/core'
import { useState } from 'react'
import { useRead } from '../../api/hooks.ts'
import type { Team } from '../../api/person.ts'
import { usePerson } from '../../app/context.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { ExplainPanel } from './explain-panel.tsx'
import { type Draft, flowsToExplain } from './queries.ts'
import { useText } from './text.ts'

/** A webhook of the platform hears of sessions of every team: the example is one team's. */
export function ExplainForTeam({ draft }: { readonly draft: Draft | null }) {
  const { t } = useText()
  const { teams } = usePerson()
  const [chosen, setChosen] = useState('')
  const team = teams.find(({ id }) => id === chosen) ?? teams[0]
  if (!team) return <Text size="sm">{t('explain.noTeam')}</Text>
  return <OfTeam key={team.id} team={team} draft={draft} onTeam={setChosen} />
}

interface OfTeamProps {
  readonly team: Team
  readonly draft: Draft | null
  readonly onTeam: (id: string) => void
}

function OfTeam({ team, draft, onTeam }: OfTeamProps) {
  const { t } = useText()
  const { teams } = usePerson()
  const flows = useRead(flowsToExplain, { team: team.id })
  return (
    <Loaded of={flows}>
      {({ flows: rows }) => (
        <ExplainPanel draft={draft} team={team} flows={rows}>
          <NativeSelect
            label={t('example.team')}
            value={team.id}
            onChange={({ currentTarget: { value } }) => onTeam(value)}
            data={teams.map(({ id, name }) => ({ value: id, label: name }))}
          />
        </ExplainPanel>
      )}
    </Loaded>
  )
}
