import { ActionIcon, Group, Stack, Text, Tooltip } from '@mantine/core'
import { IconDownload } from '@tabler/icons-react'
import { useAction } from '../../api/hooks.ts'
import { notify } from '../../api/notify.ts'
import { useCan } from '../../app/context.tsx'
import { Said } from '../../kit/fault-text.tsx'
import { Section } from '../../kit/section.tsx'
import { StatusBadge, type Tone } from '../../kit/status-badge.tsx'
import { follow, useSize } from './download.ts'
import { type FileRow, fileLink } from './queries.ts'
import { useText } from './text.ts'

const tones: Readonly<Record<FileRow['status'], Tone>> = {
  pending: 'waiting',
  stored: 'good',
  quarantined: 'bad',
  missing: 'warning',
  purged: 'off',
  refused: 'bad',
}

/** The files of a session. A download is in the audit log. */
export function Files({ files }: { readonly files: readonly FileRow[] }) {
  const { t } = useText()
  const { edit } = useCan()
  return (
    <Section title={t('files', { count: files.length })} description={edit && t('files.text')} framed>
      <Stack gap="sm" component="ul" p={0} m={0} style={{ listStyle: 'none' }}>
        {files.map((file) => (
          <FileLine key={file.id} file={file} />
        ))}
      </Stack>
    </Section>
  )
}

function FileLine({ file: { id, name, type, size, status, reason } }: { readonly file: FileRow }) {
  const { t } = useText()
  const { edit } = useCan()
  const sizeText = useSize()
  const link = useAction(fileLink, { notify: true })
  const download = async () => {
    const done = await link.run({ id })
    if (!done) return
    const { url, reason } = done.create_file_link
    if (url) follow(url, name)
    else void notify('failed', reason ? <Said>{reason}</Said> : t('files.noLink'))
  }
  return (
    <Group component="li" justify="space-between" wrap="nowrap" gap="xs" align="flex-start">
      <Stack gap={2} miw={0}>
        <Text size="sm" component="span" style={{ overflowWrap: 'anywhere' }}>
          {name || t('files.unnamed')}
        </Text>
        <Group gap={8}>
          <Text size="xs" c="dimmed" component="span">
            {[type, size !== null && sizeText(Number(size))].filter(Boolean).join(' · ')}
          </Text>
          {status !== 'stored' && (
            <StatusBadge tone={tones[status]} title={reason ?? undefined}>
              {t(`files.${status}`)}
            </StatusBadge>
          )}
        </Group>
        {reason && (
          <Text size="xs" c="dimmed" component="span" style={{ overflowWrap: 'anywhere' }}>
            {reason}
          </Text>
        )}
      </Stack>
      {edit && status === 'stored' && (
        <Tooltip label={t('download', { name })}>
          <ActionIcon
            variant="default"
            aria-label={t('download', { name })}
            loading={link.running}
            onClick={() => void download()}
          >
            <IconDownload size={16} aria-hidden />
          </ActionIcon>
        </Tooltip>
      )}
    </Group>
  )
}
