/** Lists of addresses: IPv4 and IPv6, single or as CIDRs. An IPv4 address that comes mapped into IPv6 is the IPv4 one. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net'
import { SluiceError } from '../errors.ts'

export type AddressList = (address: string) => boolean

/**
 * @param path where the entries stand in the caller's input, for the error.
 * @throws SluiceError VALIDATION_FAILED that names the entry that is neither an address nor a CIDR.
 * @example
 * const office = addressList(['198.51.100.0/24', '2001:db8::/32'])
 * office('::ffff:198.51.100.7') // true
 */
export function addressList(entries: readonly string[], path = 'allowed_addresses'): AddressList {
  // Two, because one alone takes IPv4 addresses for IPv6 ones: ::/0 would be everybody.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const entry of entries) addEntry(lists, entry, path)
  return (text) => {
    const address = plainAddress(text)
    if (address === null) return false
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    return lists[family].check(address, family)
  }
}

/**
 * The plain spelling of an address: without a zone, and IPv4 where IPv6 only wraps it; null when it is none.
 *
 * @example plainAddress('::ffff:192.0.2.1') // '192.0.2.1'
 */
export function plainAddress(text: string): string | null {
  const address = text.trim().replace(/%.*$/, '').toLowerCase()
  const mapped = /^(?:0{0,4}:){2,5}:?ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(address)?.[1]
  if (mapped && isIPv4(mapped)) return mapped
  const hex = /^(?:::|(?:0{1,4}:){5})ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address)
  if (hex?.[1] && hex[2]) {
    const [high, low] = [Number.parseInt(hex[1], 16), Number.parseInt(hex[2], 16)]
    return [high >> 8, high & 255, low >> 8, low & 255].join('.')
  }
  return isIP(address) ? address : null
}

/** What is counted as one caller: an IPv4 address, or the /64 of an IPv6 one, of which a single host has all addresses. */
export function networkOf(text: string): string {
  const address = plainAddress(text)
  if (address === null || isIPv4(address)) return address ?? text
  const [head = '', tail] = address.split('::')
  const groups = head === '' ? [] : head.split(':')
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length
    while (groups.length + after < 8) groups.push('0')
  }
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}

function addEntry(lists: Readonly<Record<'ipv4' | 'ipv6', BlockList>>, entry: string, path: string): void {
  const [host = '', length, ...rest] = entry.split('/')
  const address = plainAddress(host)
  // A prefix counts the bits of the form that was written: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const wrapped = address !== null && isIPv4(address) && isIPv6(host.trim()) ? 96 : 0
  const bits = length === undefined ? null : /^\d{1,3}$/.test(length) ? Number(length) - wrapped : Number.NaN
  const most = address !== null && isIPv4(address) ? 32 : 128
  if (address === null || rest.length > 0 || (bits !== null && !(bits >= 0 && bits <= most))) {
    throw new SluiceError(
      'VALIDATION_FAILED',
      `"${entry.slice(0, 60)}" is neither an address nor a CIDR. Write 198.51.100.7, 198.51.100.0/24 or 2001:db8::/32.`,
      { path },
    )
  }
  const family = isIPv4(address) ? 'ipv4' : 'ipv6'
  if (bits === null) lists[family].addAddress(address, family)
  else lists[family].addSubnet(address, bits, family)
}
