import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chown, mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type Home, homeAt, keptSecretKey, makeHome, ownerOf, takeHome } from './home.ts'
import { requireFreePorts } from './ports.ts'

let home: Home
beforeEach(async () => {
  home = homeAt(path.join(await mkdtemp(path.join(tmpdir(), 'sluice-test-home-')), '.sluice'))
  await makeHome(home)
})
afterEach(() => rm(path.dirname(home.folder), { recursive: true }))

describe('a home', () => {
  test('has one secret key for ever, which only its owner can read', async () => {
    const key = await keptSecretKey(home)
    expect(Buffer.from(key, 'base64')).toHaveLength(32)
    expect(await keptSecretKey(home)).toBe(key)
    expect((await stat(home.secretKey)).mode & 0o777).toBe(0o600)
    expect((await stat(home.files)).mode & 0o777).toBe(0o700)
  })

  test('has one owner at a time, who is named to the next', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', 'main.ts'])
    await once(child, 'spawn')
    await writeFile(home.lock, `${child.pid}\n`)
    await expect(takeHome(home)).rejects.toThrow(`process ${child.pid}`)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { wasLeftBehind, release } = await takeHome(home)
    expect(wasLeftBehind).toBe(true)
    await release()
    expect((await takeHome(home)).wasLeftBehind).toBe(false)
  })

  test.runIf(existsSync('/proc/self'))('where no folder can be is refused at once', async () => {
    for (const place of ['/proc/sluice', '/proc/sluice/deep', '/proc/version/sluice', '/proc/version']) {
      await expect(makeHome(homeAt(place))).rejects.toThrow(/cannot be made .* set SLUICE_HOME to another folder/)
    }
  })

  test('may be anywhere below a folder that is there', async () => {
    const deep = homeAt(path.join(home.folder, 'a/b/c'))
    await makeHome(deep)
    await makeHome(deep)
    expect((await stat(deep.mail)).isDirectory()).toBe(true)
  })

  test.runIf(process.getuid?.() === 0)('of another user is left alone, by root too', async () => {
    await chown(home.folder, 12_345, 12_345)
    await expect(makeHome(home)).rejects.toThrow('belongs to another user')
  })

  test('is not owned by another program that has the old number by now', async () => {
    await writeFile(home.lock, `${process.ppid}\n`)
    expect(await ownerOf(home)).toBeUndefined()
  })
})

describe('wanted ports', () => {
  test('that are taken or asked for twice are named all at once, with their variables', async () => {
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const want = (what: string, variable: string, number: number) => ({
      what,
      variable,
      host: '127.0.0.1',
      port: number,
    })
    const wanted = [want('the gateway', 'GATEWAY_PORT', port), want('S3', 'EMBEDDED_S3_PORT', port)]
    await expect(requireFreePorts(wanted)).rejects.toThrow(/GATEWAY_PORT[\s\S]*EMBEDDED_S3_PORT[\s\S]*twice/)
    await requireFreePorts([want('a', 'A', 0), want('b', 'B', 0)])

    const becomesFree = requireFreePorts(wanted.slice(0, 1), 5000)
    server.close()
    await becomesFree
  })
})
