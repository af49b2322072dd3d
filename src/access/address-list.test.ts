import { expect, it } from 'vitest'
import { addressList, networkOf, plainAddress } from './address-list.ts'

it.each([
  ['198.51.100.7', '198.51.100.7', true],
  ['198.51.100.0/24', '198.51.100.255', true],
  ['198.51.100.0/24', '198.51.101.0', false],
  ['198.51.100.0/24', '::ffff:198.51.100.9', true],
  ['198.51.100.0/24', '::ffff:c633:6409', true],
  ['::ffff:198.51.100.0/120', '198.51.100.9', true],
  ['2001:db8::/32', '2001:db8:1::5', true],
  ['2001:db8::/32', '2001:db9::5', false],
  ['fe80::/10', 'fe80::1%eth0', true],
  ['0.0.0.0/0', '::1', false],
  ['::/0', '10.0.0.1', false],
  ['10.0.0.0/8', 'not an address', false],
])('%s takes %s: %s', (entry, address, taken) => {
  expect(addressList([entry])(address)).toBe(taken)
})

it.each([
  '',
  'localhost',
  '10.0.0.0/33',
  '10.0.0.0/-1',
  '10.0.0.0/8/8',
  '2001:db8::/129',
  '::ffff:10.0.0.0/8',
  '10.0.0.0/8x',
])('refuses the entry "%s" with an example of a right one', (entry) => {
  expect(() => addressList([entry])).toThrow(/neither an address nor a CIDR. Write 198.51.100.7/)
})

it('spells one address in one way', () => {
  expect(plainAddress('0:0:0:0:0:ffff:192.0.2.1')).toBe('192.0.2.1')
  expect(plainAddress('::FFFF:C000:0201')).toBe('192.0.2.1')
  expect(plainAddress(' 2001:DB8::1%eth0 ')).toBe('2001:db8::1')
  expect(plainAddress('unknown')).toBeNull()
})

it('counts an IPv6 network of one host as one caller', () => {
  expect(networkOf('2001:db8:1:2:3::4')).toBe('2001:db8:1:2::/64')
  expect(networkOf('2001:db8::')).toBe('2001:db8:0:0::/64')
  expect(networkOf('::1')).toBe('0:0:0:0::/64')
  expect(networkOf('::ffff:192.0.2.1')).toBe('192.0.2.1')
})
