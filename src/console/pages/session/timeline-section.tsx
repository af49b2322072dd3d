import { Button, Chip, Group, Skeleton, Stack, Text, Timeline } from '@mantine/core'
import { useMemo, useState } from 'react'
import { useLive, useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Section } from '../../kit/section.tsx'
import { ActorNames } from './actor.tsx'
import { actors, type EditorFacts, liveAudit, liveHistory, liveSources, type SessionFacts } from './queries.ts'
import { useText } from './text.ts'
import { type Entry, groups, storyOf } from './timeline.ts'
import { TimelineEntry } from './timeline-entry.tsx'
import { useSettling } from './use-settling.ts'

export interface TimelineSectionProps {
  readonly session: SessionFacts
  readonly editor: EditorFacts | undefined
}

/** Of each kind, the newest so many; more when asked for. */
const firstLimit = 50
const nextLimit = 250
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** What happened, from old to new, as it happens; at its end, what will. */
export function TimelineSection({ session, editor }: TimelineSectionProps) {
  const { t } = useText()
  const team = useTeam()
  const [chosen, setChosen] = useState<string[]>([])
  const [limit, setLimit] = useState(firstLimit)
  const by = { id: session.id, team: team.id }
  const history = useLive(liveHistory, { ...by, limit }, { keep: true })
  const audit = useLive(liveAudit, { ...by, limit }, { keep: true })
  const sources = useLive(liveSources, by)
  const settling = useSettling(session)
  const past = history.data?.sessions[0]
  const entries = audit.data?.audit_entries
  const rawSources = sources.data?.raw_sources
  const story = useMemo(
    () => storyOf({ session, editor, history: past, audit: entries, sources: rawSources, settling }),
    [session, editor, past, entries, rawSources, settling],
  )
  const ids = useMemo(() => idsIn(story), [story])
  const names = useRead(actors, { ids }, { paused: ids.length === 0 }).data

  const present = groups.filter((group) => story.some((entry) => entry.group === group))
  const visible = chosen.length === 0 ? story : story.filter(({ group }) => chosen.includes(group))
  const isFull = [past?.events, past?.deliveries, past?.connector_runs, past?.revisions, entries].some(
    (rows) => rows?.length === limit,
  )
  return (
    <Section title={t('timeline')} framed>
      <Stack gap="md">
        <ErrorAlert fault={history.fault ?? audit.fault} onRetry={history.fault ? history.retry : audit.retry} />
        <Chip.Group multiple value={chosen} onChange={setChosen}>
          <Group gap="xs" role="group" aria-label={t('timeline.filter')}>
            {present.map((group) => (
              <Chip key={group} value={group} size="xs">
                {t(`group.${group}`)}
              </Chip>
            ))}
          </Group>
        </Chip.Group>
        {isFull && (
          <Group gap="xs">
            <Text size="sm" c="dimmed">
              {t('timeline.newest', { count: limit })}
            </Text>
            {limit < nextLimit && (
              <Button size="compact-xs" variant="default" onClick={() => setLimit(nextLimit)}>
                {t('timeline.more')}
              </Button>
            )}
          </Group>
        )}
        <ActorNames value={names}>
          <Timeline bulletSize={26} lineWidth={2} active={visible.findLastIndex(({ isAhead }) => !isAhead)}>
            {visible.map((entry) => (
              <TimelineEntry key={entry.key} entry={entry} session={session} />
            ))}
          </Timeline>
        </ActorNames>
        {(history.loading || audit.loading) && (
          <Stack gap="xs" aria-busy="true">
            <Skeleton h={28} />
            <Skeleton h={28} w="70%" />
          </Stack>
        )}
      </Stack>
    </Section>
  )
}

/** Of the people, credentials and connections whose names are wanted. */
function idsIn(story: readonly Entry[]): readonly string[] {
  const found = story.flatMap((entry) => {
    if (entry.type === 'audit') return entry.entry.actor_id ?? []
    return 'author' in entry ? (entry.author?.id ?? []) : []
  })
  return [...new Set(found.filter((id) => uuid.test(id)))].sort()
}
