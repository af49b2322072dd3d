import { Badge, Group } from '@mantine/core'
import { shortValue } from './variables.ts'

/** Variables of a `config`, to be read: nothing without any. */
export function VariableBadges({ config }: { readonly config: Readonly<Record<string, unknown>> | null }) {
  const entries = Object.entries(config ?? {})
  if (entries.length === 0) return null
  return (
    <Group gap={4}>
      {entries.map(([name, value]) => (
        <Badge key={name} variant="default" fw={400} ff="monospace" maw={260} title={`${name} = ${shortValue(value)}`}>
          {name} = {shortValue(value)}
        </Badge>
      ))}
    </Group>
  )
}
