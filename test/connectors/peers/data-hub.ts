/** A data hub of travel bookings: takes requests for exports, and posts each, signed, when it is told that it is ready. */
import { createHmac } from 'node:crypto'
import { type Answer, type Peer, startPeer } from './peer.ts'

export interface DataHubPeer extends Peer {
  readonly token: string
  readonly secret: string
  /** Something changed: it is in the next answer. @returns the id of the export. */
  changed(booking: object): string
  /** Posts an export; `changes` alter it on its way, after it was signed or before. */
  sends(id: string, address: string, options?: { readonly forged?: boolean; readonly more?: object }): Promise<Response>
  /** From where it was asked, and what it answered. */
  readonly asked: readonly (readonly [since: string | null, exports: readonly string[]])[]
}

export async function startDataHub(agency = 'ZRH-1'): Promise<DataHubPeer> {
  const token = 'hub-token-4711-abcdef'
  const secret = 'hub-signing-secret-0815'
  const changes: { readonly id: string; readonly booking: object }[] = []
  const asked: (readonly [string | null, readonly string[]])[] = []

  const peer = await startPeer(({ method, path, headers, body }): Answer => {
    if (headers.authorization !== `Bearer ${token}`) return { status: 401, body: { error: 'Who are you?' } }
    if (method === 'GET') return { status: path === `/agencies/${agency}` ? 200 : 404, body: {} }
    if (method !== 'POST' || path !== '/exports') return { status: 404, body: {} }
    const request = JSON.parse(body.toString()) as { agency: string; since: string | null }
    if (request.agency !== agency) return { status: 403, body: { error: 'Not your agency.' } }
    const from = Number(request.since?.slice(2) ?? 0)
    const exports = changes.slice(from, from + 2).map(({ id }) => id)
    asked.push([request.since, exports])
    const to = from + exports.length
    return { status: 202, body: { exports, cursor: `c-${to}`, more: to < changes.length } }
  })

  return {
    ...peer,
    token,
    secret,
    asked,
    changed(booking) {
      const id = `EX-${changes.length + 1}`
      changes.push({ id, booking })
      return id
    },
    sends(id, address, { forged = false, more = {} } = {}) {
      const found = changes.find((each) => each.id === id)
      const body = JSON.stringify({ export: id, agency, ...found?.booking, ...more })
      const time = Math.floor(Date.now() / 1000)
      const signature = createHmac('sha256', forged ? 'another secret' : secret)
        .update(`${time}.${body}`)
        .digest('hex')
      return fetch(address, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'x-hub-signature': `t=${time},v1=${signature}` },
        body,
      })
    },
  }
}
