import { Badge } from '@mantine/core'
import {
  IconAlertTriangle,
  IconCircleCheck,
  IconCircleDashed,
  IconCircleMinus,
  IconCircleX,
  IconLoader,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'

/**
 * `good` it is done or works; `busy` it is happening; `waiting` it will happen; `warning` somebody should look; `bad` it
 * failed; `off` it ended or was turned off.
 */
export type Tone = 'good' | 'busy' | 'waiting' | 'warning' | 'bad' | 'off'

const looks = {
  good: { color: 'green', Icon: IconCircleCheck },
  busy: { color: 'water', Icon: IconLoader },
  waiting: { color: 'gray', Icon: IconCircleDashed },
  warning: { color: 'yellow', Icon: IconAlertTriangle },
  bad: { color: 'red', Icon: IconCircleX },
  off: { color: 'gray', Icon: IconCircleMinus },
} as const

export interface StatusBadgeProps {
  readonly tone: Tone
  /** In the person's language. */
  readonly children: ReactNode
  readonly title?: string
}

/** A state, told by word, sign and colour. */
export function StatusBadge({ tone, children, title }: StatusBadgeProps) {
  const { color, Icon } = looks[tone]
  return (
    <Badge className="sluice-status" color={color} title={title} leftSection={<Icon size={14} aria-hidden />}>
      {children}
    </Badge>
  )
}
