import { Anchor, Box, Button, Stack, Text } from '@mantine/core'
import { Link } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { ExplainedTarget } from '../webhook-new/explained-target.tsx'
import { explainEvent, type RecentSession } from '../webhook-new/queries.ts'
import { sessionToExplain } from './queries.ts'
import { useText } from './text.ts'

export interface ExplainedSessionProps {
  readonly id: string
  readonly onClose: () => void
}

/** `?explain=<session>`: who gets a session like this one, who does not, and why. */
export function ExplainedSession({ id, onClose }: ExplainedSessionProps) {
  const { t } = useText()
  const read = useRead(sessionToExplain, { id })
  const session = read.data?.sessions_by_pk
  return (
    <Box mb="xl">
      <Section
        title={t('explained.title')}
        description={
          session && (
            <>
              <Anchor component={Link} to={`/sessions/${id}`} size="sm" underline="always">
                {session.flow?.name}, <Time at={session.submitted_at} />
              </Anchor>
              . {t('explained.text')}
            </>
          )
        }
        actions={
          <Button variant="default" onClick={onClose}>
            {t('explained.close')}
          </Button>
        }
      >
        <Loaded of={read}>
          {() => (session ? <Targets session={session} /> : <Text size="sm">{t('explained.gone')}</Text>)}
        </Loaded>
      </Section>
    </Box>
  )
}

function Targets({ session: { flow, kind, config } }: { readonly session: RecentSession }) {
  const { t } = useText()
  const team = useTeam()
  const answer = useRead(explainEvent, {
    team: team.slug,
    flow: flow?.slug ?? '',
    kind,
    type: 'session.submitted',
    // Gone with the data of a session that was erased.
    config: config ?? {},
    draft: null,
  })
  return (
    <Loaded of={answer}>
      {({ explain_event: targets }) =>
        targets.length === 0 ? (
          <Text size="sm">{t('explained.none')}</Text>
        ) : (
          <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label={t('explained.title')}>
            {targets.map((target) => (
              <li key={target.target}>
                {flow && <ExplainedTarget target={target} flow={flow} onChanged={answer.refresh} />}
              </li>
            ))}
          </Stack>
        )
      }
    </Loaded>
  )
}
