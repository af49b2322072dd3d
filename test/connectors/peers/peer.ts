/** A third party's server that can be told to have trouble: to fail, to be slow, or to lose an answer after its work is done. */
import type { ServerResponse } from 'node:http'
import { type ReceivedRequest, type Receiver, startReceiver } from '../../ground/receiver.ts'

export interface Answer {
  readonly status: number
  /** Text as it is, anything else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

/** A status that is answered before anything is done; `lost`: all is done and the connection is cut; `hangs`: nothing ever comes. */
export type Trouble = number | 'lost' | 'hangs'

export interface Peer extends Pick<Receiver, 'url' | 'port' | 'requests' | 'close'> {
  /** The next requests whose `METHOD path` fits have this trouble, one each. */
  trouble(fits: RegExp, ...troubles: Trouble[]): void
}

/** @param handle does a request's work; what it throws is a defect of the peer and cuts the connection. */
export async function startPeer(handle: (request: ReceivedRequest) => Answer | Promise<Answer>): Promise<Peer> {
  const planned: { readonly fits: RegExp; readonly trouble: Trouble }[] = []
  const receiver = await startReceiver({
    async handler(request, response) {
      const index = planned.findIndex(({ fits }) => fits.test(`${request.method} ${request.path}`))
      const [found] = index === -1 ? [] : planned.splice(index, 1)
      if (found?.trouble === 'hangs') return
      if (typeof found?.trouble === 'number') return write(response, { status: found.trouble, body: {} })
      const answer = await handle(request)
      if (found) response.destroy()
      else write(response, answer)
    },
  })
  return {
    url: receiver.url,
    port: receiver.port,
    requests: receiver.requests,
    close: () => receiver.close(),
    trouble: (fits, ...troubles) => void planned.push(...troubles.map((trouble) => ({ fits, trouble }))),
  }
}

function write(response: ServerResponse, { status, body, headers = {} }: Answer): void {
  const isText = typeof body === 'string'
  const type = body === undefined ? {} : { 'content-type': isText ? 'text/plain' : 'application/json' }
  response.writeHead(status, { ...type, ...headers }).end(body === undefined || isText ? body : JSON.stringify(body))
}
