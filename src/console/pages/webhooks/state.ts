import type { Tone } from '../../kit/status-badge.tsx'
import type { WebhookRow } from './queries.ts'

/**
 * `stumbles` its last attempt failed, which may happen; `off` a person switched it off; `gaveUp` Sluice did, as it kept failing or said that it is gone, and may be trying it
 * again; `failing` its last attempts failed; `works`.
 */
export type WebhookState = 'works' | 'stumbles' | 'failing' | 'gaveUp' | 'off'

/** Those to filter by; one that stumbles is among those that work. */
export const webhookFilters = ['works', 'failing', 'gaveUp', 'off'] as const
export type WebhookFilter = (typeof webhookFilters)[number]

export const webhookTones: Readonly<Record<WebhookState, Tone>> = {
  works: 'good',
  stumbles: 'warning',
  failing: 'warning',
  gaveUp: 'bad',
  off: 'off',
}

export function stateOf({
  enabled,
  state,
  failing_since,
}: Pick<WebhookRow, 'enabled' | 'state' | 'failing_since'>): WebhookState {
  if (!enabled) return 'off'
  if (state === 'active') return failing_since ? 'stumbles' : 'works'
  return state === 'failing' ? 'failing' : 'gaveUp'
}

/** In the form of `webhooks(where)`. */
export function whereState(state: WebhookFilter): Readonly<Record<string, unknown>> {
  if (state === 'off') return { enabled: { _eq: false } }
  const states = { works: ['active'], failing: ['failing'], gaveUp: ['disabled', 'probing'] }[state]
  return { enabled: { _eq: true }, state: { _in: states } }
}

/** Text as it stands, for `_ilike`. */
export function likeText(text: string): string {
  return `%${text.trim().replaceAll(/[\\%_]/g, String.raw`\$&`)}%`
}
