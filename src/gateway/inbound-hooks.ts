/**
 * Where third parties send payloads for connections:
 *
 * - `POST /hooks/{implementation}/{connection}`, one connection's own address;
 * - `POST /p/publicapi/extension/webhook/glb/{implementation}`, the extension guide's, one for all accounts.
 *
 * A payload is stored before anything is done with it, and answered; a worker converts it. Who sent it is known by the
 * connection's secret, or found out by the connector itself, where its manifest says so.
 */
import { createHash } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { promisify } from 'node:util'
import zlib from 'node:zlib'
import type { Attempts } from '../access/attempts.ts'
import type { Audit } from '../access/audit.ts'
import { createLimits, type Limits } from '../access/limits.ts'
import { anonymous, type Principal } from '../access/principal.ts'
import type { Sealer } from '../access/seal.ts'
import type { Config } from '../config.ts'
import {
  awaitOutcome,
  chooseHeaders,
  findInbound,
  findShared,
  type InboundTarget,
  type PayloadOutcome,
  storePayload,
} from '../connectors/inbound.ts'
import { type Judgement, judge, type Proof, proofIn, toleranceSeconds } from '../connectors/inbound-secrets.ts'
import type { TaskDesk } from '../connectors/task-desk.ts'
import type { AccountTask } from '../connectors/task-handlers.ts'
import type { Database } from '../database/database.ts'
import { createNotifier, productionChannel } from '../database/notifications.ts'
import { SluiceError } from '../errors.ts'
import type { ChangeFeed } from '../live/change-feed.ts'
import type { Log } from '../log.ts'
import { readBody } from './body.ts'
import { requestPath } from './request-path.ts'
import { HttpError, replyProblem } from './rest/problem.ts'

export interface InboundHooksOptions {
  readonly config: Pick<
    Config,
    'INBOUND_MAX_BYTES' | 'INBOUND_REPLY_SECONDS' | 'LIMIT_INBOUND_PER_MINUTE' | 'LIMIT_CONCURRENT'
  >
  readonly database: Database
  readonly sealer: Sealer
  readonly attempts: Attempts
  readonly audit: Audit
  readonly desk: TaskDesk
  readonly feed: ChangeFeed
  /** Called after a commit that changed rows. */
  readonly committed: () => void
  readonly log: Log
}

export interface InboundHooks {
  /** Answers if the path is one of ours, and says whether. */
  answer(
    request: IncomingMessage,
    response: ServerResponse,
    caller: { readonly requestId: string; readonly address: string | null },
  ): Promise<boolean>
  readonly limits: Limits
  close(): Promise<void>
}

/** Below this path, per connection. */
export const hooksPath = '/hooks/'
/** Below this path, for all accounts; the guide's. */
export const globalHooksPath = '/p/publicapi/extension/webhook/glb/'

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i
/** A question about an account holds up the sender. */
const accountMs = 15_000

export function createInboundHooks(options: InboundHooksOptions): InboundHooks {
  const { config, database, log } = options
  const perMinute = config.LIMIT_INBOUND_PER_MINUTE
  const limits = createLimits({
    requestsPerMinute: perMinute,
    requestsPerMinutePeople: 0,
    requestsPerMinuteAnonymous: perMinute,
    costPerMinute: 0,
    concurrent: config.LIMIT_CONCURRENT,
    sockets: 0,
    perSocket: 0,
    streams: 0,
  })
  const notifier = createNotifier({ pool: database.pool, channels: [productionChannel], log })

  const take = async (place: Place, request: IncomingMessage, response: ServerResponse, caller: Caller) => {
    if (request.method !== 'POST') {
      throw new HttpError('METHOD_NOT_ALLOWED', 'Payloads are sent with POST.', { headers: { allow: 'POST' } })
    }
    const candidates = await candidatesFor(place, options)
    if (candidates.length === 0) throw new SluiceError('NOT_FOUND', 'There is no connection at this address.')
    const strangersMay = candidates.some(({ inbound }) => inbound.authentication === 'connector')
    if (strangersMay) await limits.request(anonymous, caller.address)
    response.once('close', limits.hold('concurrent', anonymous, caller.address))
    const { proven, content } = await authenticated(place, candidates, request, caller, options)
    const target = await chosen(place, proven, content, options)
    await limits.request(senderOf(target), null)

    const sha256 = createHash('sha256').update(content).digest('hex')
    const isKnown = target.inbound.authentication !== 'connector'
    const stored = await storePayload(storeParts(options), {
      target,
      content,
      sha256,
      mime: mimeOf(request),
      headers: chooseHeaders(request.headers, target.inbound),
      message_id: isKnown ? messageIdOf(request) : null,
      address: caller.address,
      request_id: caller.requestId,
    })
    if (!stored) {
      throw new SluiceError(
        'UNAVAILABLE',
        'Too many payloads of this connection wait to be looked at. Send it again later.',
      )
    }
    options.committed()
    notifier.notify()
    if (target.inbound.reply !== 'result') {
      replyText(response, { status: 200, text: taken })
      return
    }
    const over = new AbortController()
    response.once('close', () => over.abort())
    const timeoutMs = config.INBOUND_REPLY_SECONDS * 1000
    const of = { id: stored.id, connection_id: target.id, sha256 }
    const outcome = await awaitOutcome({ pool: database.pool, feed: options.feed }, of, {
      timeoutMs,
      signal: over.signal,
    })
    replyText(response, answerOf(outcome))
  }

  return {
    limits,
    async answer(request, response, caller) {
      const path = requestPath(request)
      if (!path.startsWith(hooksPath) && !path.startsWith(globalHooksPath)) return false
      try {
        const place = placeOf(path)
        if (!place) throw new SluiceError('NOT_FOUND', 'There is no connection at this address.')
        await take(place, request, response, caller)
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error
        if (!response.headersSent) replyProblem(response, error)
      }
      return true
    },
    close: () => notifier.close(),
  }
}

interface Caller {
  readonly requestId: string
  readonly address: string | null
}

interface Place {
  readonly implementation: string
  /** Null for the address of all accounts. */
  readonly connectionId: string | null
}

/** An implementation may hold `/` and `@`, encoded or not: proxies decode what they like. */
function placeOf(path: string): Place | undefined {
  try {
    if (path.startsWith(globalHooksPath)) {
      const implementation = decodeURIComponent(path.slice(globalHooksPath.length)).replace(/\/$/, '')
      return implementation === '' ? undefined : { implementation, connectionId: null }
    }
    const rest = path.slice(hooksPath.length).replace(/\/$/, '')
    const at = rest.lastIndexOf('/')
    const implementation = decodeURIComponent(rest.slice(0, Math.max(0, at)))
    const connectionId = rest.slice(at + 1)
    return implementation !== '' && uuid.test(connectionId) ? { implementation, connectionId } : undefined
  } catch {
    return undefined
  }
}

function storeParts({ database: { pool }, sealer }: InboundHooksOptions) {
  return { pool, sealer }
}

async function candidatesFor(
  { implementation, connectionId }: Place,
  options: InboundHooksOptions,
): Promise<readonly InboundTarget[]> {
  if (implementation.includes('\0')) return []
  if (connectionId === null) return findShared(storeParts(options), implementation)
  const found = await findInbound(storeParts(options), implementation, connectionId)
  return found ? [found] : []
}

/**
 * Reads the body, and says which connections its sender may send to. Who cannot be right is refused before the body is
 * read.
 */
async function authenticated(
  { implementation, connectionId }: Place,
  candidates: readonly InboundTarget[],
  request: IncomingMessage,
  { address, requestId }: Caller,
  { attempts, audit, config }: InboundHooksOptions,
): Promise<{ readonly proven: readonly InboundTarget[]; readonly content: Buffer }> {
  const name = connectionId ?? implementation
  const proof = proofIn(request.headers)
  const refused = async (judgement: Judgement) => {
    await attempts.failed('inbound', name, address)
    const [only] = candidates
    audit.refused({
      actor: { kind: 'anonymous' },
      operation: 'receive_payload',
      outcome: 'refused',
      team_id: connectionId === null ? null : (only?.team_id ?? null),
      address,
      request_id: requestId,
      detail: {
        code: 'UNAUTHENTICATED',
        entrance: 'hooks',
        ...(connectionId ? { connection_id: connectionId } : { implementation }),
      },
    })
    return new SluiceError('UNAUTHENTICATED', refusals[judgement === 'right' ? 'wrong' : judgement])
  }
  await attempts.check('inbound', name, address)
  const strangersMay = candidates.some(({ inbound }) => inbound.authentication === 'connector')
  if (
    !strangersMay &&
    !proof.signature &&
    judged(candidates, proof, []).every(({ judgement }) => judgement !== 'right')
  ) {
    throw await refused(proof.secrets.length === 0 ? 'missing' : 'wrong')
  }
  const { sent, content } = await payloadOf(request, config.INBOUND_MAX_BYTES)
  const judgements = judged(candidates, proof, sent === content ? [sent] : [sent, content])
  const proven = judgements.filter(({ judgement }) => judgement === 'right')
  if (proven.length === 0) {
    throw await refused(
      judgements.find(({ judgement }) => judgement === 'stale')?.judgement ?? judgements[0]?.judgement ?? 'wrong',
    )
  }
  if (proven.some(({ target }) => target.inbound.authentication !== 'connector'))
    attempts.succeeded('inbound', name, address)
  return { proven: proven.map(({ target }) => target), content }
}

const refusals: Readonly<Record<Exclude<Judgement, 'right'>, string>> = {
  missing:
    'Say who you are: sign the payload as Standard Webhooks has it (webhook-id, webhook-timestamp, webhook-signature), or send the secret of the connection as Authorization: Bearer, as the password of Basic, or as X-Sluice-Secret.',
  wrong:
    'The secret or signature is not one of this connection. Check that it is the newest secret, and that the exact bytes are signed.',
  stale: `The signature is right, but its time is more than ${toleranceSeconds / 60} minutes away from ours. Check the clock, and sign each attempt anew.`,
}

function judged(candidates: readonly InboundTarget[], proof: Proof, bodies: readonly Buffer[]) {
  return candidates.map((target) => ({
    target,
    judgement:
      target.inbound.authentication === 'connector' ? ('right' as const) : judge(proof, target.secrets, bodies),
  }))
}

async function chosen(
  { connectionId }: Place,
  proven: readonly InboundTarget[],
  content: Buffer,
  { desk }: InboundHooksOptions,
): Promise<InboundTarget> {
  const [first] = proven
  if (connectionId !== null && first) return opened(first)
  const asking = new Set(proven.filter(({ findsAccount }) => findsAccount).map(({ connector_id }) => connector_id))
  const meant = asking.size === 0 ? proven : await ofAccount(proven, [...asking], content, desk)
  const open = meant.filter(({ closed }) => closed === null)
  if (open.length > 1) {
    throw new SluiceError(
      'CONFLICT',
      'More than one connection may be meant. Send to the address of the connection itself.',
    )
  }
  const only = open[0] ?? meant[0]
  if (!only) throw new SluiceError('NOT_FOUND', 'No connection is for the account that this payload names.')
  return opened(only)
}

/** Versions of a connector that are asked whose a payload is; the newest are enough. */
const mostAsked = 3

async function ofAccount(
  proven: readonly InboundTarget[],
  connectorIds: readonly string[],
  content: Buffer,
  desk: TaskDesk,
): Promise<readonly InboundTarget[]> {
  const meant: InboundTarget[] = []
  for (const connector_id of connectorIds.toSorted().slice(-mostAsked)) {
    const task: AccountTask = { connector_id, content: content.toString('base64') }
    const account = await desk.ask<{ readonly key: string; readonly value: string } | null>('account', task, {
      timeoutMs: accountMs,
    })
    if (!account) continue
    const wanted = account.value.toLowerCase()
    meant.push(
      ...proven.filter((target) => {
        if (target.connector_id !== connector_id || !Object.hasOwn(target.settings, account.key)) return false
        return String(target.settings[account.key]).toLowerCase() === wanted
      }),
    )
  }
  return meant
}

function opened(target: InboundTarget): InboundTarget {
  switch (target.closed) {
    case null:
      return target
    case 'withdrawn':
      throw new SluiceError('GONE', 'The connector of this connection was withdrawn. Stop sending.')
    case 'flowless':
      throw new SluiceError(
        'CONFLICT',
        'This connection is of the platform and has no flow, so nobody knows whose sessions it makes. An administrator is to set its flow_id; then send the payload again.',
      )
    case 'disabled':
      throw new SluiceError('CONFLICT', 'This connection is disabled. Send the payload again when it is enabled.')
  }
}

/** For the limit of the connection. */
function senderOf({ id, team_id, integration_id }: InboundTarget): Principal {
  return { ...anonymous, kind: 'connection', id, teamId: team_id, integrationId: integration_id }
}

function mimeOf({ headers }: IncomingMessage): string | null {
  return headers['content-type']?.split(';')[0]?.trim().toLowerCase().slice(0, 200) || null
}

function messageIdOf({ headers }: IncomingMessage): string | null {
  const id = headers['webhook-id']
  return typeof id === 'string' && id.length > 0 && id.length <= 200 ? id : null
}

const unpackers: Readonly<Record<string, (packed: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>>> = {
  gzip: promisify(zlib.gunzip),
  'x-gzip': promisify(zlib.gunzip),
  deflate: promisify(zlib.inflate),
  br: promisify(zlib.brotliDecompress),
}

/** The bytes as they were sent, and unpacked; both within the limit. */
async function payloadOf(
  request: IncomingMessage,
  limit: number,
): Promise<{ readonly sent: Buffer; readonly content: Buffer }> {
  const encoding = (request.headers['content-encoding'] ?? 'identity').trim().toLowerCase()
  const unpack = Object.hasOwn(unpackers, encoding) ? unpackers[encoding] : undefined
  if (!unpack && encoding !== 'identity') {
    throw new SluiceError(
      'UNSUPPORTED',
      'This content-encoding is not read. Send the payload as it is, or with gzip, deflate or br.',
    )
  }
  const sent = await readBody(request, limit).catch((error) => {
    throw error instanceof SluiceError && error.code === 'TOO_LARGE' ? tooLarge(limit) : error
  })
  if (sent.length === 0) throw new SluiceError('BAD_REQUEST', 'The payload is empty.')
  if (!unpack) return { sent, content: sent }
  try {
    return { sent, content: await unpack(sent, { maxOutputLength: limit }) }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(limit)
    throw new SluiceError('BAD_REQUEST', `The payload cannot be unpacked: it is not whole ${encoding}.`)
  }
}

function tooLarge(limit: number): SluiceError {
  return new SluiceError(
    'TOO_LARGE',
    `The payload is larger than ${limit} bytes, the limit here for packed and unpacked ones (INBOUND_MAX_BYTES).`,
  )
}

/** What the extension guide's server says. */
const taken = '{"messageCode":"OK"}'
const accepted = '{"messageCode":"ACCEPTED"}'

/**
 * The answer of a connection whose manifest asks for the result:
 *
 * - converted, or discarded by the connector: 200 and its message;
 * - refused by the connector: 400 and its message;
 * - failed: 422, because sending the same again does not help; what was sent is kept, for somebody to convert again;
 * - not done in time, or unmatched: 202, because it is kept and need not be sent again.
 */
function answerOf(outcome: PayloadOutcome | undefined): { readonly status: number; readonly text: string } {
  if (outcome?.is_refused) {
    throw new SluiceError('VALIDATION_FAILED', outcome.message || 'The connector does not accept this payload.')
  }
  switch (outcome?.status) {
    case 'converted':
    case 'discarded':
      return { status: 200, text: outcome.message || taken }
    case 'failed': {
      const message =
        'The payload is kept, but could not be converted. Do not send it again; somebody is to look at it.'
      throw new HttpError('UNPROCESSABLE', message)
    }
    default:
      return { status: 202, text: accepted }
  }
}

/** The type that the first character says. */
function replyText(
  response: ServerResponse,
  { status, text }: { readonly status: number; readonly text: string },
): void {
  const [first = ''] = text.trimStart()
  const type = first === '<' ? 'application/xml' : first === '{' || first === '[' ? 'application/json' : 'text/plain'
  response.writeHead(status, {
    'content-type': `${type}; charset=utf-8`,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  })
  response.end(text)
}
