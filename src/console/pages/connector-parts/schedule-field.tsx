import { Code, Group, Select, Stack, Text, TextInput, UnstyledButton } from '@mantine/core'
import { IconClock } from '@tabler/icons-react'
import { useMemo } from 'react'
import { timeZones, useScheduleSentence } from './schedule.ts'
import { usePartsText } from './text.ts'

/** What `form.getInputProps` gives. */
interface InputProps {
  readonly value?: string | null
  readonly onChange?: (value: never) => void
  readonly error?: unknown
}

export interface ScheduleFieldsProps {
  /** A cron expression; '' runs on demand only. */
  readonly schedule: InputProps
  readonly timeZone: InputProps
}

const examples = [
  { expression: '*/15 * * * *', name: 'quarter' },
  { expression: '0 * * * *', name: 'hour' },
  { expression: '0 6 * * *', name: 'morning' },
  { expression: '0 6 * * 1-5', name: 'workday' },
] as const

/** When it runs by itself: an expression, what it means in words, and in which time zone it is meant. */
export function ScheduleFields({ schedule, timeZone }: ScheduleFieldsProps) {
  const { t } = usePartsText()
  const zones = useMemo(timeZones, [])
  const expression = schedule.value ?? ''
  const setExpression = schedule.onChange as ((value: string) => void) | undefined
  return (
    <Stack gap="sm">
      <Stack gap={6}>
        <TextInput
          label={t('schedule')}
          description={t('schedule.hint')}
          placeholder="0 6 * * 1-5"
          maw={360}
          autoComplete="off"
          spellCheck={false}
          styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
          {...(schedule as object)}
        />
        <ScheduleSentence expression={expression} />
        <Group gap="xs" role="group" aria-label={t('schedule.examples')}>
          {examples.map(({ expression: example, name }) => (
            <UnstyledButton
              key={name}
              type="button"
              onClick={() => setExpression?.(example)}
              px="xs"
              py={4}
              fz="xs"
              style={{ border: '1px solid var(--sluice-line)', borderRadius: 'var(--mantine-radius-xl)' }}
            >
              {t(`schedule.${name}`)}
            </UnstyledButton>
          ))}
          {expression !== '' && (
            <UnstyledButton
              type="button"
              onClick={() => setExpression?.('')}
              px="xs"
              py={4}
              fz="xs"
              style={{ border: '1px solid var(--sluice-line)', borderRadius: 'var(--mantine-radius-xl)' }}
            >
              {t('schedule.never')}
            </UnstyledButton>
          )}
        </Group>
      </Stack>
      {expression !== '' && (
        <Select
          label={t('timeZone')}
          description={t('timeZone.hint')}
          data={zones}
          searchable
          limit={60}
          allowDeselect={false}
          maw={360}
          {...(timeZone as object)}
        />
      )}
    </Stack>
  )
}

/** In words, for the person; said again when it changes. */
export function ScheduleSentence({ expression }: { readonly expression: string }) {
  const { t } = usePartsText()
  const sentence = useScheduleSentence(expression)
  return (
    <Group gap={6} wrap="nowrap" mih={22} role="status">
      <IconClock size={16} aria-hidden style={{ flex: 'none' }} />
      <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
        {expression.trim() === '' ? t('schedule.onDemand') : (sentence ?? t('schedule.unread'))}
      </Text>
    </Group>
  )
}

export interface ScheduleTextProps {
  readonly schedule: string | null
  readonly timeZone: string
}

/** Where it is only shown: the sentence, its time zone, and the expression for who knows it. */
export function ScheduleText({ schedule, timeZone }: ScheduleTextProps) {
  const { t } = usePartsText()
  const sentence = useScheduleSentence(schedule)
  if (!schedule) return <span>{t('schedule.onDemand')}</span>
  return (
    <span>
      {sentence ? t('schedule.in', { sentence, zone: timeZone }) : timeZone} <Code>{schedule}</Code>
    </span>
  )
}
