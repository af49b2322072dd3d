import { Code, Group, Text } from '@mantine/core'
import { usePartsText } from './text.ts'

/** The hosts that runs may call, by name; or that there are none. */
export function HostList({ hosts }: { readonly hosts: readonly string[] }) {
  const { t } = usePartsText()
  if (hosts.length === 0) {
    return (
      <Text size="sm" c="dimmed" component="span">
        {t('hosts.none')}
      </Text>
    )
  }
  return (
    <Group gap={6} component="ul" p={0} m={0} style={{ listStyle: 'none' }} aria-label={t('hosts')}>
      {hosts.map((host) => (
        <li key={host}>
          <Code style={{ overflowWrap: 'anywhere' }}>{host}</Code>
        </li>
      ))}
    </Group>
  )
}
