/**
 * What the delivery engine asks of a carrier, and all that it knows of one.
 * The webhook carrier posts a signed request; the connection carrier runs a
 * connector. Both turn one leased delivery into one report.
 */

/** What a delivery is bound for; names the column that is set: `webhook_id` or `connection_id`. */
export type TargetKind = 'webhook' | 'connection'

/** The session event of a delivery, with the slugs that the outside knows. */
export interface DeliveryEvent {
  readonly id: string
  /** `session.submitted`, … */
  readonly type: string
  readonly session_id: string
  /** Slug of the team. */
  readonly team: string
  /** Slug of the flow. */
  readonly flow: string
  readonly payment_id: string | null
  readonly config: unknown
  readonly created_at: Date
}

/** One delivery that this process may attempt now. Read from the claim; carriers need no further look at `deliveries`. */
export interface LeasedDelivery {
  readonly id: string
  readonly kind: TargetKind
  /** `webhooks.id` or `connections.id`. */
  readonly target_id: string
  /** Changes whenever the target's row does: a key under which a carrier may cache what it read of the target. */
  readonly target_version: string
  readonly team_id: string
  readonly integration_id: string
  readonly session_id: string
  /** 1 for the first attempt. An attempt that a killed worker began counts. */
  readonly attempt: number
  /** The target's own limits. The carrier keeps the timeout; the engine keeps the concurrency. */
  readonly timeout_ms: number
  readonly concurrency: number
  readonly event: DeliveryEvent
  /**
   * Set when it tells of no session but of how a target fares, or is a test. Then
   * `event` has the operational event's id, type, team and time, and an empty
   * `session_id` and `flow`; `team_id` is empty for one of the platform.
   */
  readonly operational?: { readonly detail: unknown }
}

export interface CarrierContext {
  /** Aborted when the engine must end now; the report of an aborted attempt is not used. */
  readonly signal: AbortSignal
}

/** Milliseconds of each phase; a phase that did not happen (a kept connection has no `dns`) is left out. */
export interface AttemptPhases {
  readonly dns?: number
  readonly connect?: number
  readonly tls?: number
  readonly first_byte?: number
  readonly total?: number
}

/** What the handshake agreed on, and the receiver's certificate. */
export interface TlsFacts {
  /** `TLSv1.3` */
  readonly protocol?: string
  readonly cipher?: string
  /** Common names. */
  readonly subject?: string
  readonly issuer?: string
  /** ISO 8601. */
  readonly valid_to?: string
}

/** Why an attempt failed. `http` is an answer outside 2xx, `connector` a run that did not succeed, `internal` a defect of ours. */
export type AttemptErrorClass =
  | 'dns'
  | 'connect'
  | 'tls'
  | 'timeout'
  | 'blocked'
  | 'http'
  | 'response_too_large'
  | 'protocol'
  | 'connector'
  | 'internal'

/**
 * What happened. Fields named like columns of `delivery_attempts` are stored as
 * they are, so they hold no secret: mask signatures and authorization headers.
 */
export interface AttemptReport {
  readonly outcome: 'succeeded' | 'failed'
  readonly status_code?: number
  readonly error_class?: AttemptErrorClass
  /** One sentence for the person who looks after the target. Kept to 1,000 characters. */
  readonly error_message?: string
  readonly resolved_address?: string
  /** `{method, url, headers}` as sent, secrets masked. */
  readonly request?: {
    readonly method: string
    readonly url: string
    readonly headers: Readonly<Record<string, string>>
  }
  readonly response?: { readonly headers: Readonly<Record<string, string>> }
  /** Of the connection that carried it; absent where there was none, or plain http. */
  readonly tls?: TlsFacts
  /** The start of the answer's body, as text. Kept to 16 KiB. */
  readonly response_body?: string
  readonly phases?: AttemptPhases
  /** How long the target asked to be left alone, in milliseconds. */
  readonly retryAfterMs?: number
  /** The target says it is gone for good (410): no retry, and the target is disabled. */
  readonly gone?: boolean
  /** Trying again cannot help (a refused configuration): no retry, the target stays enabled. */
  readonly final?: boolean
}

/**
 * @example
 * const carrier: Carrier = {
 *   kind: 'webhook',
 *   async deliver(delivery, { signal }) {
 *     return { outcome: 'succeeded', status_code: 204 }
 *   },
 * }
 */
export interface Carrier {
  readonly kind: TargetKind
  /**
   * Makes one attempt within `delivery.timeout_ms`. A failure of the target is a
   * report, not an exception; anything thrown is recorded as `internal` and retried.
   */
  deliver(delivery: LeasedDelivery, context: CarrierContext): Promise<AttemptReport>
  /** Ends what the carrier keeps open (sandboxes, sockets). */
  close?(): Promise<void>
}
