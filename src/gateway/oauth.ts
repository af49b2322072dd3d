/** `POST /oauth/token`: client credentials (RFC 6749, section 4.4) for a short access token. */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { decodeBasic } from '../access/authenticate.ts'
import type { CredentialVerifier } from '../access/credentials.ts'
import type { Tokens } from '../access/tokens.ts'
import { SluiceError } from '../errors.ts'
import { readBody } from './body.ts'
import { replyJson } from './reply.ts'

const bodyLimit = 16 * 1024
const noStore = { 'cache-control': 'no-store', pragma: 'no-cache' }

export interface TokenEndpointOptions {
  readonly credentials: CredentialVerifier
  readonly tokens: Tokens
}

export function createTokenEndpoint({ credentials, tokens }: TokenEndpointOptions) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    try {
      const form = await readForm(request)
      const { key, secret } = clientOf(request, form)
      const grant = form.get('grant_type')
      if (grant !== 'client_credentials') {
        return refuse(response, 400, 'unsupported_grant_type', 'Send grant_type=client_credentials as a form field.')
      }
      const principal = await credentials.verify(key, secret)
      const { token, expiresIn } = await tokens.issue(principal)
      replyJson(
        response,
        200,
        { access_token: token, token_type: 'Bearer', expires_in: expiresIn, scope: principal.role },
        noStore,
      )
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error
      if (error.code === 'UNAUTHENTICATED') {
        return refuse(response, 401, 'invalid_client', error.message, { 'www-authenticate': 'Basic realm="sluice"' })
      }
      refuse(response, error.http, 'invalid_request', error.message)
    }
  }
}

function refuse(
  response: ServerResponse,
  status: number,
  error: string,
  description: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  replyJson(response, status, { error, error_description: description }, { ...noStore, ...headers })
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  const type = (request.headers['content-type'] ?? '').split(';')[0]?.trim()
  const body = await readBody(request, bodyLimit)
  if (type !== 'application/x-www-form-urlencoded') {
    throw new SluiceError('BAD_REQUEST', 'Send the fields as application/x-www-form-urlencoded.')
  }
  return new URLSearchParams(body.toString('utf8'))
}

/** The client's key and secret: by HTTP Basic, which the RFC prefers, or as form fields; not both. */
function clientOf(request: IncomingMessage, form: URLSearchParams): { key: string; secret: string } {
  const basic = /^basic +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
  const [key, secret] = [form.get('client_id'), form.get('client_secret')]
  if (basic && secret)
    throw new SluiceError('BAD_REQUEST', 'Send the secret once: by HTTP Basic or as client_secret, not both.')
  if (basic) return decodeBasic(basic)
  if (key && secret) return { key, secret }
  throw new SluiceError(
    'UNAUTHENTICATED',
    'Send the API key and secret by HTTP Basic, or as client_id and client_secret.',
  )
}
