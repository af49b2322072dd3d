import { Box, Group, Progress, Text } from '@mantine/core'
import { duration } from './attempt-view.tsx'
import { useText } from './text.ts'
import { type Part, partsOf, timedParts } from './timing.ts'

const colours: Readonly<Record<Part, string>> = {
  dns: 'grape.6',
  connect: 'blue.6',
  tls: 'teal.6',
  waiting: 'yellow.6',
  rest: 'gray.6',
}

/** How the time of a request was spent: name, connection, TLS, waiting for the answer, reading it. */
export function TimingBar({ phases }: { readonly phases: Readonly<Record<string, number>> }) {
  const { t, language } = useText()
  const parts = partsOf(phases)
  const total = parts.reduce((sum, { ms }) => sum + ms, 0)
  if (total <= 0) return null
  return (
    <Box>
      <Progress.Root size="md" aria-hidden>
        {parts.map(({ part, ms }) => (
          <Progress.Section key={part} value={(ms / total) * 100} color={colours[part]} aria-hidden />
        ))}
      </Progress.Root>
      <Group gap="2px 12px" mt={4} component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label={t('timing')}>
        {parts
          .toSorted((a, b) => timedParts.indexOf(a.part) - timedParts.indexOf(b.part))
          .map(({ part, ms }) => (
            <Group key={part} component="li" gap={4} wrap="nowrap">
              <Box w={8} h={8} bg={colours[part]} style={{ borderRadius: 2, flexShrink: 0 }} aria-hidden />
              <Text size="xs" component="span">
                {t(`timing.${part}`)} {duration(ms, language)}
              </Text>
            </Group>
          ))}
      </Group>
    </Box>
  )
}
