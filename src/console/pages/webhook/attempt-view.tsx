import { Accordion, Box, Code, Group, Paper, Stack, Text } from '@mantine/core'
import { JsonView } from '../../kit/json-view.tsx'
import { StatusBadge } from '../../kit/status-badge.tsx'
import { Time } from '../../kit/time.tsx'
import type { Attempt, Head } from './queries.ts'
import { useText } from './text.ts'
import { TimingBar } from './timing-bar.tsx'

/** One attempt: what was asked of whom, what came back, and how long each part took. */
export function AttemptView({ attempt }: { readonly attempt: Attempt }) {
  const { t, language } = useText()
  const { number, outcome, status_code, error_class, error_message, resolved_address, request, response } = attempt
  const { response_body, phases, tls } = attempt
  return (
    <Paper withBorder p="sm" bg="var(--sluice-surface)" component="li">
      <Group justify="space-between" gap="xs">
        <Group gap="xs">
          <Text size="sm" fw={600} component="span">
            {t('attempt', { number })}
          </Text>
          <StatusBadge tone={outcome === 'succeeded' ? 'good' : 'bad'}>
            {t(`outcome.${outcome}`)}
            {status_code !== null && ` · HTTP ${status_code}`}
          </StatusBadge>
          {error_class && <Code>{error_class}</Code>}
        </Group>
        <Text size="xs" c="dimmed" component="span">
          <Time at={attempt.started_at} /> · {duration(attempt.duration_ms, language)}
        </Text>
      </Group>
      <Stack gap="xs" mt="xs">
        {error_message && (
          <Text size="sm" lang="en" style={{ overflowWrap: 'anywhere' }}>
            {error_message}
          </Text>
        )}
        {phases && <TimingBar phases={phases} />}
        <Text size="xs" c="dimmed" style={{ overflowWrap: 'anywhere' }}>
          {[
            resolved_address && t('address', { address: resolved_address }),
            tls && [tls.protocol, tls.cipher].filter(Boolean).join(', '),
          ]
            .filter(Boolean)
            .join(' · ')}
        </Text>
        <Accordion variant="contained" chevronPosition="left" multiple order={3}>
          {request && (
            <Part name="request" title={t('request')}>
              <Heads head={request} />
            </Part>
          )}
          {response && (
            <Part name="response" title={t('response')}>
              <Heads head={response} first={status_code === null ? '' : `HTTP ${status_code}`} />
            </Part>
          )}
          {response_body && (
            <Part name="body" title={t('body')}>
              <JsonView value={response_body} label={t('body')} maxHeight={260} />
            </Part>
          )}
          {tls && (
            <Part name="tls" title={t('tls')}>
              <JsonView value={tls} label={t('tls')} maxHeight={260} />
            </Part>
          )}
        </Accordion>
      </Stack>
    </Paper>
  )
}

interface PartProps {
  readonly name: string
  readonly title: string
  readonly children: React.ReactNode
}

function Part({ name, title, children }: PartProps) {
  return (
    <Accordion.Item value={name}>
      <Accordion.Control fz="sm" py={2}>
        {title}
      </Accordion.Control>
      <Accordion.Panel>{children}</Accordion.Panel>
    </Accordion.Item>
  )
}

/** As it went over the wire: the first line, then the headers. */
function Heads({ head: { method, url, headers = {} }, first }: { readonly head: Head; readonly first?: string }) {
  const lines = [
    first ?? [method, url].filter(Boolean).join(' '),
    ...Object.entries(headers).flatMap(([name, value]) => [value].flat().map((each) => `${name}: ${each}`)),
  ]
  return (
    <Box>
      <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {lines.filter((line) => line !== '').join('\n')}
      </Code>
    </Box>
  )
}

/** "12 ms", "1.25 s". */
export function duration(ms: number, language: string): string {
  const isLong = ms >= 1000
  return new Intl.NumberFormat(language, {
    style: 'unit',
    unit: isLong ? 'second' : 'millisecond',
    maximumFractionDigits: isLong ? 2 : ms < 10 ? 1 : 0,
  }).format(isLong ? ms / 1000 : ms)
}
