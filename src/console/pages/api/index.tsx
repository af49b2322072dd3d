import { Anchor, Select, SimpleGrid, Stack, Tabs, Text } from '@mantine/core'
import { useState } from 'react'
import { Link } from 'react-router'
import { useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { JsonView } from '../../kit/json-view.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { Section } from '../../kit/section.tsx'
import { Endpoints } from './endpoints.tsx'
import { type Example, examples } from './examples.ts'
import { type ApiData, valuesForExamples } from './queries.ts'
import { useText } from './text.ts'
import { Tools } from './tools.tsx'

/** What a developer needs: addresses, tools, and first requests to copy. */
export function Component() {
  const { t } = useText()
  const team = useTeam()
  const values = useRead(valuesForExamples, { team: team.id })
  return (
    <>
      <PageHeader title={t('title')} description={t('description')} />
      <Stack gap="lg">
        <SimpleGrid cols={{ base: 1, md: 2 }} spacing="lg">
          <Endpoints origin={location.origin} />
          <Tools />
        </SimpleGrid>
        <Section title={t('examples')} description={t('examples.text')} framed>
          <Loaded of={values}>{(data) => <Examples data={data} team={team.slug} />}</Loaded>
        </Section>
      </Stack>
    </>
  )
}

const names = Object.keys(examples) as readonly Example[]
/** For lack of one. */
const noKey = { consumer: 'CONSUMER-KEY', source: 'SOURCE-KEY' } as const

function Examples({ data, team }: { readonly data: ApiData; readonly team: string }) {
  const { t } = useText()
  const [example, setExample] = useState<Example>('read')
  const [chosen, setChosen] = useState<Readonly<Partial<Record<'consumer' | 'source', string>>>>({})
  const role = example === 'submit' ? 'source' : 'consumer'
  const keysOf = (wanted: 'consumer' | 'source') => data.api_credentials.filter((one) => one.role === wanted)
  const keyOf = (wanted: 'consumer' | 'source') => chosen[wanted] ?? keysOf(wanted)[0]?.key_id ?? noKey[wanted]
  const keys = keysOf(role)
  const text = examples[example]({
    origin: location.origin,
    consumerKey: keyOf('consumer'),
    sourceKey: keyOf('source'),
    team,
    flow: data.flows[0]?.slug ?? 'FLOW',
  })
  return (
    <Tabs value={example} onChange={(value) => value && setExample(value as Example)} keepMounted={false}>
      <Tabs.List mb="md">
        {names.map((name) => (
          <Tabs.Tab key={name} value={name}>
            {t(`example.${name}`)}
          </Tabs.Tab>
        ))}
      </Tabs.List>
      {names.map((name) => (
        <Tabs.Panel key={name} value={name}>
          <Stack gap="sm">
            <Text size="sm">{t(`example.${name}Text`)}</Text>
            {name !== 'webhook' &&
              (keys.length > 0 ? (
                <Select
                  label={t('key')}
                  description={t('key.text')}
                  maw={480}
                  allowDeselect={false}
                  data={keys.map(({ key_id, name }) => ({ value: key_id, label: name }))}
                  value={keyOf(role)}
                  onChange={(value) => value && setChosen({ ...chosen, [role]: value })}
                />
              ) : (
                <Text size="sm" c="dimmed">
                  {t(`noKey.${role}`)}{' '}
                  <Anchor component={Link} to="/credentials" inherit>
                    {t('credentials')}
                  </Anchor>
                </Text>
              ))}
            <JsonView value={text} label={t('example')} maxHeight={520} />
          </Stack>
        </Tabs.Panel>
      ))}
    </Tabs>
  )
}
