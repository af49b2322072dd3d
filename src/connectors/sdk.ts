/**
 * What a connector's author writes against: `import { defineConnector } from 'sluice/connector'`.
 *
 * A connector runs in a sandbox without files, network, environment or
 * processes. Everything it can do is handed to it as an argument. It may be
 * called again for the same session when an earlier run failed or its worker
 * was killed, so pass `delivery.id` to the receiver wherever that knows an
 * idempotency key.
 *
 * @example The smallest connector is a function:
 * export default async ({ session, config, request }) => {
 *   const { statusCode } = await request.post('https://api.example.org/applications', { ...session, office: config.office })
 *   return statusCode === 201 ? 'success' : `The office answered ${statusCode}.`
 * }
 *
 * @example With types, settings and state:
 * import { defineConnector } from 'sluice/connector'
 *
 * export default defineConnector<{ settings: { url: string; token: string }; state: { sent: number } }>({
 *   async consume({ session, settings, state, request, log, delivery }) {
 *     const answer = await request.send({
 *       method: 'PUT',
 *       url: settings.url,
 *       headers: { authorization: `Bearer ${settings.token}`, 'idempotency-key': delivery.id },
 *       body: session,
 *     })
 *     if (answer.statusCode >= 300) return `The receiver answered ${answer.statusCode}.`
 *     state.sent = (state.sent ?? 0) + 1
 *     log.info(`Sent number ${state.sent}.`)
 *     return 'success'
 *   },
 * })
 */

/**
 * `"success"`, `"failed"`, or any other text: a failure, told in your words to
 * the person who looks after the connection. A run that failed is tried again
 * over hours and days. Throwing is a failure too; then state is not saved.
 */
export type Status = 'success' | 'failed' | (string & {})

export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json | undefined }

/** The data of one finished session, as the event source submitted it. */
export interface SessionData {
  // biome-ignore lint/suspicious/noExplicitAny: its shape is the flow's own; narrow it with the type argument `session`.
  readonly [key: string]: any
}

/** Says which session this is; holds none of its data. */
export interface SessionEvent {
  /** Id of the session. */
  readonly id: string
  /** `session.submitted`, … */
  readonly type: string
  readonly kind: 'application' | 'booking'
  /** Slug and name of the team and of the flow. */
  readonly team: string
  readonly teamName: string
  readonly flow: string
  readonly flowName: string
  readonly paymentID: string | null
  /** What the event source said about routing. */
  readonly config: Readonly<Record<string, Json>>
  /** Address of the schema that the data claims to follow. */
  readonly schemaUrl: string | null
  /** Counts the submissions of this session, from 1. */
  readonly revision: number
  /** ISO 8601, UTC. */
  readonly submittedAt: string
}

/** The trip that a booking belongs to. */
export interface Trip {
  readonly id: string
  readonly reference: string
  readonly title: string | null
}

export interface Response<Body = unknown> {
  readonly statusCode: number
  /** The answer's body: a value if it is JSON, else text. */
  readonly response: Body
}

export interface FullResponse<Body = unknown> extends Response<Body> {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

export interface Outgoing {
  /** @default 'GET' */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
  /** To a host that the manifest's permissions name. */
  readonly url: string
  readonly headers?: Readonly<Record<string, string>>
  /** Text and bytes are sent as they are; anything else as JSON. */
  readonly body?: unknown
  /** For the whole call; at most what is left of the run's own time. */
  readonly timeoutMs?: number
  /**
   * What to make of the answer's body. `auto` gives a value for JSON, else text.
   * @default 'auto'
   */
  readonly responseType?: 'auto' | 'text' | 'bytes'
}

/**
 * The way out to the hosts of the manifest. An answer of any status resolves,
 * redirects (3xx) included, which are never followed; it rejects with a
 * {@link CapabilityError} when there is no answer.
 */
export interface Request {
  get<Body = unknown>(
    url: string | { readonly url: string },
    options?: Pick<Outgoing, 'headers' | 'timeoutMs'>,
  ): Promise<Response<Body>>
  /** Sends `payload` as JSON, or as it is when it is text or bytes. */
  post<Body = unknown>(
    url: string,
    payload: unknown,
    options?: Pick<Outgoing, 'headers' | 'timeoutMs'>,
  ): Promise<Response<Body>>
  send<Body = unknown>(outgoing: Outgoing): Promise<FullResponse<Body>>
}

/** Thrown by `request` and `mail`. */
export interface CapabilityError extends Error {
  /** `BLOCKED` (not permitted), `TIMEOUT`, `UNREACHABLE`, `TOO_LARGE`, `LIMIT`, `INVALID` (the arguments), `INTERNAL` */
  readonly code: string
}

export interface MailMessage {
  /** One address, or several. */
  readonly to: string | readonly string[]
  readonly subject: string
  readonly text: string
  readonly html?: string
}

/** Needs `"mail"` in the manifest's permissions. */
export interface Mail {
  /** The message id is the same in every attempt of a delivery, so a repeated mail can be recognised. */
  send(message: MailMessage): Promise<{ readonly messageId: string }>
}

/** Lines of the run's own log, which the people of the connection's team read. Do not log personal data. */
export interface RunLog {
  info(message: string): void
  warn(message: string): void
  error(message: string): void
}

/** Narrows the types of a connector's arguments. */
export interface ConnectorTypes {
  session?: object
  config?: object
  settings?: object
  state?: object
}

type Of<Types, Key extends keyof ConnectorTypes, Default> = Types extends Record<Key, infer Given> ? Given : Default

export interface ConsumerContext<Types extends ConnectorTypes = ConnectorTypes> {
  readonly session: Of<Types, 'session', SessionData>
  readonly event: SessionEvent
  readonly trip: Trip | null
  /** The connection's own config over that of the event. */
  readonly config: Of<Types, 'config', Readonly<Record<string, Json>>>
  /** Values of the manifest's settings, PASSWORD ones included, defaults filled in. */
  readonly settings: Readonly<Of<Types, 'settings', Record<string, string | number | boolean | undefined>>>
  /**
   * The INTERNAL settings. Change them: they are saved together with the run,
   * unless it throws. Runs of a connection that has state take turns, so a
   * counter has no gap.
   */
  readonly state: Partial<Of<Types, 'state', Record<string, Json>>>
  readonly delivery: {
    /** The same in every attempt. */
    readonly id: string
    /** 1 for the first. */
    readonly attempt: number
  }
  readonly request: Request
  readonly mail: Mail
  readonly log: RunLog
}

/** Hands one session to a third party. */
export type Consumer<Types extends ConnectorTypes = ConnectorTypes> = (
  context: ConsumerContext<Types>,
) => Status | Promise<Status>

export interface Connector<Types extends ConnectorTypes = ConnectorTypes> {
  readonly consume: Consumer<Types>
}

/** Gives a connector its types; export the result as default. */
export function defineConnector<Types extends ConnectorTypes = ConnectorTypes>(
  connector: Connector<Types>,
): Connector<Types> {
  return connector
}
