/**
 * What can be said of a URL before anything is resolved, and of its addresses
 * before anything is dialled. Everything here is a function of values.
 */
import net from 'node:net'
import type { AddressPolicy, AddressVerdict } from './addresses.ts'
import { EgressError } from './errors.ts'

export interface Destination {
  /** `tcp:` for a protocol that secures itself: what is sent first is a greeting, and no secret before it is secure. */
  readonly protocol: 'https:' | 'http:' | 'tcp:'
  /** In lower case, without brackets and without a dot at its end. */
  readonly hostname: string
  readonly port: number
  /** Of `tcp:`, the port that belongs to what is spoken; others are judged as if it were HTTP. */
  readonly ownPort?: number
}

export interface AddressFinding extends AddressVerdict {
  readonly address: string
  /** Why it is not dialled; absent when it may be. */
  readonly refusal?: string
}

const mostUrlLength = 16 * 1024

/**
 * @throws EgressError `blocked` for what is not http or https, holds credentials, or is too long.
 * @example destinationOf(readUrl('https://0x7f.1/')) // { protocol: 'https:', hostname: '127.0.0.1', port: 443 }
 */
export function readUrl(given: string | URL): URL {
  const text = String(given)
  // The standard's parser is the one that the request line is built with, so no two parsers can disagree.
  const url = text.length <= mostUrlLength ? URL.parse(text) : null
  if (!url) throw new EgressError('blocked', 'The URL cannot be read. It should look like https://example.com/path.')
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new EgressError('blocked', `Only https can be called, not ${url.protocol.slice(0, -1)}.`)
  }
  if (url.username || url.password) {
    throw new EgressError('blocked', 'The URL must not hold a user name or password; send them in a header.')
  }
  const { hostname } = destinationOf(url)
  if (net.isIP(hostname) === 0 && !isName(hostname)) {
    throw new EgressError('blocked', 'The host of the URL is not a name that the DNS can hold.')
  }
  return url
}

/** Labels of letters, digits, hyphens and underscores (RFC 1035, 2.3.4 has the lengths). */
function isName(hostname: string): boolean {
  return hostname.length <= 253 && hostname.split('.').every((label) => /^[a-z0-9_-]{1,63}$/.test(label))
}

export function destinationOf({ protocol, hostname, port }: Pick<URL, 'protocol' | 'hostname' | 'port'>): Destination {
  const isSecure = protocol === 'https:'
  return {
    protocol: isSecure ? 'https:' : 'http:',
    hostname: hostname.replace(/^\[|\]$|\.$/g, ''),
    port: port === '' ? (isSecure ? 443 : 80) : Number(port),
  }
}

export interface AddressRules {
  readonly judge: AddressPolicy
  /** Plain http to public addresses too. */
  readonly allowHttp: boolean
}

/** What the guard thinks of each address that a host has. One refusal refuses the host. */
export function judgeAddresses(
  destination: Destination,
  addresses: readonly string[],
  { judge, allowHttp }: AddressRules,
): readonly AddressFinding[] {
  const { hostname } = destination
  const isLiteral = net.isIP(hostname) !== 0
  return addresses.map((address) => {
    const verdict = judge(address)
    const refusal = refusalOf(address, verdict)
    return { address, ...verdict, ...(refusal === undefined ? {} : { refusal }) }
  })

  function refusalOf(address: string, { allowed, listed, range }: AddressVerdict): string | undefined {
    const subject = isLiteral ? hostname : `${hostname} resolves to ${address}, which`
    if (range === 'denied') return `${subject} is on the list of networks that may not be called (EGRESS_DENY).`
    if (!allowed && range === 'cloud metadata') {
      return `${subject} is the metadata service of a cloud, which hands out credentials.`
    }
    if (!allowed) {
      return `${subject} is not a public address (${range}). If it should be reachable, an operator adds its network to EGRESS_ALLOW.`
    }
    return listed ? undefined : refusalInPublic(destination, allowHttp)
  }
}

/** What may not be called outside of the operator's networks, whatever its address. */
export function refusalInPublic(
  { protocol, hostname, port, ownPort }: Destination,
  allowHttp: boolean,
): string | undefined {
  if (isLocalName(hostname)) {
    return `${hostname} is a name of a private network. If it should be reachable, an operator adds that network to EGRESS_ALLOW.`
  }
  if (protocol === 'http:' && !allowHttp) {
    return `${hostname} must be called over https: plain http shows what it carries.`
  }
  if (otherPorts.has(port) && port !== ownPort) {
    return protocol === 'tcp:'
      ? `Port ${port} belongs to another service, so it is not called.`
      : `Port ${port} belongs to a service that is not HTTP, so it is not called.`
  }
  return undefined
}

/**
 * Names that no public DNS knows: one label, or an ending that is reserved for
 * private networks. What they mean depends on who asks, so they lead to listed
 * addresses only.
 *
 * @see RFC 6761, RFC 6762 (.local), RFC 8375 (home.arpa), ICANN's resolution of 2024-07-29 (.internal)
 */
export function isLocalName(hostname: string): boolean {
  if (net.isIP(hostname) !== 0) return false
  return (
    !hostname.includes('.') ||
    /\.(?:localhost|local|localdomain|internal|intranet|private|corp|home|lan|home\.arpa)$/.test(hostname)
  )
}

/**
 * Ports of other protocols, which a request could be made to speak to: the "bad ports" of browsers.
 *
 * @see https://fetch.spec.whatwg.org/#port-blocking
 */
const otherPorts = new Set([
  0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
  111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
  540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
  6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10_080,
])
