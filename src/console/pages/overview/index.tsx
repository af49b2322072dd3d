import { SegmentedControl, SimpleGrid, Skeleton, Stack } from '@mantine/core'
import { useState } from 'react'
import { useLive } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { LiveDot } from '../../kit/live-dot.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { ActivityCard } from './activity-card.tsx'
import { Attention } from './attention.tsx'
import { type Span, spans, sumOf, useFigures } from './figures.ts'
import { FirstSteps } from './first-steps.tsx'
import { TargetHealth } from './health.tsx'
import { News } from './news.tsx'
import { latestSession, liveConnectionHealth, liveTeamNews, liveWebhookHealth } from './queries.ts'
import { useText } from './text.ts'

const newsShown = 8

/** What an operator looks at first: how much there is to do, what fails, what waits. A new team sees its first steps. */
export function Component() {
  const { t } = useText()
  const team = useTeam()
  const [span, setSpan] = useState<Span>('hour')
  const sessions = useLive(latestSession, { team: team.id })
  const hasSession = (sessions.data?.sessions.length ?? 0) > 0
  const steps = useFirstSteps(team.id, sessions.data && hasSession)
  const isNew = sessions.data !== undefined && !hasSession
  return (
    <>
      <PageHeader
        title={t('title')}
        description={t(isNew ? 'description.new' : 'description')}
        badge={<LiveDot />}
        actions={
          hasSession && (
            <SegmentedControl
              aria-label={t('span')}
              value={span}
              onChange={(value) => setSpan(value as Span)}
              data={Object.keys(spans).map((value) => ({ value, label: t(`span.${value as Span}`) }))}
            />
          )
        }
      />
      <Stack gap="lg">
        <Loaded of={sessions} placeholder={<Placeholder />}>
          {({ sessions: [latest] }) => (
            <>
              {steps.shown && <FirstSteps {...steps} hasSession={hasSession} />}
              {latest && <Board team={team.id} span={span} latest={`${latest.id} ${latest.submitted_at}`} />}
            </>
          )}
        </Loaded>
      </Stack>
    </>
  )
}

function Board({ team, span, latest }: { readonly team: string; readonly span: Span; readonly latest: string }) {
  const { t } = useText()
  const news = useLive(liveTeamNews, { team, limit: newsShown })
  const figures = useFigures(team, span, `${latest} ${news.data?.operational_events[0]?.id}`)
  return (
    <>
      <Loaded of={figures} placeholder={<Placeholder />}>
        {(data) => {
          const { buckets } = data.activity
          const exhausted = sumOf(data, 'exhausted')
          const failedRuns = sumOf(data, 'failed_runs')
          return (
            <Stack gap="lg">
              <SimpleGrid cols={{ base: 1, md: 3 }} spacing="md">
                <ActivityCard
                  title={t('sessions')}
                  buckets={buckets}
                  span={span}
                  total={sumOf(data, 'sessions')}
                  series={[{ label: t('sessions'), color: 'water.6', value: ({ sessions }) => sessions }]}
                />
                <ActivityCard
                  title={t('deliveries')}
                  buckets={buckets}
                  span={span}
                  total={sumOf(data, 'deliveries')}
                  failed={{ count: exhausted, text: t('ofThemExhausted', { count: exhausted }) }}
                  series={[
                    {
                      label: t('deliveries'),
                      color: 'water.6',
                      value: ({ deliveries, exhausted }) => deliveries - exhausted,
                    },
                    { label: t('exhaustedShort'), color: 'red.6', value: ({ exhausted }) => exhausted },
                  ]}
                />
                <ActivityCard
                  title={t('runs')}
                  buckets={buckets}
                  span={span}
                  total={sumOf(data, 'runs')}
                  failed={{ count: failedRuns, text: t('ofThemFailed', { count: failedRuns }) }}
                  series={[
                    { label: t('runs'), color: 'water.6', value: ({ runs, failed_runs }) => runs - failed_runs },
                    { label: t('failedShort'), color: 'red.6', value: ({ failed_runs }) => failed_runs },
                  ]}
                />
              </SimpleGrid>
              <Attention data={data} span={span} />
            </Stack>
          )
        }}
      </Loaded>
      <SimpleGrid cols={{ base: 1, md: 2 }} spacing="md">
        <TargetHealth />
        <News of={news} />
      </SimpleGrid>
    </>
  )
}

/** Shown to a team that lacks something of the beginning, until it is closed; this browser remembers that. */
function useFirstSteps(team: string, hasSession: boolean | undefined) {
  const key = `sluice.steps.${team}`
  const [closed, setClosed] = useState(() => localStorage.getItem(key) !== null)
  const webhooks = useLive(liveWebhookHealth, { team, limit: 1 }, { paused: closed })
  const connections = useLive(liveConnectionHealth, { team, limit: 1 }, { paused: closed })
  const isKnown = hasSession !== undefined && webhooks.data !== undefined && connections.data !== undefined
  const hasTarget = (webhooks.data?.webhooks.length ?? 0) + (connections.data?.connections.length ?? 0) > 0
  // Who was new when the page was opened sees the last step ticked too.
  const [wasNew, setWasNew] = useState(false)
  if (isKnown && !wasNew && !(hasSession && hasTarget)) setWasNew(true)
  return {
    shown: hasSession === false ? isKnown : wasNew && !closed,
    hasTarget,
    onClose: () => {
      localStorage.setItem(key, 'closed')
      setClosed(true)
    },
  }
}

function Placeholder() {
  return (
    <SimpleGrid cols={{ base: 1, md: 3 }} spacing="md">
      <Skeleton h={236} />
      <Skeleton h={236} />
      <Skeleton h={236} />
    </SimpleGrid>
  )
}
