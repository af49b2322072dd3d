/** Every way we know to spell an address that must not be called, as a URL; and public ones that must not be refused. */
import { afterAll, describe, expect, test } from 'vitest'
import { createEgress } from './egress.ts'

// Every name is public here, so what is refused is refused for its spelling.
const egress = createEgress({ allow: [], resolve: async () => ['93.184.215.14'] })
afterAll(() => egress.close())

const lines = (text: string) =>
  text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
const hosts = (text: string) => text.split(/\s+/).filter(Boolean)

const refusedHosts = `
  127.0.0.1 127.1 127.0.1 127.255.255.254 127.0.0.1. 127.000.000.001 2130706433 017700000001 0x7f000001 0X7F000001
  0x7f.1 0x7f.0.1 0x7f.0.0.1 0x7f.0x0.0x0.0x1 0177.0.0.1 0177.0.0.01 0177.1 00000177.1 0x000000000000007f.1 127.0x1 127.65535 127.16777215
  0 0.0.0.0 0x0 00 0.1 0.255.255.255
  10.0.0.1 10.1 012.1 0xa.1 167772161 0x0a000001 10.255.255.255
  172.16.0.1 172.1048577 172.31.255.255 0xac100001 192.168.0.1 192.168.1 192.11010049 0xc0a80001 3232235521 030052000001
  100.64.0.1 100.127.255.255 1681915905 100.100.100.200 192.0.0.1 192.0.0.8 192.0.0.192 192.0.2.1 192.88.99.1
  198.18.0.1 198.19.255.255 198.51.100.7 203.0.113.9 224.0.0.1 239.255.255.250 240.0.0.1 255.255.255.255 4294967295 0xffffffff 037777777777
  169.254.169.254 169.254.43518 169.16689662 2852039166 0xa9fea9fe 0xa9.0xfe.0xa9.0xfe 0251.0376.0251.0376 0251.254.169.254
  169.254.170.2 169.254.170.23 168.63.129.16 0xa83f8110
  １２７.0.0.1 １２７。０。０。１ 127。0。0。1 127．0．0．1 127｡0｡0｡1 ①②⑦.0.0.1 ⑯⑨.254.169.254 ₁₂₇.0.0.1 ¹²⁷.0.0.1 ⓪x7f.1 𝟏𝟐𝟕.0.0.1 0ₓ7f.1
  %31%32%37.0.0.1 127%2e0%2e0%2e1 127.0.0.%31 %30x7f.1 127%E3%80%820.0.1 %C2%B9%C2%B2%E2%81%B7.0.0.1
  [::1] [::] [0::1] [0:0:0:0:0:0:0:1] [0000:0000:0000:0000:0000:0000:0000:0001] [::0001] [::0.0.0.1]
  [::127.0.0.1] [::7f00:1] [::10.0.0.1] [::8.8.8.8] [::ffff:0:127.0.0.1] [::ffff:0:7f00:1]
  [::ffff:127.0.0.1] [::ffff:7f00:1] [::FFFF:7F00:1] [0:0:0:0:0:ffff:127.0.0.1] [0:0:0:0:0:FFFF:7F00:0001] [::ffff:10.0.0.1] [::ffff:192.168.0.1] [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [::ffff:0.0.0.0]
  [64:ff9b::127.0.0.1] [64:ff9b::7f00:1] [64:ff9b::10.0.0.1] [64:ff9b::a9fe:a9fe] [0064:ff9b:0:0:0:0:169.254.169.254] [64:ff9b:1::8.8.8.8] [64:ff9b:1::7f00:1] [64:ff9b:1:ffff:ffff:ffff:ffff:ffff]
  [2002:7f00:1::] [2002:7f00:0001::1] [2002:a00:1::1] [2002:a9fe:a9fe::] [2002:c0a8:1::1]
  [2001:0:7f00:1::f7f7:f7f7] [2001::4136:e378:8000:63bf:80ff:fffe] [2001:0:808:808::f5ff:fffe]
  [fc00::1] [fd00::1] [fdff:ffff::1] [fd00:ec2::254] [fd20:ce::254] [fe80::1] [fe80::a9fe:a9fe] [febf::1] [fec0::1] [feff::1] [ff02::1] [ff05::1:3] [ff0e::1]
  [2001:db8::1] [3fff::1] [3fff:fff::1] [2001:2::1] [2001:10::1] [2001:1ff::1] [100::1] [100:0:0:1::1] [5f00::1] [4000::1] [1::1] [e000::1]
  localhost LOCALHOST LocalHost localhost. ｌｏｃａｌｈｏｓｔ ⓛocalhost loc%61lhost a.localhost a.b.localhost. localhost.localdomain
  metadata metadata.google.internal METADATA.GOOGLE.INTERNAL. metadata。google。internal instance-data.ec2.internal kubernetes.default.svc.cluster.local
  printer.local host.docker.internal router.home.arpa nas.lan intranet wiki.corp a.intranet x.private x.home
`

const refusedUrls = `
  https://user:secret@example.com/
  https://example.com@127.0.0.1/
  https://example.com:443@127.0.0.1/
  https://user@example.com/
  https://:secret@example.com/
  https://example.com%40127.0.0.1/
  https://127.0.0.1\\@example.com/
  https://127.0.0.1#@example.com/
  https://127.0.0.1?@example.com/
  https://127.0.0.1;@example.com/
  https:\\\\127.0.0.1\\
  https:127.0.0.1
  https:/127.0.0.1
  https:////127.0.0.1/
  hTTps://127.0.0.1/
  https://127.0.0.1:443/
  https://127.0.0.1:0443/
  https://[::1]:8443/
  https://[fe80::1%25eth0]/
  https://[fe80::1%eth0]/
  https://[::1%25lo]/
  https://[v1.fe80::1]/
  https://[127.0.0.1]/
  https://[::ffff:127.0.0.1/
  https://0x7f.0.0.0x1:8443/a?b#c
  https://127.0.0.1%00.example.com/
  https://example.com%00/
  https://exa mple.com/
  https://256.256.256.256/
  https://1.2.3.4.5/
  https://0x1ffffffff/
  https://4294967296/
  https://1.2.3.256/
  https://.example.com./..
  https://example..com/
  https://exa;mple.com/
  https://exa'mple.com/
  https://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example.com/
  https://example.com:99999/
  https://example.com:-1/
  https://example.com:0/
  https://example.com:22/
  https://example.com:25/
  https://example.com:6379@127.0.0.1:22/
  https://example.com:6667/
  https://example.com:2049/
  https://
  https:///
  //127.0.0.1/
  /etc/passwd
  127.0.0.1
  example.com
  http://example.com/
  http://93.184.215.14/
  http://127.0.0.1/
  ftp://example.com/
  file:///etc/passwd
  file://example.com/etc/passwd
  gopher://127.0.0.1:6379/_INFO
  dict://127.0.0.1:11211/stat
  ldap://example.com/
  ws://example.com/
  wss://example.com/
  data:text/plain,hello
  blob:https://example.com/1
  javascript:alert(1)
  about:blank
  jar:https://example.com!/
  unix:/var/run/docker.sock
  http+unix://%2Fvar%2Frun%2Fdocker.sock/info
  view-source:https://example.com/
`

const all = [...hosts(refusedHosts).map((host) => `https://${host}/`), ...lines(refusedUrls)]

test('the table is as long as it should be', () => expect(all.length).toBeGreaterThan(250))

test.each(all)('%s is refused before anything is sent', async (url) => {
  const error = await egress.request({ url, timeoutMs: 2000 }).then(
    ({ status }) => ({ status }),
    (thrown) => thrown,
  )
  // Some spellings mean a public name to the parser that also builds the request, and to it alone.
  expect(error).toMatchObject({ errorClass: 'blocked', code: 'BLOCKED' })
  expect(error.message).not.toContain('secret')
  expect(await egress.explain(url)).toMatchObject({ way: 'refused', reason: error.message })
})

const publicUrls = `
  https://example.com/
  https://example.com./
  https://EXAMPLE.com:443/
  https://example.com:8443/hooks?a=b#c
  https://xn--bcher-kva.example/
  https://bücher.example/
  https://example。com/
  https:\\\\example.com\\hooks
  https://127.0.0.1.nip.example/
  https://localhost.example.com/
  https://internal.example.com/
  https://local.example.com/
  https://my-localhost.com/
  https://metadata.google.internal.example.com/
  https://a_b.example.com/
  https://8.8.8.8/
  https://134744072/
  https://0x8080808/
  https://010.8.8.8/
  https://0127.0.0.1/
  https://１.１.１.１/
  https://93.184.215.14:8080/
  https://[2606:4700:4700::1111]/
  https://[2001:4860:4860::8888]:8443/
  https://[::ffff:8.8.8.8]/
  https://[64:ff9b::808:808]/
  https://192.0.0.9/
  https://192.0.1.1/
  https://192.175.48.1/
  https://172.32.0.1/
  https://100.128.0.1/
  https://[2620:4f:8000::1]/
`

describe('what is public', () => {
  test.each(lines(publicUrls))('%s may be called', async (url) => {
    const answer = await egress.explain(url)
    expect(answer).toMatchObject({ way: 'direct', findings: [{ allowed: true, listed: false }] })
    expect(answer.reason).toBeUndefined()
  })
})

describe('names of private networks', () => {
  test('are not looked up while no network is listed', async () => {
    const asked: string[] = []
    const resolve = async (name: string) => {
      asked.push(name)
      return ['10.0.0.1']
    }
    await using closing = new AsyncDisposableStack()
    const without = createEgress({ allow: [], resolve })
    const having = createEgress({ allow: ['10.0.0.0/8'], resolve })
    closing.defer(() => Promise.all([without.close(), having.close()]).then(() => undefined))
    expect(await without.explain('https://receiver.internal/')).toMatchObject({ way: 'refused', findings: [] })
    expect(asked).toEqual([])
    expect(await having.explain('http://receiver:8080/')).toMatchObject({ way: 'direct', host: 'receiver', port: 8080 })
    expect(asked).toEqual(['receiver'])
  })

  test('lead to listed networks only: a search list may turn them into public ones', async () => {
    await using having = new AsyncDisposableStack()
    const guard = createEgress({ allow: ['10.0.0.0/8'], resolve: async () => ['93.184.215.14'] })
    having.defer(() => guard.close())
    expect(await guard.explain('https://receiver/')).toMatchObject({
      way: 'refused',
      reason: expect.stringContaining('private network'),
    })
  })
})
