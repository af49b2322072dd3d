import { ActionIcon, Anchor, Group, Stack, Text, Tooltip } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { Link } from 'react-router'
import { useAction, useLive } from '../../api/hooks.ts'
import { useCan, useTeam } from '../../app/context.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { follow, useSize } from './download.ts'
import { liveSources, type SourceRow, sourceContent } from './queries.ts'
import { useText } from './text.ts'

/** What the session was made of, where a connector brought it. */
export function RawSources({ id }: { readonly id: string }) {
  const { t } = useText()
  const team = useTeam()
  const { edit } = useCan()
  const sources = useLive(liveSources, { id, team: team.id }).data?.raw_sources ?? []
  if (sources.length === 0) return null
  return (
    <Section title={t('sources')} description={edit && t('sources.text')} framed>
      <Stack gap="sm">
        {sources.map((source) => (
          <SourceLine key={source.id} source={source} />
        ))}
      </Stack>
    </Section>
  )
}

function SourceLine({ source }: { readonly source: SourceRow }) {
  const { t } = useText()
  const { edit } = useCan()
  const sizeText = useSize()
  const content = useAction(sourceContent, { notify: true })
  const { id, connection, mime, size, received_at, created_at, purged_at } = source
  const download = async () => {
    const done = await content.run({ id })
    if (!done) return
    const { content: base64, mime } = done.raw_source_content
    const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
    const url = URL.createObjectURL(new Blob([bytes], { type: mime ?? 'application/octet-stream' }))
    follow(url, `source-${id}`)
    setTimeout(() => URL.revokeObjectURL(url), 60_000)
  }
  return (
    <Group justify="space-between" wrap="nowrap" align="flex-start" gap="xs">
      <Stack gap={2} miw={0}>
        <Text size="sm" component="span" style={{ overflowWrap: 'anywhere' }}>
          {connection ? (
            <Anchor component={Link} to={`/connections/${connection.id}`} inherit>
              {connection.name}
            </Anchor>
          ) : (
            t('platform')
          )}
        </Text>
        <Text size="xs" c="dimmed" component="span">
          {[mime, size !== null && sizeText(size)].filter(Boolean).join(' · ')}{' '}
          <Time at={received_at ?? created_at} relative />
        </Text>
      </Stack>
      {edit && !purged_at && (
        <Tooltip label={t('sources.download')}>
          <ActionIcon
            variant="default"
            aria-label={t('sources.download')}
            loading={content.running}
            onClick={() => void download()}
          >
            <IconDownload size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      )}
    </Group>
  )
}
