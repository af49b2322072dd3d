/** A flow of Power Automate with an HTTP trigger, as a council sets one up: it checks a key, answers 202 and then fetches the file. */
import { type Peer, startPeer } from './peer.ts'

export interface Notice {
  readonly message: string
  readonly service: string
  readonly environment: string
  readonly file: string
  readonly payload: string
  readonly id: string
  readonly revision: number
}

export interface PowerAutomatePeer extends Peer {
  readonly key: string
  readonly notices: readonly Notice[]
}

export async function startPowerAutomate(): Promise<PowerAutomatePeer> {
  const key = 'a-key-of-the-flow'
  const notices: Notice[] = []
  const peer = await startPeer(({ method, headers, body }) => {
    if (method !== 'POST') return { status: 405, body: { error: { code: 'MethodNotAllowed', message: 'Use POST.' } } }
    if (headers.apikey !== key)
      return { status: 401, body: { error: { code: 'Unauthorized', message: 'The key is wrong.' } } }
    const notice = JSON.parse(body.toString()) as Notice
    if (typeof notice.file !== 'string')
      return { status: 400, body: { error: { code: 'BadRequest', message: 'No file.' } } }
    notices.push(notice)
    return { status: 202 }
  })
  return { ...peer, key, notices }
}
