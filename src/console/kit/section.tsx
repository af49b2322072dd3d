import { Box, Group, Paper, Text, Title } from '@mantine/core'
import { type ReactNode, useId } from 'react'

export interface SectionProps {
  readonly title: string
  readonly description?: ReactNode
  /** Buttons beside the title. */
  readonly actions?: ReactNode
  /** Around its content a frame; without it, for lists, which have their own. @default false */
  readonly framed?: boolean
  readonly children: ReactNode
}

/** A part of a page, with its heading (`h2`). */
export function Section({ title, description, actions, framed = false, children }: SectionProps) {
  const id = useId()
  const head = (
    <Group justify="space-between" align="flex-start" gap="sm" mb="sm">
      <Box flex="1 1 240px" miw={0}>
        <Title order={2} id={id}>
          {title}
        </Title>
        {description && (
          <Text size="sm" c="dimmed" component="div" maw={720}>
            {description}
          </Text>
        )}
      </Box>
      {actions && <Group gap="xs">{actions}</Group>}
    </Group>
  )
  if (!framed) {
    return (
      <Box component="section" aria-labelledby={id}>
        {head}
        {children}
      </Box>
    )
  }
  return (
    <Paper component="section" aria-labelledby={id} withBorder p={{ base: 'md', sm: 'lg' }} bg="var(--sluice-surface)">
      {head}
      {children}
    </Paper>
  )
}
