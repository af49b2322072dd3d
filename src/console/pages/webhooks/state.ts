import type { Tone } from '../../kit/status-badge.tsx'
import type { WebhookRow } from './queries.ts'

/**
 * `off` a person switched it off; `gaveUp` Sluice did, as it kept failing or said that it is gone, and may be trying it
 * again; `failing` its last attempts failed; `works`.
 */
export const webhookStates = ['works', 'failing', 'gaveUp', 'off'] as const
export type WebhookState = (typeof webhookStates)[number]

export const webhookTones: Readonly<Record<WebhookState, Tone>> = {
  works: 'good',
  failing: 'warning',
  gaveUp: 'bad',
  off: 'off',
}

export function stateOf({ enabled, state }: Pick<WebhookRow, 'enabled' | 'state'>): WebhookState {
  if (!enabled) return 'off'
  if (state === 'active') return 'works'
  return state === 'failing' ? 'failing' : 'gaveUp'
}

/** In the form of `webhooks(where)`. */
export function whereState(state: WebhookState): Readonly<Record<string, unknown>> {
  if (state === 'off') return { enabled: { _eq: false } }
  const states = { works: ['active'], failing: ['failing'], gaveUp: ['disabled', 'probing'] }[state]
  return { enabled: { _eq: true }, state: { _in: states } }
}

/** Text as it stands, for `_ilike`. */
export function likeText(text: string): string {
  return `%${text.trim().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
}
