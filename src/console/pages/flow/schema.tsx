import { Alert, Anchor, Badge, Button, Group, Stack, Text } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { IconAlertTriangle, IconFileCode, IconUpload } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import { type FlowFacts, liveSchemas, revalidateFlow, type StoredSchema } from './queries.ts'
import { ChooseSchemaDialog, StoreSchemaDialog } from './schema-dialogs.tsx'
import { useText } from './text.ts'

/** What the data of a flow's sessions must follow, its versions, and sessions that did not. */
export function Schema({ flow }: { readonly flow: FlowFacts }) {
  const { t } = useText()
  const team = useTeam()
  const { edit } = useCan()
  const [choosing, chooser] = useDisclosure()
  const [storing, storer] = useDisclosure()
  const schemas = useLive(liveSchemas, { team: team.id })
  return (
    <Section
      title={t('schema')}
      description={t('schema.text')}
      framed
      actions={
        edit && (
          <>
            <Button variant="default" leftSection={<IconUpload size={18} aria-hidden />} onClick={storer.open}>
              {t('schema.store')}
            </Button>
            <Button variant="default" leftSection={<IconFileCode size={18} aria-hidden />} onClick={chooser.open}>
              {t('schema.choose')}
            </Button>
          </>
        )
      }
    >
      <Stack gap="md">
        <Loaded of={schemas}>{({ payload_schemas: stored }) => <Required flow={flow} stored={stored} />}</Loaded>
        {flow.invalid.aggregate.count > 0 && <Waiting flow={flow} />}
      </Stack>
      {choosing && (
        <ChooseSchemaDialog flow={flow} stored={schemas.data?.payload_schemas ?? []} onClose={chooser.close} />
      )}
      {storing && <StoreSchemaDialog flow={flow} stored={schemas.data?.payload_schemas ?? []} onClose={storer.close} />}
    </Section>
  )
}

function Required({ flow, stored }: { readonly flow: FlowFacts; readonly stored: readonly StoredSchema[] }) {
  const { t } = useText()
  if (!flow.schema_url) return <Text size="sm">{t('schema.none')}</Text>
  const required = stored.find(({ url }) => url === flow.schema_url)
  if (!required) {
    return (
      <Alert color="yellow" icon={<IconAlertTriangle aria-hidden />} title={t('schema.missing')}>
        <Text size="sm" style={{ overflowWrap: 'anywhere' }}>
          {t('schema.missingText', { url: flow.schema_url })}
        </Text>
      </Alert>
    )
  }
  const versions = stored.filter(({ name }) => name === required.name)
  return (
    <Stack gap="xs">
      <Text size="sm">{t('schema.versions', { name: required.name })}</Text>
      <Stack gap="xs" component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label={t('schema.list')}>
        {versions.map(({ id, url, version, team_id, updated_at }) => (
          <Group key={id} component="li" gap="4px 10px">
            <Text size="sm" fw={600}>
              {version}
            </Text>
            <Text size="sm" ff="monospace" style={{ overflowWrap: 'anywhere' }}>
              {url}
            </Text>
            {url === flow.schema_url && <StatusBadge tone="good">{t('schema.required')}</StatusBadge>}
            {team_id === null && <Badge variant="default">{t('platform')}</Badge>}
            <Text size="xs" c="dimmed">
              {t('schema.stored')} <Time at={updated_at} day />
            </Text>
          </Group>
        ))}
      </Stack>
    </Stack>
  )
}

/** Invalid sessions are kept, opened to nobody, until their data or the schema is put right. */
function Waiting({ flow }: { readonly flow: FlowFacts }) {
  const { t } = useText()
  const { edit } = useCan()
  const again = useAction(revalidateFlow, {
    notify: true,
    success: ({ revalidate_session: { published, invalid, more } }) =>
      [t('again.done', { count: published }), t('again.left', { count: invalid }), more ? t('again.more') : '']
        .filter(Boolean)
        .join(' '),
  })
  return (
    <Alert
      color="yellow"
      icon={<IconAlertTriangle aria-hidden />}
      title={t('invalid', { count: flow.invalid.aggregate.count })}
    >
      <Text size="sm">{t('invalid.text')}</Text>
      <Group mt="xs" gap="md">
        {edit && (
          <Button
            size="compact-sm"
            variant="default"
            loading={again.running}
            onClick={() => void again.run({ flow: flow.id })}
          >
            {t('again')}
          </Button>
        )}
        <Anchor
          component={Link}
          to={`/sessions?flow=${flow.id}&status=invalid`}
          size="sm"
          c="inherit"
          underline="always"
        >
          {t('invalid.see')}
        </Anchor>
      </Group>
    </Alert>
  )
}
