/**
 * The body of a webhook: the light event of the seed (*Webhooks*), in the shape
 * that Standard Webhooks advises. It says that data is there and holds none of
 * it; the receiver fetches the data with its own credentials.
 */

/** What the body is made of; a subset of a delivery's event. */
export interface AnnouncedEvent {
  readonly type: string
  readonly session_id: string
  /** Slugs. */
  readonly team: string
  readonly flow: string
  readonly payment_id: string | null
  readonly created_at: Date
}

export interface EventBody {
  /** `session.submitted` */
  readonly type: string
  /** When the event happened: ISO 8601, UTC. */
  readonly timestamp: string
  readonly data: {
    /** The session's id. */
    readonly id: string
    readonly team: string
    readonly flow: string
    readonly paymentID: string | null
    /** The fixed object that was configured on the webhook. */
    readonly config: unknown
  }
}

/** `config` is the webhook's own fixed object. */
export function eventBody(event: AnnouncedEvent, config: unknown): EventBody {
  return {
    type: event.type,
    timestamp: event.created_at.toISOString(),
    data: {
      id: event.session_id,
      team: event.team,
      flow: event.flow,
      paymentID: event.payment_id,
      config,
    },
  }
}
