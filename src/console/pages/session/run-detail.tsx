import { Button, Code, Group, Stack, Text } from '@mantine/core'
import { IconRefresh } from '@tabler/icons-react'
import { useAction, useRead } from '../../api/hooks.ts'
import { useCan } from '../../app/context.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { Fold } from './delivery-detail.tsx'
import { useDuration } from './download.ts'
import { modifyAgain, type RunRow, rerun, runDetail } from './queries.ts'
import { useText } from './text.ts'

export interface RunDetailProps {
  readonly run: RunRow
  readonly canRun: boolean
  /** To ask a modifier about it again. */
  readonly session?: string
}

/** What a connector said, its log and what it asked of others. */
export function RunDetail({ run, canRun, session }: RunDetailProps) {
  const { t } = useText()
  const { edit } = useCan()
  const duration = useDuration()
  const again = useAction(rerun, { success: t('run.again.done'), notify: true })
  const modify = useAction(modifyAgain, { success: t('run.again.done'), notify: true })
  const { id, message, duration_ms, revision, status, dry_run, delivery_id, method, connection } = run
  const isModifier = method === 'modify' && session !== undefined && connection !== null
  const canRepeat = edit && canRun && status === 'failed' && !dry_run && (isModifier || delivery_id !== null)
  return (
    <Stack gap={4}>
      {message && (
        <Text size="sm" component="div" style={{ overflowWrap: 'anywhere' }}>
          {message}
        </Text>
      )}
      <Group gap="xs">
        <Text size="xs" c="dimmed" component="span">
          {[duration(duration_ms), revision !== null && t('run.revision', { revision })].filter(Boolean).join(' · ')}
        </Text>
        <Fold label={t('run.log')}>
          <Log id={id} />
        </Fold>
        {canRepeat && (
          <Button
            variant="default"
            size="compact-xs"
            leftSection={<IconRefresh size={14} aria-hidden />}
            loading={again.running || modify.running}
            onClick={() => void (isModifier ? modify.run({ connection: connection.id, session }) : again.run({ id }))}
          >
            {t('run.again')}
          </Button>
        )}
      </Group>
    </Stack>
  )
}

function Log({ id }: { readonly id: string }) {
  const { t } = useText()
  const detail = useRead(runDetail, { id })
  return (
    <Loaded of={detail}>
      {({ connector_runs_by_pk: run }) => {
        const log = run?.log ?? []
        const calls = run?.calls ?? []
        if (log.length === 0 && calls.length === 0) {
          return (
            <Text size="sm" c="dimmed">
              {t('run.noLog')}
            </Text>
          )
        }
        return (
          <Stack gap={6}>
            {log.length > 0 && (
              <Code
                block
                mah={280}
                tabIndex={0}
                role="region"
                aria-label={t('run.log')}
                style={{ whiteSpace: 'pre-wrap', overflow: 'auto' }}
              >
                {log.map(({ at, level, message }) => [clock(at), level, message].filter(Boolean).join('  ')).join('\n')}
              </Code>
            )}
            {calls.length > 0 && (
              <Code
                block
                mah={200}
                tabIndex={0}
                role="region"
                aria-label={t('run.calls')}
                style={{ whiteSpace: 'pre-wrap', overflow: 'auto' }}
              >
                {calls
                  .map(({ kind, target, status, ms }) =>
                    [kind, target, status, ms !== undefined && `${ms} ms`].filter(Boolean).join('  '),
                  )
                  .join('\n')}
              </Code>
            )}
          </Stack>
        )
      }}
    </Loaded>
  )
}

/** Hours to milliseconds of a log line, by the person's clock. */
function clock(at: string | undefined): string | undefined {
  if (!at) return undefined
  const moment = new Date(at)
  if (Number.isNaN(moment.getTime())) return undefined
  return `${moment.toTimeString().slice(0, 8)}.${String(moment.getMilliseconds()).padStart(3, '0')}`
}
