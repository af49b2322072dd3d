import { stripVTControlCharacters } from 'node:util'
import { afterEach, expect, test, vi } from 'vitest'
import { egressCommand } from './egress.ts'

const printed = vi.spyOn(console, 'log').mockImplementation(() => undefined)
afterEach(() => {
  printed.mockClear()
  process.exitCode = undefined
})

async function check(url: string, env: Record<string, string> = {}, ...options: string[]) {
  await egressCommand(env).parseAsync(['check', url, ...options], { from: 'user' })
  const said = { text: stripVTControlCharacters(String(printed.mock.lastCall?.[0])), code: process.exitCode }
  process.exitCode = undefined
  return said
}

test('a refused URL is shown as it is understood, with its reason and code 1', async () => {
  expect(await check('https://0x7f.1/hook')).toEqual({
    text: [
      '127.0.0.1, port 443',
      '  127.0.0.1  refused  loopback',
      'Refused. 127.0.0.1 is not a public address (loopback). If it should be reachable, an operator adds its network to EGRESS_ALLOW.',
    ].join('\n'),
    code: 1,
  })
  expect(await check('ftp://example.com/')).toEqual({ text: 'Refused. Only https can be called, not ftp.', code: 1 })
})

test('lists and the proxy of the configuration count', async () => {
  expect(await check('http://127.0.0.1:8080/', { EGRESS_ALLOW: '127.0.0.0/8' })).toEqual({
    text: '127.0.0.1, port 8080\n  127.0.0.1  allowed  loopback, on EGRESS_ALLOW\nMay be called.',
    code: undefined,
  })
  expect(await check('https://93.184.215.14/', { EGRESS_PROXY: 'http://proxy.example:3128' })).toMatchObject({
    text: expect.stringContaining('through the forward proxy'),
  })
  expect((await check('https://93.184.215.14/', { EGRESS_DENY: '93.184.0.0/16' })).text).toContain('EGRESS_DENY')
  await expect(check('https://93.184.215.14/', { EGRESS_PROXY: 'socks5://x' })).rejects.toThrow('EGRESS_PROXY')
})

test('as JSON for scripts', async () => {
  const { text } = await check('https://[::1]/', {}, '--json')
  expect(JSON.parse(text)).toMatchObject({ way: 'refused', host: '::1', port: 443, findings: [{ range: 'loopback' }] })
})
