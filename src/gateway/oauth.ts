/**
 * OAuth 2 for machines: `POST /oauth/token` (client credentials, RFC 6749, section
 * 4.4), `POST /oauth/revoke` (RFC 7009), the metadata (RFC 8414) and the JWKS.
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Revocations } from '../access/revocations.ts'
import { jwksSeconds } from '../access/signing-keys.ts'
import type { Tokens } from '../access/tokens.ts'
import type { Database } from '../database/database.ts'
import { SluiceError } from '../errors.ts'
import { readBody } from './body.ts'
import { createIdentifyClient, type OAuthClientOptions } from './oauth-client.ts'
import { metadataPaths, oauthMetadata } from './oauth-metadata.ts'
import { replyJson, retryAfter } from './reply.ts'

const bodyLimit = 16 * 1024
const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' }
const cached = { 'cache-control': `public, max-age=${jwksSeconds}` }

export interface OAuthOptions extends OAuthClientOptions {
  readonly database: Database
  readonly tokens: Tokens
  readonly revocations: Pick<Revocations, 'check' | 'revoke'>
  readonly issuer: string
  /** Rows have changed. */
  readonly committed: () => void
}

/** Answers a request to one of its paths; false for any other path. */
export type OAuthFace = (request: IncomingMessage, response: ServerResponse, path: string) => Promise<boolean>

export function createOAuth(options: OAuthOptions): OAuthFace {
  const { database, tokens, revocations, issuer, committed } = options
  const identify = createIdentifyClient(options)
  const metadata = oauthMetadata(issuer)

  async function token(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): Promise<void> {
    const { key, principal } = await identify(request, form)
    const grant = form.get('grant_type')
    if (grant === null) throw new OAuthError('invalid_request', 'Send grant_type=client_credentials as a form field.')
    if (grant !== 'client_credentials') {
      throw new OAuthError('unsupported_grant_type', 'Send grant_type=client_credentials as a form field.')
    }
    const scope = form.get('scope')
    if (scope && scope !== principal.role) {
      throw new OAuthError('invalid_scope', `The only scope of this credential is "${principal.role}"; leave it out.`)
    }
    const issued = await tokens.issue(principal, { client_id: key, scope: principal.role })
    replyJson(
      response,
      200,
      { access_token: issued.token, token_type: 'Bearer', expires_in: issued.expiresIn, scope: principal.role },
      noStore,
    )
  }

  async function revoke(request: IncomingMessage, form: URLSearchParams, response: ServerResponse): Promise<void> {
    const { principal: client } = await identify(request, form)
    const text = form.get('token')
    if (!text) throw new OAuthError('invalid_request', 'Send the access token as the form field "token".')
    // What is no token of ours, or has ended, opens nothing: that is what was asked for (RFC 7009, section 2.2).
    const principal = await tokens.verify(text).catch(() => null)
    if (principal && principal.id !== client.id) {
      throw new OAuthError('unauthorized_client', 'This token was given to another client.')
    }
    if (principal?.tokenId && principal.expiresAt) {
      await insertRevokedToken(database, principal.tokenId, principal.expiresAt)
      // Here at once; the other processes follow the change feed.
      revocations.revoke(principal.tokenId)
      committed()
    }
    response.writeHead(200, { ...noStore, 'content-length': 0 }).end()
  }

  const posts: Readonly<Record<string, typeof token>> = { '/oauth/token': token, '/oauth/revoke': revoke }
  const documents = new Map<string, () => unknown>([
    ...metadataPaths(issuer).map((path) => [path, () => metadata] as const),
    ['/.well-known/jwks.json', () => tokens.jwks],
  ])

  return async (request, response, path) => {
    const document = documents.get(path)
    if (document) {
      if (request.method === 'GET' || request.method === 'HEAD') replyJson(response, 200, document(), cached)
      else refuse(response, new OAuthError('invalid_request', 'Use GET.'), 405, { allow: 'GET, HEAD' })
      return true
    }
    const post = Object.hasOwn(posts, path) ? posts[path] : undefined
    if (!post) return false
    if (request.method !== 'POST') {
      refuse(response, new OAuthError('invalid_request', 'Use POST.'), 405, { allow: 'POST' })
      return true
    }
    try {
      await post(request, await readForm(request), response)
    } catch (error) {
      refuseFor(response, error)
    }
    return true
  }
}

async function insertRevokedToken({ pool }: Database, tokenId: string, expiresAt: Date): Promise<void> {
  await pool.query('insert into revoked_tokens (id, expires_at) values ($1, $2) on conflict (id) do nothing', [
    tokenId,
    expiresAt,
  ])
}

/** An error with one of OAuth's own codes (RFC 6749, section 5.2). */
class OAuthError extends SluiceError {
  readonly error: string

  constructor(error: string, message: string) {
    super('BAD_REQUEST', message)
    this.error = error
  }
}

function refuseFor(response: ServerResponse, error: unknown): void {
  if (!(error instanceof SluiceError)) throw error
  const { code, message, http } = error
  if (error instanceof OAuthError) {
    refuse(response, error)
  } else if (code === 'UNAUTHENTICATED' || code === 'FORBIDDEN') {
    const headers = { 'www-authenticate': 'Basic realm="sluice"' }
    refuse(response, new OAuthError('invalid_client', message), 401, headers)
  } else if (code === 'RATE_LIMITED' || code === 'UNAVAILABLE') {
    refuse(response, new OAuthError('temporarily_unavailable', message), http, retryAfter(error))
  } else if (code === 'INTERNAL' || code === 'CONFIGURATION') {
    throw error
  } else {
    refuse(response, new OAuthError('invalid_request', message), http)
  }
}

function refuse(
  response: ServerResponse,
  { error, message }: OAuthError,
  status = 400,
  headers: Readonly<Record<string, string>> = {},
): void {
  replyJson(response, status, { error, error_description: message }, { ...noStore, ...headers })
}

/** The form's fields. Each may stand there once (RFC 6749, section 3.2), so that no two readers differ. */
async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim()
  const body = await readBody(request, bodyLimit)
  if (type !== 'application/x-www-form-urlencoded') {
    throw new SluiceError('BAD_REQUEST', 'Send the fields as application/x-www-form-urlencoded.')
  }
  const form = new URLSearchParams(body.toString('utf8'))
  const names = [...form.keys()]
  if (new Set(names).size < names.length) throw new SluiceError('BAD_REQUEST', 'Send each field once.')
  return form
}
