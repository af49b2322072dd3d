/**
 * An office with an API of its own: OAuth 2 client credentials, JSON, and the idempotency key of the IETF's draft: the
 * same key with the same body is answered as the first time.
 *
 * @see https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
 */
import { randomUUID } from 'node:crypto'
import { type Answer, type Peer, startPeer } from './peer.ts'

export interface JsonOfficePeer extends Peer {
  readonly client: { readonly id: string; readonly secret: string }
  readonly records: readonly { readonly id: string; readonly body: unknown }[]
  expireTokens(): void
}

export async function startJsonOffice(): Promise<JsonOfficePeer> {
  const client = { id: 'the-client', secret: 'the-secret-of-the-client' }
  const tokens = new Set<string>()
  const records: { id: string; body: unknown }[] = []
  const answered = new Map<string, { readonly body: string; readonly answer: Answer }>()

  const peer = await startPeer(({ method, path, headers, body }) => {
    const { pathname } = new URL(path, 'http://office')
    if (`${method} ${pathname}` === 'POST /token') {
      const basic = `Basic ${Buffer.from(`${client.id}:${client.secret}`).toString('base64')}`
      const grant = new URLSearchParams(body.toString()).get('grant_type')
      if (headers.authorization !== basic || grant !== 'client_credentials')
        return { status: 401, body: { error: 'invalid_client' } }
      const token = randomUUID()
      tokens.add(token)
      return { status: 200, body: { access_token: token, token_type: 'Bearer', expires_in: 60 } }
    }
    if (!tokens.has(headers.authorization?.replace('Bearer ', '') ?? ''))
      return { status: 401, body: { error: 'invalid_token' } }
    if (!/^\/records\/?/.test(pathname)) return { status: 404, body: { error: 'not_found' } }
    const key = headers['idempotency-key']
    const text = body.toString()
    const before = typeof key === 'string' ? answered.get(key) : undefined
    if (before) return before.body === text ? before.answer : { status: 422, body: { error: 'key_reused' } }
    const id = `R-${records.length + 1}`
    records.push({ id, body: JSON.parse(text) })
    const answer = { status: 201, body: { record: { id } } }
    if (typeof key === 'string') answered.set(key, { body: text, answer })
    return answer
  })
  return { ...peer, client, records, expireTokens: () => tokens.clear() }
}
