import { Group, Text } from '@mantine/core'
import sign from './sluice.svg'

/** Sign and name. @param compact only the sign, on the smallest screens. */
export function Logo({ compact = false }: { readonly compact?: boolean }) {
  return (
    <Group gap={8} wrap="nowrap">
      <img src={sign} width={28} height={28} alt={compact ? 'Sluice' : ''} />
      {!compact && (
        <Text fw={700} fz="lg" lh={1}>
          Sluice
        </Text>
      )}
    </Group>
  )
}
