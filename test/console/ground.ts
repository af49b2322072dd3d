/**
 * A whole Sluice for the console's tests: gateway, worker, storage and mail server over a database of the test file's
 * own, the built console, and a browser.
 */
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { describe, vi } from 'vitest'
import type { MailCatcher } from '../../src/egress/mail-catcher.ts'
import { silentLog } from '../../src/log.ts'
import { startWorkerParts } from '../../src/worker/worker.ts'
import { testMail } from '../ground/mail.ts'
import { type Receiver, type ReceiverOptions, startReceiver } from '../ground/receiver.ts'
import { type TestStorage, testStorage } from '../ground/storage.ts'
import { buildTeam, buildWorld, type TeamWorld, type World } from '../ground/world.ts'
import { chromiumProgram, launchBrowser } from './browser.ts'
import { requireBuild } from './built.ts'
import { type SignInOptions, signIn, watch } from './checks.ts'

// A browser takes both cores; on a machine that is ten times too busy a test takes ten times as long.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

/** Tests in a browser: skipped, with a notice, where there is none. */
export const describeInBrowser = describe.skipIf(!chromiumProgram)

export interface ConsoleGround {
  /** `http://127.0.0.1:port` of the gateway; its PUBLIC_URL too, so that links in mails work. */
  readonly url: string
  readonly world: World
  readonly mail: MailCatcher
  readonly storage: TestStorage
  /** A third party on 127.0.0.1, which calls may reach. */
  readonly receiver: Receiver
  readonly browser: Browser
  /** What `signIn` takes: two teams' people, and the admin. `viewer` and `editor` are camden's. */
  readonly people: Readonly<Record<Who, Person>>
  /** A page in a browser profile of its own: nobody is signed in. Addresses are relative to the gateway. */
  newPage(options?: BrowserContextOptions): Promise<Page>
  /**
   * A page in a tab of its own, of somebody who is signed in, or null for nobody. Editors share a browser profile, as do
   * viewers and so on, so that what was loaded and compiled once is there; what earlier pages kept in it is not. So only
   * one editor at a time. Close the page after use.
   *
   * @param at the address to open. @default '/console'
   */
  pageOf(person: Person | null, at?: string, options?: SignInOptions): Promise<Page>
  /** One more team like camden and lambeth: a test that has its own can be tried again. */
  aTeam(): Promise<TeamWorld>
  close(): Promise<void>
}

export type Who = 'admin' | 'editor' | 'viewer' | 'lambeth'

export interface Person {
  readonly email: string
  readonly password: string
}

export interface ConsoleGroundOptions {
  /** Of the gateway and worker. */
  readonly config?: Readonly<Record<string, string>>
  /** What the third party answers. @default 204 */
  readonly receiver?: ReceiverOptions['handler']
}

/**
 * @example
 * describeInBrowser('The page of webhooks', () => {
 *   let ground: ConsoleGround
 *   beforeAll(async () => { ground = await openConsole() })
 *   afterAll(() => ground?.close())
 *   it('…', async () => {
 *     const page = await ground.pageOf(ground.people.editor, '/console/webhooks')
 *     …
 *     await page.close()
 *   })
 * })
 */
export async function openConsole({
  config = {},
  receiver: handler,
}: ConsoleGroundOptions = {}): Promise<ConsoleGround> {
  const closers: (() => Promise<unknown>)[] = []
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one()
  }
  try {
    const [mail, storage, receiver, port] = await Promise.all([
      testMail(),
      testStorage(),
      startReceiver({ handler }),
      freePort(),
      requireBuild(),
    ])
    closers.push(
      () => mail.close(),
      () => storage.close(),
      () => receiver.close(),
    )
    const given: Record<string, string> = {
      ...(storage.config as unknown as Record<string, string>),
      GATEWAY_PORT: `${port}`,
      PUBLIC_URL: `http://127.0.0.1:${port}`,
      SMTP_URL: mail.url,
      ...config,
    }
    const [world, browser] = await Promise.all([buildWorld({ config: given }), launchBrowser()])
    closers.push(
      () => world.close(),
      () => browser.close(),
    )
    const worker = await startWorkerParts({
      config: world.config,
      database: world.database,
      sealer: world.sealer,
      files: storage.files,
      log: silentLog,
      schedules: [],
      engine: { pollMs: 50 },
    })
    closers.push(() => worker.close())
    const people = {
      admin: world.admin,
      editor: world.camden.editor,
      viewer: world.camden.viewer,
      lambeth: world.lambeth.editor,
    }
    const newProfile = async (options: BrowserContextOptions = {}) => {
      const profile = await browser.newContext({
        baseURL: world.url,
        locale: 'en-GB',
        timezoneId: 'Europe/London',
        reducedMotion: 'reduce',
        viewport: { width: 1440, height: 900 },
        ...options,
      })
      profile.setDefaultTimeout(60_000)
      return profile
    }
    const newTab = async (profile: BrowserContext) => {
      const page = await profile.newPage()
      watch(page)
      return page
    }
    const profiles = new Map<string, Promise<BrowserContext>>()
    const profileOf = (kind: string): Promise<BrowserContext> => {
      const profile = profiles.get(kind) ?? newProfile()
      profiles.set(kind, profile)
      return profile
    }
    let teams = 0
    return {
      url: world.url,
      world,
      mail,
      storage,
      receiver,
      browser,
      people,
      newPage: async (options) => newTab(await newProfile(options)),
      async pageOf(person, at, options) {
        const page = await newTab(await profileOf(person?.email.split('@')[0] ?? 'nobody'))
        await signIn(page, person, at, options)
        return page
      },
      async aTeam() {
        teams += 1
        return buildTeam(world.database, `hackney-${teams}`)
      },
      close,
    }
  } catch (error) {
    await close()
    throw error
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await once(server.close(), 'close')
  return port
}
