/**
 * The body of what tells of no session: a test, or how a target of the team
 * fares. The same envelope as every event; `data.id` is the id of the event.
 */
import type { AnnouncedEvent } from './event-body.ts'

/** The type of what `test_webhook` sends. */
export const testEventType = 'webhook.test'

export interface OperationalBody {
  /** `webhook.test`, `webhook.failing`, `webhook.disabled`, `webhook.recovered`, `delivery.exhausted`, `connection.payload_missing` */
  readonly type: string
  /** When it happened: ISO 8601, UTC. */
  readonly timestamp: string
  readonly data: {
    readonly id: string
    /** Slug; null for one of the platform. */
    readonly team: string | null
    /** The fixed object of the webhook that is told. */
    readonly config: unknown
    /** Only in a test, which a receiver may answer with 2xx and forget. */
    readonly test?: true
    /** What happened: the webhook or connection that it happened to, since when, why. */
    readonly [detail: string]: unknown
  }
}

export function operationalBody(
  event: AnnouncedEvent & { readonly id: string },
  detail: unknown,
  config: unknown,
): OperationalBody {
  return {
    type: event.type,
    timestamp: event.created_at.toISOString(),
    data: {
      ...(event.type === testEventType ? { test: true } : (detail as object)),
      id: event.id,
      team: event.team === '' ? null : event.team,
      config,
    },
  }
}
