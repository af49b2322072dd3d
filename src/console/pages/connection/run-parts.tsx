import { Box, Code, List, ScrollArea, Stack, Text } from '@mantine/core'
import type { Call, LogLine } from './queries.ts'
import { useText } from './text.ts'

const loud = new Set(['error', 'warn'])

/** What a run wrote, line by line. */
export function LogLines({ lines }: { readonly lines: readonly LogLine[] }) {
  const { t, language } = useText()
  if (lines.length === 0) return <Quiet>{t('log.none')}</Quiet>
  return (
    <ScrollArea.Autosize mah={320} type="auto" viewportProps={{ tabIndex: 0, role: 'region', 'aria-label': t('log') }}>
      <Code block style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }}>
        {lines.map(({ at, level, message }, index) => (
          <Box key={index} fw={loud.has(level) ? 700 : undefined}>
            {at && `${new Date(at).toLocaleTimeString(language)} `}
            {level.toUpperCase().padEnd(5)} {message}
          </Box>
        ))}
      </Code>
    </ScrollArea.Autosize>
  )
}

/** What a run asked of the host: never with bodies. */
export function Calls({ calls }: { readonly calls: readonly Call[] }) {
  const { t, language } = useText()
  if (calls.length === 0) return <Quiet>{t('calls.none')}</Quiet>
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 0 })
  return (
    <List listStyleType="none" spacing={8} size="sm" aria-label={t('calls')}>
      {calls.map(({ kind, target, status, ms, bytes }, index) => (
        <List.Item key={index} styles={{ itemWrapper: { display: 'block' } }}>
          <Stack gap={0}>
            <Code style={{ overflowWrap: 'anywhere', alignSelf: 'flex-start' }}>{target}</Code>
            <Text size="xs" c="dimmed">
              {[
                kind,
                status != null && String(status),
                ms !== undefined && t('ms', { ms: number.format(ms) }),
                bytes !== undefined && t('bytes', { bytes: number.format(bytes) }),
              ]
                .filter(Boolean)
                .join(' · ')}
            </Text>
          </Stack>
        </List.Item>
      ))}
    </List>
  )
}

function Quiet({ children }: { readonly children: string }) {
  return (
    <Text size="sm" c="dimmed">
      {children}
    </Text>
  )
}
