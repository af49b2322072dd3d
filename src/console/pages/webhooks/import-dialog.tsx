import {
  Alert,
  Button,
  Checkbox,
  FileInput,
  Group,
  Modal,
  SegmentedControl,
  Stack,
  Text,
  Textarea,
} from '@mantine/core'
import { IconFileImport } from '@tabler/icons-react'
import { useMemo, useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { SecretOnce } from '../../kit/secret-once.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { type Imported, type ImportedLine, importWebhooks } from './queries.ts'
import { useText } from './text.ts'

const tones = { created: 'good', updated: 'busy', unchanged: 'waiting', error: 'bad' } as const
type Format = 'json' | 'csv'

/** Reads a document, says line by line what would happen, and does it when told to. */
export function ImportDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useText()
  const team = useTeam()
  const [format, setFormat] = useState<Format>('json')
  const [document, setDocument] = useState('')
  const [skip, setSkip] = useState(false)
  const [tried, setTried] = useState<Imported>()
  const [done, setDone] = useState<Imported>()
  const load = useAction(importWebhooks)
  const run = async (dry: boolean) => {
    const answer = await load.run({ team: team.id, format, document, dry, skip })
    if (!answer) return
    if (dry) setTried(answer.import_webhooks)
    else if (answer.import_webhooks.lines.some(({ secret }) => secret)) setDone(answer.import_webhooks)
    else onClose()
  }
  if (done) {
    return (
      <SecretOnce
        title={t('import.secrets')}
        values={done.lines
          .filter(({ secret }) => secret !== null)
          .map(({ integration, name, secret }) => ({
            label: `${integration}: ${name}`,
            value: secret ?? '',
            secret: true,
          }))}
        onClose={onClose}
      >
        {t('import.secretsText')}
      </SecretOnce>
    )
  }
  const changes = (tried?.created ?? 0) + (tried?.updated ?? 0)
  const isReady = tried !== undefined && changes > 0 && (tried.errors === 0 || skip)
  /** What was tried is no longer what is there. */
  const changed = <Value,>(set: (value: Value) => void) => {
    return (value: Value) => {
      set(value)
      setTried(undefined)
    }
  }
  return (
    <Modal opened onClose={onClose} title={t('import')} size="xl" closeButtonProps={{ 'aria-label': t('close') }}>
      <form
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          void run(!isReady)
        }}
      >
        <Stack>
          <Text size="sm">{t('import.text')}</Text>
          <Group align="flex-end">
            <SegmentedControl
              aria-label={t('import.format')}
              data={[
                { value: 'json', label: 'JSON' },
                { value: 'csv', label: 'CSV' },
              ]}
              value={format}
              onChange={changed((value: string) => setFormat(value as Format))}
            />
            <FileInput
              label={t('import.file')}
              placeholder={t('import.choose')}
              accept=".json,.csv,application/json,text/csv"
              flex="1 1 200px"
              leftSection={<IconFileImport size={16} aria-hidden />}
              onChange={async (file) => {
                if (!file) return
                setDocument(await file.text())
                setFormat(/\.csv$/i.test(file.name) ? 'csv' : 'json')
                setTried(undefined)
              }}
            />
          </Group>
          <Textarea
            label={t('import.document')}
            description={t(format === 'json' ? 'import.json' : 'import.csv')}
            value={document}
            onChange={(event) => changed(setDocument)(event.currentTarget.value)}
            autosize
            minRows={5}
            maxRows={12}
            spellCheck={false}
            styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
          />
          {tried && (
            <Stack gap="xs" aria-live="polite">
              <Alert color={tried.errors > 0 ? 'yellow' : 'gray'} p="xs">
                <Text size="sm">
                  {t('import.would', {
                    created: tried.created,
                    updated: tried.updated,
                    unchanged: tried.unchanged,
                    errors: tried.errors,
                  })}
                </Text>
              </Alert>
              <ImportedLines lines={tried.lines} />
              {tried.errors > 0 && changes > 0 && (
                <Checkbox
                  label={t('import.skip')}
                  checked={skip}
                  onChange={(event) => setSkip(event.currentTarget.checked)}
                />
              )}
            </Stack>
          )}
          <ErrorAlert fault={load.fault} />
          <Group justify="flex-end">
            <Button variant="default" onClick={onClose}>
              {t('cancel')}
            </Button>
            <Button type="submit" loading={load.running}>
              {isReady ? t('import.do', { count: changes }) : t('import.try')}
            </Button>
          </Group>
        </Stack>
      </form>
    </Modal>
  )
}

function ImportedLines({ lines }: { readonly lines: readonly ImportedLine[] }) {
  const { t } = useText()
  const columns = useMemo<Column<ImportedLine>[]>(
    () => [
      {
        id: 'name',
        header: t('name'),
        main: true,
        cell: ({ line, integration, name }) => (
          <Stack gap={0}>
            <span>{name ?? t('import.line', { line })}</span>
            <Text size="xs" c="dimmed" component="span" fw={400}>
              {integration ? `${integration}, ${t('import.line', { line })}` : t('import.line', { line })}
            </Text>
          </Stack>
        ),
      },
      {
        id: 'outcome',
        header: t('import.outcome'),
        cell: ({ outcome }) => <StatusBadge tone={tones[outcome]}>{t(`outcome.${outcome}`)}</StatusBadge>,
      },
      {
        id: 'message',
        header: t('import.message'),
        cell: ({ column, message }) => (
          <Text size="sm" component="span">
            {column && message ? `${column}: ${message}` : message}
          </Text>
        ),
      },
    ],
    [t],
  )
  return <DataTable label={t('import.lines')} rows={lines} columns={columns} rowId={({ line }) => String(line)} />
}
