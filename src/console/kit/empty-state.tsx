import { EmptyState as MantineEmptyState, Paper } from '@mantine/core'
import type { IconInbox } from '@tabler/icons-react'
import type { ReactNode } from 'react'

export interface EmptyStateProps {
  readonly icon: typeof IconInbox
  /** What is not there yet: "No credentials yet". */
  readonly title: string
  /** One sentence that teaches what it is. */
  readonly children: ReactNode
  /** One button: what to do next. */
  readonly action?: ReactNode
}

/** Instead of an empty list: what would be here, and how to get the first. */
export function EmptyState({ icon: Icon, title, children, action }: EmptyStateProps) {
  return (
    <Paper withBorder p="xl" bg="var(--sluice-surface)">
      <MantineEmptyState variant="light" icon={<Icon aria-hidden />} maw={520} mx="auto">
        <MantineEmptyState.Title>{title}</MantineEmptyState.Title>
        <MantineEmptyState.Description>{children}</MantineEmptyState.Description>
        {action && <MantineEmptyState.Actions>{action}</MantineEmptyState.Actions>}
      </MantineEmptyState>
    </Paper>
  )
}
