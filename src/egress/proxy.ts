/**
 * A tunnel through the operator's forward proxy (RFC 9110, 9.3.6). Every call goes
 * through one, plain http too, so a proxy sees hosts and never what is sent over TLS.
 */
import http from 'node:http'
import net from 'node:net'
import tls from 'node:tls'
import { messageOf, SluiceError } from '../errors.ts'
import { EgressError } from './errors.ts'

export interface ForwardProxy {
  readonly url: URL
  /** `Basic …`, if the URL has a user. */
  readonly authorization: string | undefined
  /**
   * Names are sent to the proxy unresolved, and the proxy alone judges what they resolve to.
   * Otherwise a name is resolved and judged here, and the proxy is sent the judged address.
   */
  readonly resolves: boolean
}

/** @throws SluiceError CONFIGURATION; its message does not repeat the password. */
export function readProxy(text: string, { resolves = false } = {}): ForwardProxy {
  const url = URL.parse(text)
  const credentials = url && credentialsOf(url)
  const hasPath = url?.pathname !== '/' || url.search !== ''
  if (!url || !credentials || hasPath || !/^https?:$/.test(url.protocol)) {
    throw new SluiceError('CONFIGURATION', 'EGRESS_PROXY must look like http://user:password@proxy.example:3128.')
  }
  const authorization = url.username ? `Basic ${Buffer.from(credentials).toString('base64')}` : undefined
  return { url, authorization, resolves }
}

/** Undefined when they are not encoded as a URL wants them. */
function credentialsOf({ username, password }: URL): string | undefined {
  try {
    return `${decodeURIComponent(username)}:${decodeURIComponent(password)}`
  } catch {
    return undefined
  }
}

export interface TunnelRequest {
  /** An address, or a name for a proxy that resolves. */
  readonly host: string
  readonly port: number
  /** For the connection to the proxy and its answer together, in milliseconds. */
  readonly deadline: number
  readonly secureContext: tls.SecureContext
}

/** @throws EgressError `blocked` when the proxy refuses the host, `connect` or `timeout` when it cannot be had. */
export function openTunnel(
  { url, authorization }: ForwardProxy,
  { host, port, deadline, secureContext }: TunnelRequest,
): Promise<net.Socket> {
  const authority = `${net.isIPv6(host) ? `[${host}]` : host}:${port}`
  return new Promise((resolve, reject) => {
    const isSecure = url.protocol === 'https:'
    const address = { host: url.hostname.replace(/^\[|\]$/g, ''), port: Number(url.port) || (isSecure ? 443 : 80) }
    const servername = net.isIP(address.host) === 0 ? { servername: address.host } : {}
    const request = http.request({
      method: 'CONNECT',
      createConnection: () =>
        isSecure ? tls.connect({ ...address, ...servername, secureContext }) : net.connect(address),
      path: authority,
      headers: { host: authority, ...(authorization === undefined ? {} : { 'proxy-authorization': authorization }) },
    })
    const timeout = setTimeout(() => {
      request.destroy()
      reject(new EgressError('timeout', `The forward proxy did not open a way to ${authority} within ${deadline} ms.`))
    }, deadline)
    request.once('connect', ({ statusCode = 0, headers }, socket, head) => {
      clearTimeout(timeout)
      // Stays for the life of the socket: one that breaks before its user listens must not end the process.
      socket.on('error', () => undefined)
      if (statusCode >= 200 && statusCode < 300 && head.length === 0) {
        ;(socket as net.Socket).setNoDelay(true)
        resolve(socket as net.Socket)
        return
      }
      socket.destroy()
      reject(refusalOf(statusCode, headers, authority))
    })
    // It never becomes a tunnel: an answer of HTTP/1.0 proxies and of servers that are no proxy.
    request.once('response', ({ statusCode = 0, headers }) => {
      clearTimeout(timeout)
      request.destroy()
      reject(refusalOf(statusCode, headers, authority))
    })
    request.on('error', (cause) => {
      clearTimeout(timeout)
      reject(new EgressError('connect', `The forward proxy could not be used: ${messageOf(cause)}.`, { cause }))
    })
    request.end()
  })
}

function refusalOf(status: number, headers: http.IncomingHttpHeaders, authority: string): EgressError {
  // Smokescreen refuses with 407, and says in this header that it is no matter of credentials.
  if (status === 403 || headers['x-smokescreen-error'] !== undefined) {
    return new EgressError('blocked', `The forward proxy refuses ${authority} (status ${status}).`)
  }
  if (status === 407) {
    return new EgressError('connect', 'The forward proxy wants other credentials than those in EGRESS_PROXY.')
  }
  return new EgressError('connect', `The forward proxy opened no way to ${authority} (status ${status}).`)
}
