import { Alert, Button, Code, Group, Select, SimpleGrid, Stack, Table, Text, Title } from '@mantine/core'
import { IconEye, IconEyeOff } from '@tabler/icons-react'
import { useState } from 'react'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { JsonTree } from '../../kit/json-tree.tsx'
import { Section } from '../../kit/section.tsx'
import { useAsk } from './ask.ts'
import { differences } from './differences.ts'
import { revisionData, type SessionFacts, sessionData } from './queries.ts'
import { useText } from './text.ts'

interface Shown {
  readonly revision: number
  readonly config: unknown
  readonly data: unknown
  /** What connectors keep with the newest revision; earlier ones have none. */
  readonly connector_data?: Readonly<Record<string, unknown>> | null
}

/** What the session says: only when somebody asks, and then it stands in the audit log. */
export function DataPanel({ session }: { readonly session: SessionFacts }) {
  const { t } = useText()
  const [shown, setShown] = useState<Shown>()
  const [other, setOther] = useState<Shown>()
  const newest = useAsk(sessionData)
  const older = useAsk(revisionData)
  const { id, revision } = session

  const get = async (wanted: number): Promise<Shown | undefined> => {
    if (wanted === revision) return (await newest.ask({ id }))?.sessions_by_pk ?? undefined
    return (await older.ask({ id, revision: wanted }))?.session_revisions[0]
  }
  const show = async (wanted: number) => {
    const got = await get(wanted)
    if (got) setShown(got)
  }
  const compare = async (wanted: number | null) => setOther(wanted === null ? undefined : await get(wanted))
  const hide = () => {
    setShown(undefined)
    setOther(undefined)
  }

  const numbers = Array.from({ length: revision }, (_, index) => revision - index)
  const choices = numbers.map((number) => ({
    value: String(number),
    label: t(number === revision ? 'data.newest' : 'data.revision', { revision: number }),
  }))
  const running = newest.running || older.running
  return (
    <Section
      title={t('data')}
      description={t('data.text')}
      framed
      actions={
        shown ? (
          <Button variant="default" leftSection={<IconEyeOff size={18} aria-hidden />} onClick={hide}>
            {t('data.hide')}
          </Button>
        ) : (
          <Button
            variant="default"
            leftSection={<IconEye size={18} aria-hidden />}
            loading={running}
            onClick={() => void show(revision)}
          >
            {t('data.show')}
          </Button>
        )
      }
    >
      <Stack gap="md">
        <ErrorAlert fault={newest.fault ?? older.fault} />
        {shown && shown.revision < revision && !other && (
          <Alert color="blue">
            <Group justify="space-between" gap="xs">
              <Text size="sm">{t('data.newer', { revision })}</Text>
              <Button size="compact-sm" variant="default" loading={running} onClick={() => void show(revision)}>
                {t('data.showNewest')}
              </Button>
            </Group>
          </Alert>
        )}
        {shown && revision > 1 && (
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
            <Select
              label={t('revision')}
              data={choices}
              value={String(shown.revision)}
              onChange={(value) => void show(Number(value))}
              allowDeselect={false}
            />
            <Select
              label={t('data.compare')}
              placeholder={t('data.compareNone')}
              data={choices.filter(({ value }) => value !== String(shown.revision))}
              value={other ? String(other.revision) : null}
              onChange={(value) => void compare(value === null ? null : Number(value))}
              clearable
              clearButtonProps={{ 'aria-label': t('data.compareClear') }}
            />
          </SimpleGrid>
        )}
        {shown &&
          (other ? (
            <Differences shown={shown} other={other} />
          ) : (
            <JsonTree value={shown.data} label={t('data.label')} />
          ))}
        {shown && !other && Object.keys(shown.connector_data ?? {}).length > 0 && (
          <Stack gap={4}>
            <Title order={3}>{t('extension')}</Title>
            <Text size="sm" c="dimmed">
              {t('extension.text')}
            </Text>
            <JsonTree value={shown.connector_data} label={t('extension.label')} />
          </Stack>
        )}
      </Stack>
    </Section>
  )
}

/** So many are listed; the rest is counted. */
const mostListed = 200

function Differences({ shown, other }: { readonly shown: Shown; readonly other: Shown }) {
  const { t } = useText()
  const [before, after] = shown.revision < other.revision ? [shown, other] : [other, shown]
  const found = differences({ data: before.data, config: before.config }, { data: after.data, config: after.config })
  if (found.length === 0) return <Text size="sm">{t('data.same')}</Text>
  return (
    <Stack gap="xs">
      <Text size="sm">{t('data.differences', { count: found.length })}</Text>
      <Table.ScrollContainer minWidth={480} type="native">
        <Table aria-label={t('data.differences', { count: found.length })} verticalSpacing="xs" layout="fixed">
          <Table.Thead>
            <Table.Tr>
              <Table.Th>{t('data.place')}</Table.Th>
              <Table.Th>{t('data.revision', { revision: before.revision })}</Table.Th>
              <Table.Th>{t('data.revision', { revision: after.revision })}</Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {found.slice(0, mostListed).map(({ path, before, after }) => (
              <Table.Tr key={path} style={{ overflowWrap: 'anywhere', verticalAlign: 'top' }}>
                <Table.Td>
                  <Code>{path}</Code>
                </Table.Td>
                <Table.Td>
                  <Value value={before} none={t('data.absent')} />
                </Table.Td>
                <Table.Td>
                  <Value value={after} none={t('data.absent')} />
                </Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Stack>
  )
}

function Value({ value, none }: { readonly value: unknown; readonly none: string }) {
  if (value === undefined) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {none}
      </Text>
    )
  }
  const text = JSON.stringify(value, null, 1)
  return <Code style={{ whiteSpace: 'pre-wrap' }}>{text.length > 400 ? `${text.slice(0, 400)}…` : text}</Code>
}
