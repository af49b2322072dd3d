import { Box, JsonInput, NativeSelect, SimpleGrid, Stack, Text, Title } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { type ReactNode, useId, useRef, useState } from 'react'
import { type Live, useLive, useRead } from '../../api/hooks.ts'
import type { Team } from '../../api/person.ts'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { relativeTime } from '../../kit/time.tsx'
import { ExplainedTarget } from './explained-target.tsx'
import { sessionEvents } from './form.ts'
import { readObject } from './pattern/pattern.ts'
import { type Draft, explainEvent, type FlowChoice, type RecentSession, recentSessions } from './queries.ts'
import { useText } from './text.ts'

export interface ExplainPanelProps {
  /** The webhook that is being written; without one, the answer tells of those that are there. */
  readonly draft: Draft | null
  readonly team: Team
  /** The team's. */
  readonly flows: readonly FlowChoice[]
  /** Before the fields of the example. */
  readonly children?: ReactNode
}

interface Example {
  /** Of the session that it was taken from, as long as nothing was changed. */
  readonly session: string
  readonly flow: string
  readonly kind: string
  readonly type: string
  /** JSON. */
  readonly config: string
}

/** Beside the form: an example of an event, and which webhooks and connections would get it, and why not. */
export function ExplainPanel({ draft, team, flows, children }: ExplainPanelProps) {
  const { t } = useText()
  const heading = useId()
  const sessions = useLive(recentSessions, { team: team.id })
  const [example, setExample] = useState<Example>({
    session: '',
    flow: '',
    kind: 'application',
    type: 'session.submitted',
    config: '',
  })
  const flow = flows.find(({ slug }) => slug === example.flow) ?? flows[0]
  const config = readObject(example.config)
  const [settled] = useDebouncedValue(
    { team: team.slug, flow: flow?.slug ?? '', kind: example.kind, type: example.type, config: config ?? {}, draft },
    300,
  )
  const answer = useRead(explainEvent, settled, { paused: settled.flow === '' })
  // While the next answer is on its way, the one before stays.
  const last = useRef(answer.data)
  if (answer.data) last.current = answer.data
  const targets = last.current?.explain_event ?? []
  const own = targets.find(({ is_draft }) => is_draft)
  const others = targets.filter(({ is_draft }) => !is_draft)

  return (
    <Box component="section" aria-labelledby={heading}>
      <Title order={2} id={heading}>
        {t('explain')}
      </Title>
      <Text size="sm" c="dimmed" mb="sm">
        {t('explain.text')}
      </Text>
      <Stack gap="sm">
        {children}
        <ExampleFields example={example} flows={flows} flow={flow} sessions={sessions} onChange={setExample} />
        {flows.length === 0 && <Text size="sm">{t('explain.noFlow')}</Text>}
        <ErrorAlert fault={answer.fault} onRetry={answer.refresh} />
        <Stack gap="sm" aria-live="polite">
          {own && flow && <ExplainedTarget target={own} flow={flow} onChanged={answer.refresh} />}
          {!own && draft === null && (
            <Text size="sm" c="dimmed">
              {t('explain.noDraft')}
            </Text>
          )}
        </Stack>
        {others.length > 0 && flow && (
          <Box>
            <Title order={3} mb={4}>
              {t('explain.others', { count: others.length })}
            </Title>
            <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
              {others.map((target) => (
                <li key={target.target}>
                  <ExplainedTarget target={target} flow={flow} isSmall onChanged={answer.refresh} />
                </li>
              ))}
            </Stack>
          </Box>
        )}
      </Stack>
    </Box>
  )
}

interface ExampleFieldsProps {
  readonly example: Example
  readonly flows: readonly FlowChoice[]
  readonly flow: FlowChoice | undefined
  readonly sessions: Live<{ sessions: RecentSession[] }>
  readonly onChange: (example: Example) => void
}

function ExampleFields({ example, flows, flow, sessions, onChange }: ExampleFieldsProps) {
  const { t, language } = useText()
  const change = (part: Partial<Example>) => onChange({ ...example, session: '', ...part })
  const recent = sessions.data?.sessions ?? []
  return (
    <>
      <NativeSelect
        label={t('example')}
        value={example.session}
        onChange={({ currentTarget: { value } }) => {
          const session = recent.find(({ id }) => id === value)
          if (!session) return change({})
          onChange({
            session: session.id,
            flow: session.flow?.slug ?? '',
            kind: session.kind,
            type: example.type,
            config: Object.keys(session.config).length === 0 ? '' : JSON.stringify(session.config, null, 2),
          })
        }}
        data={[
          { value: '', label: t('example.own') },
          ...recent.map(({ id, flow: of, submitted_at }) => ({
            value: id,
            label: t('example.session', {
              flow: of?.name ?? '',
              when: relativeTime(new Date(submitted_at), Date.now(), language),
              id: id.slice(-8),
            }),
          })),
        ]}
      />
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <NativeSelect
          label={t('example.flow')}
          value={flow?.slug ?? ''}
          onChange={({ currentTarget: { value } }) => change({ flow: value })}
          data={flows.map(({ slug, name }) => ({ value: slug, label: name }))}
        />
        <NativeSelect
          label={t('example.kind')}
          value={example.kind}
          onChange={({ currentTarget: { value } }) => change({ kind: value })}
          data={['application', 'booking'].map((kind) => ({
            value: kind,
            label: t(`kind.${kind as 'application' | 'booking'}`),
          }))}
        />
      </SimpleGrid>
      <NativeSelect
        label={t('example.type')}
        value={example.type}
        // A session goes through all of them, so it stays chosen.
        onChange={({ currentTarget: { value } }) => onChange({ ...example, type: value })}
        data={sessionEvents.map((type) => ({ value: type, label: t(`event.${type}`) }))}
      />
      <JsonInput
        label={t('example.config')}
        description={t('example.configHint')}
        placeholder='{ "region": "north" }'
        value={example.config}
        onChange={(config) => change({ config })}
        error={readObject(example.config) === null && t('json.invalid')}
        autosize
        minRows={2}
        maxRows={8}
        spellCheck={false}
        styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
      />
    </>
  )
}
