import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createAddressPolicy } from './addresses.ts'

const judge = createAddressPolicy([])

const refused = `
127.0.0.1 127.0.0.0 127.1.2.3 127.255.255.255 0.0.0.0 0.1.2.3 0.255.255.255
10.0.0.0 10.0.0.1 10.255.255.255 172.16.0.0 172.16.0.1 172.20.10.2 172.31.255.255 192.168.0.0 192.168.0.1 192.168.255.255
100.64.0.0 100.64.0.1 100.100.100.200 100.127.255.255 169.254.0.1 169.254.169.254 169.254.170.2 169.254.255.255
192.0.0.0 192.0.0.8 192.0.0.170 192.0.0.192 192.0.2.0 192.0.2.1 192.88.99.1
198.18.0.0 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.0 203.0.113.255 168.63.129.16
224.0.0.1 239.255.255.255 240.0.0.1 250.1.2.3 255.255.255.254 255.255.255.255
:: ::1 0:0:0:0:0:0:0:1 0000:0000:0000:0000:0000:0000:0000:0001 ::0.0.0.1 ::0.0.0.0
::8.8.8.8 ::ffff:0:8.8.8.8 ::2 ::ffff ::7f00:1 ::127.0.0.1 ::10.0.0.1 ::a9fe:a9fe ::c0a8:1
::ffff:127.0.0.1 ::ffff:7f00:1 ::FFFF:7F00:0001 0:0:0:0:0:ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::ffff:a9fe:a9fe
::ffff:0.0.0.0 ::ffff:0:0 ::ffff:168.63.129.16 ::ffff:192.168.1.1 ::ffff:0:127.0.0.1 ::ffff:0:7f00:1
64:ff9b::127.0.0.1 64:ff9b::7f00:1 64:ff9b::10.0.0.1 64:ff9b::a9fe:a9fe 64:ff9b::168.63.129.16 64:ff9b:1::1 64:ff9b:1::8.8.8.8 64:ff9b:1:ffff::7f00:1
2002:7f00:1:: 2002:7f00:0001::1 2002:0a00:0001::1 2002:a9fe:a9fe:: 2002:c0a8:0101:: 2002:a83f:8110::
2001:0:7f00:1::f7f7:f7f7 2001:0:4136:e378:8000:63bf:80ff:fffe 2001:0:4136:e378:8000:63bf:f5ff:fffe 2001:0:808:808::5601:5601
2001:: 2001:1:: 2001:1::4 2001:2::1 2001:4:111::1 2001:10::1 2001:1f:ffff::1 2001:40::1 2001:1ff:ffff::1 2001:db8:: 2001:db8::1 2001:db8:ffff:ffff::1
3fff:: 3fff::1 3fff:fff::1 5f00::1 100::1 100:0:0:1::1 200::1 400::1
fc00:: fc00::1 fd00::1 fd00:ec2::254 fd12:3456:789a::1 fdff:ffff::1 fe80::1 fe80::1%eth0 fe80::a9fe:a9fe febf::1 fec0::1 feff::1
ff00:: ff02::1 ff05::2 ff0e::1 4000::1 6000::1 8000::1 a000::1 c000::1 e000::1 1fff::1
[::1] [::ffff:127.0.0.1]
`

const open = `
1.1.1.1 8.8.8.8 9.9.9.9 11.0.0.1 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.1 168.63.129.15 168.63.129.17
192.0.0.9 192.0.0.10 192.31.196.1 192.52.193.1 192.175.48.1
2001:1::1 2001:1::2 2001:1::3 2001:3::1 2001:4:112::1 2001:20::1 2001:2f:ffff::1 2001:30::1 2620:4f:8000::1
169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.1 192.0.3.1 192.167.255.255 192.169.0.0
198.17.255.255 198.20.0.0 198.51.99.255 198.51.101.0 203.0.112.255 203.0.114.0 223.255.255.255
2606:4700:4700::1111 2001:4860:4860::8888 2a00:1450:4009:80a::200e 2620:fe::fe 2001:200::1 2001:db7::1 2001:db9::1 2003::1 2620:4f:8001::1 3ffe::1 2000::1
::ffff:8.8.8.8 ::ffff:808:808 64:ff9b::8.8.8.8 64:ff9b::808:808 2002:808:808::1 2001:0:808:808:8000:63bf:f7f7:f7f7
`

const words = (text: string) => text.split(/\s+/).filter(Boolean)

describe('without a list of the operator', () => {
  test.each(words(refused))('%s is refused', (address) => {
    expect(judge(address)).toMatchObject({ allowed: false, listed: false })
  })

  test.each(words(open))('%s is public', (address) => {
    expect(judge(address)).toEqual({ allowed: true, listed: false, range: 'public' })
  })

  test.each([
    '',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f000001',
    '0177.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    ':::',
    '1::2::3',
  ])('text that is no address is refused: "%s"', (text) =>
    expect(judge(text)).toEqual({ allowed: false, listed: false, range: 'unreadable' }),
  )

  /** The registries once more, as numbers, so that a slip in either is seen. */
  const notReachable = `
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24
    192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4 168.63.129.16/32`
  const numberOf = (address: string) => address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  const blocks = words(notReachable).map((cidr) => {
    const [start = '', bits] = cidr.split('/')
    return { start: numberOf(start), size: 2 ** (32 - Number(bits)) }
  })
  const anycast = [numberOf('192.0.0.9'), numberOf('192.0.0.10')]
  const isPublic = (number: number) =>
    anycast.includes(number) || !blocks.some(({ start, size }) => number >= start && number < start + size)
  const textOf = (number: number) => [24, 16, 8, 0].map((shift) => (number >>> shift) & 255).join('.')

  test('of all IPv4 addresses, exactly those that the registry does not reserve are public', () => {
    const edges = blocks.flatMap(({ start, size }) => [start - 1, start, start + size - 1, start + size])
    for (const number of edges.filter((edge) => edge >= 0 && edge < 2 ** 32)) {
      expect({ address: textOf(number), allowed: judge(textOf(number)).allowed }).toEqual({
        address: textOf(number),
        allowed: isPublic(number),
      })
    }
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 1 }), (number) => {
        expect(judge(textOf(number)).allowed).toBe(isPublic(number))
      }),
      { numRuns: 5000 },
    )
  })

  test('no address that a registry gives out to networks of the IPv6 internet is refused', () => {
    // What IANA has handed to the regional registries: https://www.iana.org/assignments/ipv6-unicast-address-assignments
    const given = [0x2003, 0x2400, 0x2600, 0x2610, 0x2620, 0x2630, 0x2800, 0x2a00, 0x2a10, 0x2c00]
    const word = fc.integer({ min: 0, max: 0xffff })
    fc.assert(
      fc.property(fc.constantFrom(...given), fc.array(word, { minLength: 7, maxLength: 7 }), (first, rest) => {
        const address = [first, ...rest].map((part) => part.toString(16)).join(':')
        expect(judge(address)).toEqual({ allowed: true, listed: false, range: 'public' })
      }),
      { numRuns: 3000 },
    )
  })

  test('every way to carry an IPv4 address in an IPv6 one is judged like that address', () => {
    const carriers = [
      (a: number, b: number, c: number, d: number) => `::ffff:${a}.${b}.${c}.${d}`,
      (a: number, b: number, c: number, d: number) => `64:ff9b::${a}.${b}.${c}.${d}`,
      (a: number, b: number, c: number, d: number) =>
        `2002:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}::1`,
      (a: number, b: number, c: number, d: number) =>
        `2001:0:808:808::${(((a << 8) | b) ^ 0xffff).toString(16)}:${(((c << 8) | d) ^ 0xffff).toString(16)}`,
    ]
    const byte = fc.integer({ min: 0, max: 255 })
    fc.assert(
      fc.property(byte, byte, byte, byte, (a, b, c, d) => {
        const plain = judge(`${a}.${b}.${c}.${d}`)
        for (const carry of carriers) expect(judge(carry(a, b, c, d))).toEqual(plain)
      }),
      { numRuns: 2000 },
    )
  })

  test('every spelling of an IPv6 address gets the verdict of its canonical spelling', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        const canonical = new URL(`http://[${address}]/`).hostname
        expect(judge(canonical)).toEqual(judge(address))
        expect(judge(address.toUpperCase())).toEqual(judge(address))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('with a list of the operator', () => {
  const listed = createAddressPolicy(['127.0.0.0/8', '::1', '10.20.0.0/16', 'fd12::/16'])

  test.each(['127.0.0.1', '::1', '10.20.3.4', 'fd12::7', '::ffff:127.0.0.1', '::ffff:7f00:1', '64:ff9b::10.20.0.1'])(
    '%s may be dialled',
    (address) => expect(listed(address)).toMatchObject({ allowed: true, listed: true }),
  )

  test.each(['10.21.0.1', 'fd13::1', '::ffff:10.21.0.1', '169.254.169.254', '::2'])('%s stays refused', (address) => {
    expect(listed(address)).toMatchObject({ allowed: false, listed: false })
  })

  test('a network around the metadata address of a cloud does not open it; its own name does', () => {
    const wide = createAddressPolicy(['0.0.0.0/0', '::/0'])
    for (const address of [
      '169.254.169.254',
      '168.63.129.16',
      'fd00:ec2::254',
      '::ffff:a9fe:a9fe',
      '100.100.100.200',
    ]) {
      expect(wide(address)).toEqual({ allowed: false, listed: false, range: 'cloud metadata' })
    }
    expect(wide('169.254.1.1')).toMatchObject({ allowed: true, listed: true })
    expect(createAddressPolicy(['169.254.169.254'])('169.254.169.254')).toMatchObject({ allowed: true, listed: true })
  })

  test('a Teredo address is listed when both its ends are', () => {
    const tunnel = (server: string, client: string) => `2001:0:${server}:8000:63bf:${client}`
    // 10.20.0.1 as the server; the client, inverted, is 127.0.0.1 or 10.21.0.1.
    expect(listed(tunnel('a14:1', '80ff:fffe'))).toMatchObject({ allowed: true })
    expect(listed(tunnel('a14:1', 'f5ea:fffe'))).toMatchObject({ allowed: false })
  })

  test('what the operator denies stays closed in every spelling, public or listed', () => {
    const strict = createAddressPolicy(['10.0.0.0/8'], ['10.9.0.0/16', '198.41.0.4', '2a00:1450::/29'])
    for (const address of ['10.9.1.1', '::ffff:10.9.1.1', '198.41.0.4', '64:ff9b::198.41.0.4', '2a00:1450:4009::1']) {
      expect(strict(address)).toEqual({ allowed: false, listed: false, range: 'denied' })
    }
    expect(strict('10.8.1.1')).toMatchObject({ allowed: true })
    expect(() => createAddressPolicy([], ['x'])).toThrow('EGRESS_DENY: "x"')
  })

  test('a public address needs no list', () => {
    expect(listed('8.8.8.8')).toEqual({ allowed: true, listed: false, range: 'public' })
  })

  test.each(['10.0.0.0/33', '10.0.0/8', 'example.com', '10.0.0.0/', '::/129', '10.0.0.0/8/8', '10.0.0.0/-1'])(
    'an entry that is no network is named: %s',
    (entry) => expect(() => createAddressPolicy([entry])).toThrow(`"${entry}" is not a network`),
  )
})
