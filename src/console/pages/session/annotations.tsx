import { Button, Code, DataList, Group, Stack, Text, Title } from '@mantine/core'
import { IconEye } from '@tabler/icons-react'
import { useState } from 'react'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Section } from '../../kit/section.tsx'
import { useAsk } from './ask.ts'
import { type AnnotationRow, annotationsOf, type SessionFacts } from './queries.ts'
import { useText } from './text.ts'

const contexts = ['BOOKING', 'SERVICE', 'SEGMENT', 'LEG', 'TRAVELER'] as const

/** What connectors have noted on the session, by what it is about. It is part of its data, so asking is audited too. */
export function Annotations({ session }: { readonly session: SessionFacts }) {
  const { t, language } = useText()
  const [rows, setRows] = useState<readonly AnnotationRow[]>()
  const { ask, running, fault } = useAsk(annotationsOf)
  return (
    <Section
      title={t('annotations')}
      description={t('annotations.text')}
      framed
      actions={
        <Button
          variant="default"
          leftSection={<IconEye size={18} aria-hidden />}
          loading={running}
          onClick={async () => setRows((await ask({ id: session.id, locale: language }))?.annotations)}
        >
          {t(rows ? 'annotations.again' : 'annotations.show')}
        </Button>
      }
    >
      <ErrorAlert fault={fault} />
      {rows?.length === 0 && (
        <Text size="sm" c="dimmed">
          {t('annotations.none')}
        </Text>
      )}
      {rows && rows.length > 0 && (
        <Stack gap="md">
          {[...Map.groupBy(rows, ({ context_type, context_uuid }) => `${context_type} ${context_uuid}`)].map(
            ([key, [first, ...more]]) => first && <Context key={key} rows={[first, ...more]} />,
          )}
        </Stack>
      )}
    </Section>
  )
}

function Context({ rows }: { readonly rows: readonly [AnnotationRow, ...AnnotationRow[]] }) {
  const { t, language } = useText()
  const [{ context_type, context_uuid }] = rows
  const known = contexts.find((one) => one === context_type)
  return (
    <Stack gap={6}>
      <Group gap={8} align="baseline">
        <Title order={3}>{known ? t(`context.${known}`) : context_type}</Title>
        {known !== 'BOOKING' && <Code title={context_uuid}>{context_uuid.slice(0, 8)}</Code>}
      </Group>
      <DataList gap={6} orientation="vertical">
        {rows.map(({ connector, label, label_key, value, value_type }) => (
          <DataList.Item key={`${connector} ${label_key}`}>
            <DataList.ItemLabel title={label_key}>
              {label} · {connector}
            </DataList.ItemLabel>
            <DataList.ItemValue style={{ overflowWrap: 'anywhere', minWidth: 0 }}>
              {valueText(value, value_type, language, { yes: t('yes'), no: t('no') })}
            </DataList.ItemValue>
          </DataList.Item>
        ))}
      </DataList>
    </Stack>
  )
}

interface Words {
  readonly yes: string
  readonly no: string
}

function valueText(value: unknown, type: string, language: string, { yes, no }: Words): string {
  if (type === 'BOOLEAN') return value === true || value === 'true' ? yes : no
  if (type === 'INT') return new Intl.NumberFormat(language).format(Number(value))
  if (type === 'DATE' && typeof value === 'string' && !Number.isNaN(Date.parse(value))) {
    // A day is a day everywhere; only a moment has a time.
    const isDay = /^\d{4}-\d{2}-\d{2}$/.test(value)
    return new Intl.DateTimeFormat(
      language,
      isDay ? { dateStyle: 'medium', timeZone: 'UTC' } : { dateStyle: 'medium', timeStyle: 'short' },
    ).format(new Date(value))
  }
  return typeof value === 'string' ? value : JSON.stringify(value)
}
