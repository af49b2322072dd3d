import { ActionIcon, Menu } from '@mantine/core'
import { IconDots } from '@tabler/icons-react'
import type { ReactNode } from 'react'

export interface RowMenuProps {
  /** "Actions for BOPS production": each row's must differ. */
  readonly label: string
  /** `Menu.Item`s; those that end something in red, last. */
  readonly children: ReactNode
}

/** What can be done with a row: a button with three dots, for the last column. */
export function RowMenu({ label, children }: RowMenuProps) {
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" color="gray" aria-label={label}>
          <IconDots size={18} aria-hidden />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>{children}</Menu.Dropdown>
    </Menu>
  )
}
