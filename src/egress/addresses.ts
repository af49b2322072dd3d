/**
 * Which addresses the gateway may dial. Public is what the IANA special-purpose
 * registries call globally reachable, or do not name
 * (https://www.iana.org/assignments/iana-ipv4-special-registry and -ipv6-, of 2026),
 * the metadata services of clouds excepted. An IPv6 address that a network
 * translates to an IPv4 one (mapped, NAT64, 6to4, Teredo) is judged by what it
 * carries too, so no spelling of 127.0.0.1 gets through.
 */
import { BlockList, isIPv4, isIPv6 } from 'node:net'
import { SluiceError } from '../errors.ts'

export interface AddressVerdict {
  /** May be dialled: public or on the operator's list, and not on the other one. */
  readonly allowed: boolean
  /** On the operator's list. Plain http may be used there. */
  readonly listed: boolean
  /** `public`, or the special range it is in: `loopback`, `private`, `link-local`, … `denied` when the operator refuses it. */
  readonly range: string
}

export type AddressPolicy = (address: string) => AddressVerdict

/**
 * @param allow CIDRs or single addresses that may be dialled although they are not public. The metadata
 *   address of a cloud hands out credentials, so it must be named itself: a network around it does not open it.
 * @param deny CIDRs or single addresses that may not be dialled, whatever else is said.
 * @throws SluiceError CONFIGURATION for an entry that is neither.
 * @example
 * const judge = createAddressPolicy(['10.20.0.0/16'])
 * judge('::ffff:10.20.1.1') // { allowed: true, listed: true, range: 'private' }
 * judge('169.254.169.254') // { allowed: false, listed: false, range: 'cloud metadata' }
 */
export function createAddressPolicy(allow: readonly string[], deny: readonly string[] = []): AddressPolicy {
  const allowed = listOf(cidrsOf('EGRESS_ALLOW', allow))
  const named = listOf(cidrsOf('EGRESS_ALLOW', allow).filter(isSingle))
  const denied = listOf(cidrsOf('EGRESS_DENY', deny))
  const isListed = (address: string) => inList(isMetadata(address) ? named : allowed, address)
  return (text) => {
    const forms = formsOf(text)
    if (!forms) return { allowed: false, listed: false, range: 'unreadable' }
    if (forms.some((form) => inList(denied, form))) return { allowed: false, listed: false, range: 'denied' }
    const range = rangeOf(forms)
    const [own = '', ...carried] = forms
    // What an address carries must be listed as a whole: a Teredo address names a server and a client.
    const listed = isListed(own) || (carried.length > 0 && carried.every(isListed))
    return { allowed: listed || range === 'public', listed, range }
  }
}

/** Inside of special ranges, and globally reachable all the same. */
const v4Exceptions = listOf(['192.0.0.9/32', '192.0.0.10/32'])

/** First match names the range. */
const v4Ranges = [
  [
    'cloud metadata',
    // AWS, Azure, Google, Oracle, DigitalOcean, Hetzner, OpenStack; AWS tasks and pods; Azure's wire server;
    // Alibaba; Oracle; Tencent; Scaleway.
    '169.254.169.254/32',
    '169.254.170.2/32',
    '169.254.170.23/32',
    '168.63.129.16/32',
    '100.100.100.200/32',
    '192.0.0.192/32',
    '169.254.0.23/32',
    '169.254.42.42/32',
  ],
  ['unspecified', '0.0.0.0/8'],
  ['loopback', '127.0.0.0/8'],
  ['private', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'],
  ['shared', '100.64.0.0/10'],
  ['link-local', '169.254.0.0/16'],
  ['protocol assignment', '192.0.0.0/24'],
  ['documentation', '192.0.2.0/24', '198.51.100.0/24', '203.0.113.0/24'],
  ['benchmarking', '198.18.0.0/15'],
  // Its relays are gone since RFC 7526; who announces it today is not whom it names.
  ['6to4 relay', '192.88.99.0/24'],
  ['multicast', '224.0.0.0/4'],
  ['reserved', '240.0.0.0/4'],
] as const

/** Inside of 2001::/23: anycast of PCP, TURN and DNS-SD, AMT, AS112, ORCHIDv2, drones. */
const v6Exceptions = listOf([
  '2001:1::1/128',
  '2001:1::2/128',
  '2001:1::3/128',
  '2001:3::/32',
  '2001:4:112::/48',
  '2001:20::/28',
  '2001:30::/28',
])

/** Only 2000::/3 is global unicast; what is outside it is named where a name helps, and refused in any case. */
const v6Ranges = [
  // AWS, AWS pods, Google, Scaleway.
  ['cloud metadata', 'fd00:ec2::254/128', 'fd00:ec2::23/128', 'fd20:ce::254/128', 'fd00:42::42/128'],
  ['unspecified', '::/128'],
  ['loopback', '::1/128'],
  ['private', 'fc00::/7'],
  ['link-local', 'fe80::/10'],
  ['site-local', 'fec0::/10'],
  ['multicast', 'ff00::/8'],
  ['discard', '100::/64', '100:0:0:1::/64'],
  ['local NAT64', '64:ff9b:1::/48'],
  ['segment routing', '5f00::/16'],
  ['benchmarking', '2001:2::/48'],
  ['ORCHID', '2001:10::/28'],
  ['protocol assignment', '2001::/23'],
  ['documentation', '2001:db8::/32', '3fff::/20'],
] as const

const v4Lists = v4Ranges.map(([name, ...cidrs]) => ({ name, list: listOf(cidrs) }))
const v6Lists = v6Ranges.map(([name, ...cidrs]) => ({ name, list: listOf(cidrs) }))
const globalUnicast = listOf(['2000::/3'])

/** The range of an address: of the IPv4 addresses it carries if it carries any, else its own. */
function rangeOf(forms: readonly string[]): string {
  const [own = '', ...carried] = forms
  if (carried.length > 0) return carried.map(rangeOfV4).find((range) => range !== 'public') ?? 'public'
  if (isIPv4(own)) return rangeOfV4(own)
  if (v6Exceptions.check(own, 'ipv6')) return 'public'
  const named = v6Lists.find(({ list }) => list.check(own, 'ipv6'))
  if (named) return named.name
  return globalUnicast.check(own, 'ipv6') ? 'public' : 'reserved'
}

function rangeOfV4(address: string): string {
  if (v4Exceptions.check(address, 'ipv4')) return 'public'
  return v4Lists.find(({ list }) => list.check(address, 'ipv4'))?.name ?? 'public'
}

const metadata = [...v4Lists, ...v6Lists].filter(({ name }) => name === 'cloud metadata').map(({ list }) => list)

function isMetadata(address: string): boolean {
  return metadata.some((list) => inList(list, address))
}

/** The address without its zone, followed by the IPv4 addresses that it carries; undefined when it is no address. */
function formsOf(text: string): readonly string[] | undefined {
  const address = text.replace(/^\[|\]$/g, '').replace(/%.*$/, '')
  if (isIPv4(address)) return [address]
  if (!isIPv6(address)) return undefined
  return [address, ...carriedV4(wordsOf(address))]
}

/**
 * Compatible (`::10.0.0.1`) and translated (`::ffff:0:10.0.0.1`) addresses are not
 * among them: no network carries those any more, so they are refused as reserved.
 *
 * @see RFC 4291 2.5.5.2 (mapped), RFC 6052 (NAT64), RFC 3056 (6to4), RFC 4380 (Teredo)
 */
function carriedV4(words: readonly number[]): readonly string[] {
  const v4 = (at: number, mask = 0) => {
    const high = (words[at] ?? 0) ^ mask
    const low = (words[at + 1] ?? 0) ^ mask
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
  }
  const startsWith = (...prefix: readonly number[]) => prefix.every((word, index) => words[index] === word)
  if (startsWith(0, 0, 0, 0, 0, 0xffff)) return [v4(6)]
  if (startsWith(0x64, 0xff9b, 0, 0, 0, 0)) return [v4(6)]
  if (startsWith(0x2002)) return [v4(1)]
  if (startsWith(0x2001, 0)) return [v4(2), v4(6, 0xffff)]
  return []
}

/** The eight 16-bit words of a valid IPv6 address. */
function wordsOf(address: string): readonly number[] {
  const dotted = /(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address)
  const hex = dotted
    ? address.slice(0, dotted.index) +
      [1, 3].map((index) => ((Number(dotted[index]) << 8) | Number(dotted[index + 1])).toString(16)).join(':')
    : address
  const [head = '', tail] = hex.split('::')
  const left = head.split(':').filter(Boolean)
  const right = (tail ?? '').split(':').filter(Boolean)
  const zeros = Array<string>(8 - left.length - right.length).fill('0')
  return [...left, ...zeros, ...right].map((word) => Number.parseInt(word, 16))
}

function inList(list: BlockList, address: string): boolean {
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6')
}

function listOf(cidrs: readonly string[]): BlockList {
  const list = new BlockList()
  for (const cidr of cidrs) {
    const [network = '', bits] = cidr.split('/')
    list.addSubnet(network, Number(bits), isIPv4(network) ? 'ipv4' : 'ipv6')
  }
  return list
}

function cidrsOf(variable: string, entries: readonly string[]): readonly string[] {
  return entries.map((entry) => {
    const [network = '', bits, ...rest] = entry.trim().split('/')
    const most = isIPv4(network) ? 32 : isIPv6(network) ? 128 : -1
    const length = bits === undefined ? most : /^\d{1,3}$/.test(bits) ? Number(bits) : -1
    if (most < 0 || length < 0 || length > most || rest.length > 0) {
      throw new SluiceError(
        'CONFIGURATION',
        `${variable}: "${entry}" is not a network. Write CIDRs such as 10.20.0.0/16 or fd12:3456::/32, separated by commas.`,
      )
    }
    return `${network}/${length}`
  })
}

function isSingle(cidr: string): boolean {
  return cidr.endsWith(isIPv4(cidr.split('/')[0] ?? '') ? '/32' : '/128')
}
