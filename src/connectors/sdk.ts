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
 * @example With settings, which have their types from their declaration, and state:
 * import { defineConnector } from 'sluice/connector'
 *
 * export default defineConnector({
 *   settings: [
 *     { key: 'url', type: 'STRING', mandatory: true },
 *     { key: 'token', type: 'PASSWORD', mandatory: true },
 *     { key: 'sent', type: 'INTERNAL' },
 *   ],
 *   async consume({ session, settings, state, request, log, delivery }) {
 *     const answer = await request.send({
 *       method: 'PUT',
 *       url: settings.url,
 *       headers: { authorization: `Bearer ${settings.token}`, 'idempotency-key': delivery.id },
 *       body: session,
 *     })
 *     if (answer.statusCode >= 300) return `The receiver answered ${answer.statusCode}.`
 *     state.sent = Number(state.sent ?? 0) + 1
 *     log.info(`Sent number ${state.sent}.`)
 *     return 'success'
 *   },
 * })
 */
import type { Booking } from '../travel/model.ts'

/**
 * `"success"`, `"failed"`, or any other text: a failure, told in your words to
 * the person who looks after the connection. A run that failed is tried again
 * over hours and days. Throwing is a failure too; then state is not saved.
 */
export type Status = 'success' | 'failed' | (string & {})

/**
 * The extension guide's result, in place of a status: the session was processed,
 * whatever the code, and is not tried again. `returnCode` 0 is a plain success,
 * 999 is listed among the failed runs, any other is a success that shows its code.
 */
export interface Result {
  readonly returnCode?: number
  readonly message?: string
}

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

/**
 * The trip that a booking belongs to, with all of its bookings that this
 * integration may have; the one at hand is among them.
 */
export interface Trip {
  readonly id: string
  readonly reference: string
  readonly title: string | null
  /** At most those of 50 sessions: the one at hand first, then those where this connector has extension data. */
  readonly bookings: readonly Booking[]
  /** Whose bookings they are, in the same order; a session whose data is a trip has several. */
  readonly sessions: readonly TripSession[]
  /** How many further sessions of the trip there are that it may have. */
  readonly omitted: number
}

export interface TripSession {
  readonly id: string
  readonly revision: number
  /** ISO 8601, UTC. */
  readonly submittedAt: string
  /** How many of `bookings` are of it. */
  readonly bookings: number
}

/**
 * What connectors keep with a session: a part for each, under its
 * `implementation`. Every connector sees all of it, so keep nothing secret
 * there. A connector may change its own part and the shared one
 * ({@link sharedPart}), whose keys are merged with what others wrote meanwhile;
 * a change of another's part is refused. At most 64 KiB a part. Null or absent
 * parts are nobody's mistake: look before you read.
 *
 * In a booking it is also `extensionData` of the booking itself; the two are one object.
 */
export interface ExtensionData {
  // biome-ignore lint/suspicious/noExplicitAny: each connector has a shape of its own.
  [implementation: string]: any
}

/** Key of the part of `extensionData` that every connector may change. The guide's longer name is another such part. */
export const sharedPart = '_shared_'

/** One entry of the list `ui` in a connector's part of `extensionData`: shown beside the session. */
export type { Annotation, UiNode } from '../travel/annotations.ts'
/** What travel data is made of; see docs/travel.md. */
export type {
  Booking,
  Location,
  PriceItem,
  SegmentedLeg,
  SingleSegment,
  TransportDocument,
  TransportSegment,
  Traveler,
  TravelService,
  Trip as TripDocument,
} from '../travel/model.ts'
/** Legs of segments. */
export { routing, splitSegments } from '../travel/segment-splitter.ts'
/** Moves fees that belong to tickets there, in equal shares. */
export { assignTicketFees, misplacedTicketFees } from '../travel/ticket-fees.ts'
/** What every connector that converts is asked: how much it may take over. All off. */
export { minimalConverterSettings } from './minimal-settings.ts'
/** Signed addresses of objects in an S3 bucket. */
export { presignedS3Url, type S3Access, type S3Bucket, s3Url } from './s3.ts'

export interface Response<Body = unknown> {
  readonly statusCode: number
  /** The answer's body: a value if it is JSON, else text. */
  readonly response: Body
}

export interface FullResponse<Body = unknown> extends Response<Body> {
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>
}

/** One part of a multipart body: a text, bytes, or what is streamed and never in your memory: a file of the session, an archive. */
export type Part =
  | {
      readonly name: string
      readonly content: string | Uint8Array
      readonly filename?: string
      /** MIME type. */
      readonly type?: string
    }
  | {
      readonly name: string
      /** Name or id of a file of the session. Needs `"files"` in the manifest's permissions. */
      readonly file: string
      /** @default the file's own */
      readonly filename?: string
      readonly type?: string
    }
  | {
      readonly name: string
      /** A zip, which the host makes while it sends it. */
      readonly archive: readonly ArchiveEntry[]
      /** @default 'archive.zip' */
      readonly filename?: string
      /** @default 'application/zip' */
      readonly type?: string
    }

/**
 * One file in a zip: a text, bytes, or a file of the session, which is streamed and never in your memory. All files are
 * opened and read once before a byte is sent, so one that is missing stops the request. Entries are stored, not
 * compressed, so the request has its Content-Length, however large it is; the same entries make the same bytes.
 *
 * An archive has 1 to 1,000 entries. Texts and bytes of one request have some 6 MB together; files of the session count
 * for nothing there. What breaks a rule is a {@link CapabilityError} `INVALID` that names it.
 */
export type ArchiveEntry = {
  /**
   * Where it lies in the archive: `plans/north.pdf`. Relative, without `\\`, empty names, `.` and `..`; at most 500
   * letters, and 255 bytes a name. No two may be the same for a reader that knows no letter case.
   */
  readonly path: string
  /** ISO 8601, from 1980 on; what readers show is UTC. @default 1980-01-01 */
  readonly date?: string
} & (
  | { readonly content: string | Uint8Array }
  | {
      /** Name or id of a file of the session. Needs `"files"` in the manifest's permissions. */
      readonly file: string
    }
)

/** What `body` is, where its own type does not say so. */
export type BodyType =
  /** Any value, texts too. */
  | 'json'
  | 'text'
  /** A Uint8Array. */
  | 'bytes'
  /** Bytes, as text. */
  | 'base64'
  /** An object of texts, numbers, truth values, or lists of them; sent as application/x-www-form-urlencoded. */
  | 'form'
  /** A list of {@link Part}. */
  | 'multipart'
  /** Name or id of a file of the session, which is streamed as the body. */
  | 'file'
  /** A list of {@link ArchiveEntry}, sent as a zip. */
  | 'archive'

/** What every request can be given. */
export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** @default 'text' for text, 'bytes' for a Uint8Array, 'json' for anything else */
  readonly bodyType?: BodyType
  /** For the whole call; at most what is left of the run's own time. @default 20000 */
  readonly timeoutMs?: number
  /**
   * What to make of the answer's body. `auto` gives a value where the answer
   * says that it is JSON, else text; `json` parses whatever came, and throws if it is none.
   * @default 'auto'
   */
  readonly responseType?: 'auto' | 'json' | 'text' | 'bytes' | 'base64'
}

export interface Outgoing extends RequestOptions {
  /** @default 'GET' */
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE' | 'OPTIONS'
  /** To a host that the manifest's permissions name. */
  readonly url: string
  /** Text and bytes are sent as they are; anything else as JSON, or as `bodyType` says. */
  readonly body?: unknown
}

/**
 * The way out to the hosts of the manifest. An answer of any status resolves,
 * redirects (3xx) included, which are never followed; it rejects with a
 * {@link CapabilityError} when there is no answer.
 */
export interface Request {
  get<Body = unknown>(url: Place, options?: Omit<RequestOptions, 'bodyType'>): Promise<Response<Body>>
  head(url: Place, options?: Omit<RequestOptions, 'bodyType'>): Promise<Response>
  delete<Body = unknown>(url: Place, options?: Omit<RequestOptions, 'bodyType'>): Promise<Response<Body>>
  /** Sends `payload` as JSON, as it is when it is text or bytes, or as `bodyType` says. */
  post<Body = unknown>(url: Place, payload?: unknown, options?: RequestOptions): Promise<Response<Body>>
  put<Body = unknown>(url: Place, payload?: unknown, options?: RequestOptions): Promise<Response<Body>>
  patch<Body = unknown>(url: Place, payload?: unknown, options?: RequestOptions): Promise<Response<Body>>
  /** Any method, and the answer with its headers. */
  send<Body = unknown>(outgoing: Outgoing): Promise<FullResponse<Body>>
}

type Place = string | { readonly url: string }

/** Thrown by `request`, `mail`, `files`, `store`, `mailbox` and `sftp`. */
export interface CapabilityError extends Error {
  /**
   * `BLOCKED` (not permitted), `TIMEOUT`, `UNREACHABLE`, `REFUSED` (a server, for the credential or for its own key),
   * `NOT_FOUND`, `TOO_LARGE`, `LIMIT`, `INVALID` (the arguments), `INTERNAL`
   */
  readonly code: string
}

export interface MailMessage {
  /** One address, or several. */
  readonly to: string | readonly string[]
  readonly subject: string
  readonly text: string
  readonly html?: string
}

/**
 * Needs `"mail"` in the manifest's permissions. A mail goes only to addresses
 * that stand in the connection's settings: whoever set it up has chosen who is
 * mailed, and no data can.
 */
export interface Mail {
  /** The message id is the same in every attempt of a delivery, so a repeated mail can be recognised. */
  send(message: MailMessage): Promise<{ readonly messageId: string }>
}

export interface SessionFile {
  readonly id: string
  readonly name: string
  /** MIME type, as its content was found to be. */
  readonly type: string
  /** In bytes. */
  readonly size: number | null
  /** Of its content, hex. */
  readonly sha256: string | null
  /** Only `stored` ones can be read. */
  readonly status: 'stored' | 'pending' | 'quarantined' | 'refused' | 'missing' | 'purged'
}

/**
 * The session's files, through the integration's grant; each one that is opened
 * is audited. Needs `"files"` in the manifest's permissions. A run is brought 64 MiB at
 * most; larger ones go out as a part or a body of a request without passing through you.
 */
export interface SessionFiles {
  list(): Promise<readonly SessionFile[]>
  /** By name or id. @throws CapabilityError `NOT_FOUND`, also for a file that is not stored. */
  read(file: string | Pick<SessionFile, 'id'>): Promise<Uint8Array>
  /** As UTF-8. */
  text(file: string | Pick<SessionFile, 'id'>): Promise<string>
  /** In pieces of about 1 MiB. */
  stream(file: string | Pick<SessionFile, 'id'>): AsyncIterable<Uint8Array>
}

/**
 * Files of the connection's own, which stay from run to run: a table of codes, a
 * cached document. Needs `"store"` in the manifest's permissions. At most 200 files
 * of 4 MiB, 64 MiB together. One that a run for a session has written goes when that session is purged, whichever other runs
 * have written it too: keep a file for each session, or let a shared one hold nothing of sessions and say so with `keep`.
 */
export interface Store {
  list(): Promise<readonly { readonly name: string; readonly size: number }[]>
  /** Undefined when there is none of this name. */
  get(name: string): Promise<Uint8Array | undefined>
  text(name: string): Promise<string | undefined>
  /**
   * @param name 1 to 100 letters, digits and `._-`
   * @param options `keep`: nothing that a session says is in it (ids and times at most), so it stays when sessions are purged.
   */
  put(name: string, content: string | Uint8Array, options?: { readonly keep?: boolean }): Promise<void>
  remove(name: string): Promise<void>
}

/** A folder of an IMAP server. The server must speak TLS from the first byte; its certificate is checked for `host`. */
export interface MailAccount {
  /** `imap.example.org` or `imap.example.org:993`, which the manifest's permissions name, or a setting that they name. */
  readonly host: string
  /** @default 993 */
  readonly port?: number
  readonly user: string
  /** From a PASSWORD setting. */
  readonly password: string
  /** As the server spells it, such as `INBOX/Bookings`. @default 'INBOX' */
  readonly folder?: string
}

/** What a mail must be to be listed; all of it. */
export interface MailQuery {
  /** Only those that nobody has read. */
  readonly unseen?: boolean
  /** Only those without this keyword, which {@link Mailbox.mark} set. */
  readonly without?: string
  /** Only those that arrived on this day or later: `2026-01-31`, or a whole ISO time, of which the day counts. */
  readonly since?: string
  /** Only those with a uid above this one. */
  readonly after?: number
  /** At most 500. @default 100 */
  readonly limit?: number
}

export interface MailHeader {
  /** Names the mail in its folder for as long as the folder's `uidValidity` stays. */
  readonly uid: number
  /** Changes when the server counts anew; then uids that were kept mean nothing. */
  readonly uidValidity: string
  /** With its angle brackets; empty for a mail without. The sender chose it, so two mails may have the same. */
  readonly messageId: string
  readonly subject: string
  /** Bare address of the sender, as the mail claims it; empty without. */
  readonly from: string
  /** ISO 8601: when the server received it. */
  readonly date: string
  /** In bytes, of the raw message. */
  readonly size: number
  readonly seen: boolean
  /** Flags and keywords, as the server has them. */
  readonly flags: readonly string[]
}

/**
 * One folder of a mailbox. Reading it changes nothing on the server: a mail stays unread until it is marked. The host
 * keeps the connection open until the run ends.
 *
 * @example Each mail once, whatever becomes of a run:
 * const inbox = mailbox({ host: settings.imap_host, user: settings.user, password: settings.password })
 * for (const { uid } of await inbox.list({ without: 'SluiceDone', limit: 20 })) {
 *   const email = await PostalMime.parse(await inbox.fetch(uid)) // npm postal-mime, with a Blob of your own
 *   await take(email)
 *   await inbox.mark(uid, 'SluiceDone')
 * }
 */
export interface Mailbox {
  /** Oldest first, by uid. */
  list(query?: MailQuery): Promise<readonly MailHeader[]>
  /**
   * The raw message (RFC 5322).
   * @throws CapabilityError `NOT_FOUND`; `TOO_LARGE` above 5 MiB, `size` tells before.
   */
  readonly fetch: (uid: number) => Promise<Uint8Array>
  /**
   * Sets a flag: `seen`, `flagged`, `answered`, or a keyword of your own (letters, digits and `_-`), such as `SluiceDone`.
   * @throws CapabilityError `INVALID` where the server keeps no keywords; then move the mail.
   */
  mark(uid: number, flag: string): Promise<void>
  /** To another folder of the account, which must be there. @throws CapabilityError `NOT_FOUND` */
  move(uid: number, folder: string): Promise<void>
}

/** An SFTP server. Give `password` or `privateKey`. */
export interface SftpAccount {
  /** `files.example.org` or `files.example.org:2022`, which the manifest's permissions name, or a setting that they name. */
  readonly host: string
  /** @default 22 */
  readonly port?: number
  readonly user: string
  /** From a PASSWORD setting. */
  readonly password?: string
  /** In OpenSSH's or PEM form, from a PASSWORD setting. */
  readonly privateKey?: string
  readonly passphrase?: string
  /**
   * The fingerprint of the server's key, from a setting: `SHA256:…` as `ssh-keygen -lf` prints it; several are separated
   * by blanks. Without it nothing is sent, and the error tells the one that the server showed.
   */
  readonly hostKey?: string
}

export interface SftpEntry {
  readonly name: string
  readonly type: 'file' | 'folder' | 'other'
  /** In bytes. */
  readonly size: number
  /** ISO 8601. */
  readonly modified: string
}

/**
 * Files on a server, over SSH. Paths are the server's, absolute or relative to the account's own folder.
 *
 * @example
 * const office = sftp({ host: settings.sftp_host, user: settings.user, password: settings.password, hostKey: settings.host_key })
 * await office.put(`in/${event.id}.json`, JSON.stringify(session))
 */
export interface Sftp {
  /**
   * Writes a file, or replaces it. It is written under a hidden name beside it and renamed once it is whole, so nobody
   * reads half of it. Text and bytes have 5 MiB at most. A file of the session or an archive ({@link ArchiveEntry}) may be
   * of any size: it is streamed, never in your memory, and has until the run's end.
   * @throws CapabilityError `NOT_FOUND` when the folder, or the file, is not there.
   */
  put(
    path: string,
    content: string | Uint8Array | { readonly file: string } | { readonly archive: readonly ArchiveEntry[] },
  ): Promise<void>
  /** Without `.` and `..`, by name; at most 5,000. @default '.' */
  list(path?: string): Promise<readonly SftpEntry[]>
  /** 5 MiB at most. @throws CapabilityError `NOT_FOUND`, `TOO_LARGE` */
  get(path: string): Promise<Uint8Array>
  /** Replaces what is there. */
  rename(from: string, to: string): Promise<void>
  /** A file. One that is not there is no error. */
  remove(path: string): Promise<void>
}

/**
 * Lines of the run's own log, which the people of the connection's team read; at most 1,000 of them. `console` writes
 * there too. Secrets of the settings are taken out. Do not log personal data.
 */
export interface RunLog {
  debug(message: string): void
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
  /** Null for a session without one. Runs of one connection for one trip take turns. */
  readonly trip: Trip | null
  /** Changes of its own part are kept with the run; a run that throws keeps none. */
  readonly extensionData: ExtensionData
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
  readonly files: SessionFiles
  readonly store: Store
  /** IMAP, to read mail. Needs `"mailbox"` in the manifest's permissions, and the host. */
  readonly mailbox: (account: MailAccount) => Mailbox
  /** Files on a server. Needs `"sftp"` in the manifest's permissions, and the host. */
  readonly sftp: (account: SftpAccount) => Sftp
  readonly log: RunLog
}

/** What functions have that are called without a session. */
export type Capabilities = Pick<ConsumerContext, 'request' | 'mailbox' | 'sftp' | 'log'>

/** What every function of a connection has that makes or changes sessions. */
export type CallContext<Types extends ConnectorTypes = ConnectorTypes> = Pick<
  ConsumerContext<Types>,
  'settings' | 'state' | 'config' | 'delivery' | 'request' | 'mail' | 'store' | 'mailbox' | 'sftp' | 'log'
>

/** What a modifier has beside the session. */
export type ModifierContext<Types extends ConnectorTypes = ConnectorTypes> = CallContext<Types> &
  Pick<ConsumerContext<Types>, 'event' | 'extensionData' | 'files'>

type Maybe<Value> = Value | null | undefined | Promise<Value | null | undefined>

/** Hands one session to a third party. */
export type Consumer<Types extends ConnectorTypes = ConnectorTypes> = (
  context: ConsumerContext<Types>,
) => Status | Result | Promise<Status | Result>

/** What a producer fetched. */
export interface RawSource {
  /** As it came. Anything but bytes and text is kept as JSON. For a two-phase producer, the id that the payload will have. */
  readonly source: Uint8Array | string | Json
  /** The source's own id: what was seen is not taken again. @default the hash of `source`; for a two-phase producer `source` */
  readonly uniqueSourceId?: string
}

export interface RawSources {
  readonly sources: readonly (RawSource | Uint8Array | string)[]
  /** There are more: call again. */
  readonly more?: boolean
}

/** What `getRawSources` has beside what every function has. */
export interface ProducerContext<Types extends ConnectorTypes = ConnectorTypes> extends CallContext<Types> {
  /**
   * Of these ids (`uniqueSourceId`), those that were taken before, whatever became of them: they need not be fetched
   * again. At most 10,000 of 500 characters in a call.
   */
  readonly known: (ids: readonly string[]) => Promise<readonly string[]>
}

/** Fetches what there is, and says nothing about what it means. */
export type Producer<Types extends ConnectorTypes = ConnectorTypes> = (
  context: ProducerContext<Types>,
) =>
  | readonly (RawSource | Uint8Array | string)[]
  | RawSources
  | Promise<readonly (RawSource | Uint8Array | string)[] | RawSources>

/** A session that a connector makes of a raw source. */
export interface NewSession {
  readonly data: object
  /** @default 'application' */
  readonly kind?: 'application' | 'booking'
  readonly payment_id?: string | null
  /** Routing of its event. */
  readonly config?: Readonly<Record<string, Json>>
  readonly schema_url?: string | null
  /** A UUID. @default a new one */
  readonly id?: string
}

interface Said {
  /** For people, or the answer to whoever sent the payload. */
  readonly message?: string
  /** 0 a success, 999 processed but listed among the failed. @default 0 */
  readonly returnCode?: number
}

/** What a raw source became; null, or `discard`, for nothing. */
export interface Conversion extends Said {
  /** Its `extensionData` becomes that of the session: your own part and the shared one. */
  readonly booking?: Booking | null
  readonly session?: NewSession | null
  readonly discard?: boolean
  /** Names the session across raw sources: one of a key that is known is a revision of its session. */
  readonly key?: string
  /** Kept in place of the raw source, such as one without card numbers. */
  readonly updatedRawSource?: Uint8Array | string
}

/** Makes a session of one raw source. Throwing keeps the source as failed, to be converted again on request. */
export type Converter<Types extends ConnectorTypes = ConnectorTypes> = (
  source: Uint8Array,
  context: CallContext<Types>,
) => Maybe<Conversion>

/** What people see of a raw source before, or without, its conversion. */
export interface SourceMetadata {
  /** When the source made it, as it says. `creationDate` is the guide's name. */
  readonly createdAt?: string | null
  readonly creationDate?: string | null
  readonly mimeType?: string | null
  readonly description?: string | null
  /** Names, separated by commas. */
  readonly participants?: string | null
  /** It is a step on the way and is not converted. */
  readonly discardAsIntermediate?: boolean
}

/** A producer: `getRawSources`, then a conversion for each source. */
export interface ProducerFunctions<Types extends ConnectorTypes = ConnectorTypes> {
  getRawSources?: Producer<Types>
  convertRawSource?: Converter<Types>
  /** The guide's name of `convertRawSource`. */
  convertRawSourceToTripData?: Converter<Types>
  extractMetadata?(source: Uint8Array, context: CallContext<Types>): Maybe<SourceMetadata>
  /** Whether a booking of another source may be changed by this one's, and the other way round. @default true */
  isModifyAllowedFrom?(sourceDomain: string, context: CallContext<Types>): boolean | Promise<boolean>
}

/** A webhook: a third party sends payloads, which are converted. */
export interface WebhookFunctions<Types extends ConnectorTypes = ConnectorTypes> extends ProducerFunctions<Types> {
  /** Throws to refuse a payload: a wrong signature, another's format. */
  validatePayload?(source: Uint8Array, headers: Readonly<Record<string, string>>, context: CallContext<Types>): unknown
  /** Where one address serves all teams: which setting, of which value, names the connection. */
  getAccountMetadata?(
    source: Uint8Array,
    context: Pick<CallContext<Types>, 'log'>,
  ): Maybe<{ readonly settingItemKey: string; readonly settingItemValue: string }>
}

/** A two-phase producer: `getRawSources` triggers and yields ids, payloads with these ids come in later. */
export interface TwoPhaseProducerFunctions<Types extends ConnectorTypes = ConnectorTypes>
  extends WebhookFunctions<Types> {
  /** Whether this source is an id whose payload comes later. @default true */
  isTwoPhased?(source: RawSource, context: CallContext<Types>): boolean | Promise<boolean>
  /** The id in a payload: the `uniqueSourceId` of a source that waits for it. */
  getExternalId?(source: Uint8Array, context: CallContext<Types>): string | Promise<string>
}

/** What a modifier made of a session; null, undefined or an object without `session` and `booking` means: no change. */
export interface Modification extends Said {
  /** The whole data, changed. */
  readonly session?: object | null
  /** The same, of a booking. */
  readonly booking?: Booking | null
}

/**
 * Changes a session. It is called whenever the session has changed, by its
 * source or by other modifiers: return nothing when there is nothing to do.
 */
export type Modifier<Types extends ConnectorTypes = ConnectorTypes> = (
  session: Of<Types, 'session', SessionData>,
  context: ModifierContext<Types>,
) => Maybe<Modification>

/** Keys of the execution environment, such as `funnel.environment.isproduction`. */
export type EnvironmentValues = Readonly<Record<string, string | boolean | null>>

/** What lifecycle functions have: nothing of a session, and no state. */
export type LifecycleContext<Types extends ConnectorTypes = ConnectorTypes> = Pick<
  ConsumerContext<Types>,
  'settings' | 'request' | 'mail' | 'store' | 'mailbox' | 'sftp' | 'log'
>

/** Called once in each worker and for each connection. What they throw is listed among its runs, and stops nothing. */
export interface LifecycleFunctions<Types extends ConnectorTypes = ConnectorTypes> {
  /** Before the first run, which waits for it, 2 s at most. */
  onStarting?(environment: EnvironmentValues, context: LifecycleContext<Types>): unknown
  /** The guide's name of `onStarting`. */
  onFunnelStarting?(environment: EnvironmentValues, context: LifecycleContext<Types>): unknown
  /** When the worker stops, or the connection is disabled. At most 2 s; a worker that is killed calls nothing. */
  onStopping?(environment: EnvironmentValues, context: LifecycleContext<Types>): unknown
  /** The guide's name of `onStopping`. */
  onFunnelStopping?(environment: EnvironmentValues, context: LifecycleContext<Types>): unknown
}

export interface Connector<Types extends ConnectorTypes = ConnectorTypes>
  extends TwoPhaseProducerFunctions<Types>,
    LifecycleFunctions<Types> {
  /** In place of those of the manifest. */
  readonly settings?: readonly SettingDeclaration[]
  /** Of a consumer. Called once for each delivery, and again when it failed. */
  readonly consume?: Consumer<Types>
  /** Of a modifier. */
  readonly modify?: Modifier<Types>
  /**
   * Called before settings are saved, after the manifest's own rules were checked. Throw an error whose message tells
   * the person what to change, in their language if you can.
   *
   * @param locale BCP 47, such as `en` or `de-CH`
   */
  validateSettings?(
    values: ConsumerContext<Types>['settings'],
    locale: string,
    context: Capabilities,
  ): void | Promise<void>
  /** The text that people see for a setting's key. Without it, or when it returns undefined, the manifest's label is shown. */
  getLabelForKey?(key: string, locale: string): string | undefined
  /** Behind the button "test connection". Throw an error that says what is wrong; a text that it returns is shown as a success. */
  testConnection?(settings: ConsumerContext<Types>['settings'], locale: string, context: Capabilities): unknown
}

/** A setting, with the keys that it has in a manifest. Declare settings here or in `connector.json`, not in both. */
export interface SettingDeclaration {
  readonly key: string
  /** What people see. @default the key */
  readonly label?: string
  readonly description?: string
  /** The heading under which it is shown. */
  readonly group?: string
  /** The only values that it can have. */
  readonly options?: readonly (string | number | { readonly value: string | number; readonly label: string })[]
  /** @default 'STRING' */
  readonly type?: 'STRING' | 'LONG_STRING' | 'PASSWORD' | 'DATE' | 'INT' | 'BOOLEAN' | 'INTERNAL'
  readonly mandatory?: boolean
  readonly default?: string | number | boolean
}

type ValueOf<Item extends SettingDeclaration> = Item extends { type: 'INT' }
  ? number
  : Item extends { type: 'BOOLEAN' }
    ? boolean
    : string

type Given<Item extends SettingDeclaration> = Item extends { type: 'INTERNAL' } ? never : Item
/** It has a value in every run. */
type Sure<Item extends SettingDeclaration> = Item extends { mandatory: true }
  ? Item
  : Item extends { default: string | number | boolean }
    ? Item
    : never

/**
 * The values of declared settings: mandatory ones and ones with a default are always there.
 *
 * @example
 * const settings = [{ key: 'url', type: 'STRING', mandatory: true }, { key: 'limit', type: 'INT' }] as const
 * type Settings = SettingsOf<typeof settings> // { readonly url: string; readonly limit?: number }
 */
export type SettingsOf<Items extends readonly SettingDeclaration[]> = {
  readonly [Item in Sure<Given<Items[number]>> as Item['key']]: ValueOf<Item>
} & {
  readonly [Item in Exclude<Given<Items[number]>, Sure<Given<Items[number]>>> as Item['key']]?: ValueOf<Item>
}

/** The state of declared settings: those of type INTERNAL. */
export type StateOf<Items extends readonly SettingDeclaration[]> = {
  [Item in Extract<Items[number], { type: 'INTERNAL' }> as Item['key']]: Json
}

interface TypesOf<Items extends readonly SettingDeclaration[]> extends ConnectorTypes {
  settings: SettingsOf<Items>
  state: StateOf<Items>
}

/** Gives a connector its types; export the result as default. With `settings`, their values have the types they declare. */
export function defineConnector<const Items extends readonly SettingDeclaration[]>(
  connector: Connector<TypesOf<Items>> & { readonly settings: Items },
): Connector<TypesOf<Items>>
/** With types of your own. */
export function defineConnector<Types extends ConnectorTypes = ConnectorTypes>(
  connector: Connector<Types>,
): Connector<Types>
export function defineConnector(connector: Connector): Connector {
  return connector
}
