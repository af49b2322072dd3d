import { StatusBadge, type Tone } from '../../kit/status-badge.tsx'
import type { ConnectorStatus } from './manifest.ts'
import { usePartsText } from './text.ts'

export type Health = 'active' | 'failing' | 'disabled' | 'probing'

const healthTones = { active: 'good', failing: 'warning', probing: 'busy', disabled: 'bad' } as const satisfies Record<
  Health,
  Tone
>

/** How a connection fares: switched off by a person, or as its runs went. */
export function ConnectionState({ enabled, health }: { readonly enabled: boolean; readonly health: Health }) {
  const { t } = usePartsText()
  if (!enabled) return <StatusBadge tone="off">{t('state.off')}</StatusBadge>
  return <StatusBadge tone={healthTones[health]}>{t(`state.${health}`)}</StatusBadge>
}

const statusTones = {
  submitted: 'waiting',
  approved: 'good',
  rejected: 'bad',
  withdrawn: 'off',
} as const satisfies Record<ConnectorStatus, Tone>

/** Whether an admin has agreed to a version. */
export function ReviewState({ status }: { readonly status: ConnectorStatus }) {
  const { t } = usePartsText()
  return <StatusBadge tone={statusTones[status]}>{t(`review.${status}`)}</StatusBadge>
}

/** How one run ended. */
export function RunState({ status }: { readonly status: 'succeeded' | 'failed' }) {
  const { t } = usePartsText()
  return <StatusBadge tone={status === 'succeeded' ? 'good' : 'bad'}>{t(`run.${status}`)}</StatusBadge>
}
