/** What every page of the console has to hold, and how tests get to one. */
import { mkdirSync } from 'node:fs'
import path from 'node:path'
import axeCore, { type AxeResults } from 'axe-core'
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import type { Person } from './ground.ts'

/** WCAG 2.2 AA, and what it builds on. */
const wcag = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']
const screenshots = path.join(import.meta.dirname, 'screenshots')

const complaints = new WeakMap<Page, string[]>()

/** Keeps what goes wrong on a page, for `noConsoleErrors`. `ground.newPage()` does it. */
export function watch(page: Page): void {
  const kept: string[] = []
  complaints.set(page, kept)
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') kept.push(`${message.type()}: ${message.text()}`)
  })
  page.on('pageerror', (error) => kept.push(`thrown: ${error.stack || error.message || JSON.stringify(error)}`))
  page.on('response', (response) => {
    if (response.status() >= 500) kept.push(`${response.status()} from ${response.url()}`)
  })
}

/**
 * Fails if anything was thrown, or written to the browser's console as an error or warning (a policy that was violated,
 * a file that was not found, a warning of React), or answered with 5xx since the page was opened or last asked.
 */
export function noConsoleErrors(page: Page, { except }: { readonly except?: RegExp } = {}): void {
  const kept = complaints.get(page)?.splice(0) ?? []
  expect(except ? kept.filter((text) => !except.test(text)) : kept, `what ${page.url()} complained of`).toEqual([])
}

export interface SignInOptions {
  /** What this browser kept from earlier, in `localStorage`: `{ 'sluice.language': 'de' }`. @default nothing */
  readonly kept?: Readonly<Record<string, string>>
}

/**
 * Signs in past the form, which has tests of its own, and waits until the page is there. The first load in this tab finds
 * what a browser has kept of a sign-in, and nothing else; later ones find what the console kept since.
 *
 * @param person null for nobody.
 * @param at the address to open.
 */
export async function signIn(
  page: Page,
  person: Person | null,
  at = '/console',
  { kept = {} }: SignInOptions = {},
): Promise<void> {
  const items = JSON.stringify(person ? { ...kept, 'sluice.refresh-token': await refreshToken(page, person) } : kept)
  await page.addInitScript(`(() => {
    if (!location.protocol.startsWith('http') || sessionStorage.getItem('begun')) return
    sessionStorage.setItem('begun', 'yes')
    localStorage.clear()
    for (const [key, value] of Object.entries(${items})) localStorage.setItem(key, value)
  })()`)
  await page.goto(at)
  if (person) await arrived(page)
  else await settled(page)
}

async function refreshToken(page: Page, { email, password }: Person): Promise<string> {
  const answer = await page.request.post('/graphql', {
    data: {
      query: `mutation ($email: String!, $password: String!) {
        sign_in(email: $email, password: $password) { refresh_token } }`,
      variables: { email, password },
    },
  })
  const { data, errors } = await answer.json()
  if (errors) throw new Error(`${email}: ${errors[0].message}`)
  return data.sign_in.refresh_token
}

/**
 * Signs in as people do, and waits until the page behind the form is there.
 *
 * @param at the address to open: without a sign-in it leads to the form, and from there back.
 */
export async function signInByForm(page: Page, { email, password }: Person, at = '/console'): Promise<void> {
  await page.goto(at)
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await arrived(page)
}

async function arrived(page: Page): Promise<void> {
  await page.getByRole('navigation').first().waitFor({ state: 'attached' })
  await settled(page)
}

/**
 * Goes to another address as a link would: the console is not loaded again, which takes three times as long. On the way
 * it goes where there is no page, so that nothing of the one before is left.
 */
export async function visit(page: Page, at: string): Promise<void> {
  const left = await page.evaluate<boolean>(`(async () => {
    for (const to of ['/console/no-such-page', ${JSON.stringify(at)}]) {
      const heading = document.querySelector('h1')
      history.pushState({ idx: (history.state?.idx ?? 0) + 1 }, '', to)
      dispatchEvent(new PopStateEvent('popstate', { state: history.state }))
      const deadline = performance.now() + 30_000
      while (heading?.isConnected) {
        if (performance.now() > deadline) return false
        await new Promise(requestAnimationFrame)
      }
    }
    return true
  })()`)
  expect(left, `whether the console left for ${at}`).toBe(true)
  await settled(page)
}

/** Waits until the page has its heading, nothing on it is loading (`aria-busy`), and no colour or place changes. */
export async function settled(page: Page): Promise<void> {
  await page.locator('h1').first().waitFor()
  await page.locator('body:not(:has([aria-busy="true"]))').waitFor({ state: 'attached' })
  await page.evaluate('document.fonts.ready')
  await still(page)
}

/**
 * Waits for the end of every transition and animation that has one. Colours on their way from one theme to the other
 * have no contrast to speak of.
 */
async function still(page: Page): Promise<void> {
  await page.evaluate(`(async () => {
    // A change of theme begins its transitions with the next frame.
    await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))
    for (;;) {
      const ending = document
        .getAnimations()
        .filter((each) => each.playState === 'running' && each.effect?.getComputedTiming().endTime !== Infinity)
      if (ending.length === 0) return
      await Promise.allSettled(ending.map((each) => each.finished))
    }
  })()`)
}

/** Fails with each violation: its rule, where it is, and what to do. */
export async function axe(page: Page, { exclude = [] }: { readonly exclude?: readonly string[] } = {}): Promise<void> {
  await still(page)
  // Through the debugger's door: the page's own policy lets no script in. Once in each page that was loaded: handing it
  // over takes longer than running it.
  if (!(await page.evaluate('"axe" in globalThis'))) await page.evaluate(axeCore.source)
  const context = JSON.stringify({ include: [['html']], exclude: exclude.map((selector) => [selector]) })
  const options = JSON.stringify({
    runOnly: { type: 'tag', values: wcag },
    rules: { 'target-size': { enabled: true } },
    // Of what is well, one each: to describe all of it takes longer than to find it.
    resultTypes: ['violations'],
  })
  const violations = await page.evaluate<AxeResults['violations']>(
    `axe.run(${context}, ${options}).then(({ violations }) => violations)`,
  )
  const lines = violations.flatMap(({ id, help, nodes }) =>
    nodes.map(({ target, failureSummary, html }) =>
      [`${id}: ${help}`, `  at ${target.join(' ')}`, `  ${html.slice(0, 200)}`, `  ${failureSummary}`].join('\n'),
    ),
  )
  if (lines.length > 0) throw new Error(`axe on ${page.url()}:\n${lines.join('\n')}`)
}

/** Fails if the whole page scrolls sideways at its present width, and names what sticks out. */
export async function noSideScroll(page: Page): Promise<void> {
  const wide = await page.evaluate<readonly string[] | null>(`(() => {
    const room = document.documentElement.clientWidth
    if (document.documentElement.scrollWidth <= room) return null
    const scrolls = (element) => element && element !== document.body && element !== document.documentElement &&
      (['auto', 'scroll', 'hidden', 'clip'].includes(getComputedStyle(element).overflowX) || scrolls(element.parentElement))
    return [...document.body.querySelectorAll('*')]
      .filter((element) => element.getBoundingClientRect().right > room + 1 && !scrolls(element.parentElement))
      .map((element) => element.outerHTML.slice(0, 160))
      .slice(0, 10)
  })()`)
  expect(wide, `what sticks out of ${page.url()} at ${page.viewportSize()?.width} px`).toBeNull()
}

export const widths = [360, 1440] as const
export const schemes = ['light', 'dark'] as const

/** Shows the page as on a screen this wide, under a system in this theme. */
export async function show(
  page: Page,
  width: (typeof widths)[number],
  scheme: (typeof schemes)[number],
): Promise<void> {
  await page.setViewportSize({ width, height: width === 360 ? 740 : 900 })
  await page.emulateMedia({ colorScheme: scheme })
  await settled(page)
}

/** `test/console/screenshots/<name>-<width>-<scheme>.jpg`, whole pages, which git ignores. */
export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true })
  const { width } = page.viewportSize() ?? { width: 0 }
  const isDark = await page.evaluate<boolean>('matchMedia("(prefers-color-scheme: dark)").matches')
  const file = path.join(screenshots, `${name}-${width}-${isDark ? 'dark' : 'light'}.jpg`)
  // Half the work of a PNG.
  await page.screenshot({ path: file, fullPage: true, type: 'jpeg', quality: 80, scale: 'css' })
}

/**
 * Which pictures are taken: with `SCREENSHOTS=all` of both themes at both widths; with any other value, and in
 * pages.test.ts always, of the two `views`; otherwise none beyond that.
 */
const wanted = process.env.SCREENSHOTS

/** Wide and light, narrow and dark: both themes and both layouts. With `SCREENSHOTS=all` the other two as well. */
export const views: readonly (readonly [(typeof widths)[number], (typeof schemes)[number]])[] =
  wanted === 'all'
    ? widths.flatMap((width) => schemes.map((scheme) => [width, scheme] as const))
    : [
        [1440, 'light'],
        [360, 'dark'],
      ]

/** Where pictures are wanted, one in each of the `views`; then the page is as wide as before, and light. */
export async function shots(page: Page, name: string): Promise<void> {
  if (!wanted) return
  await inEachView(page, () => shot(page, name))
}

/** In each of the `views`: axe finds nothing, nothing sticks out; and a picture, where they are wanted. */
export async function looksGood(
  page: Page,
  name: string,
  { picture = Boolean(wanted) }: { readonly picture?: boolean } = {},
): Promise<void> {
  await inEachView(page, async () => {
    if (picture) await shot(page, name)
    await axe(page)
    await noSideScroll(page)
  })
}

/** Then the page is as wide as before, and light. */
async function inEachView(page: Page, look: () => Promise<void>): Promise<void> {
  const before = page.viewportSize()
  for (const [width, scheme] of views) {
    await show(page, width, scheme)
    await look()
  }
  if (before) await page.setViewportSize(before)
  await page.emulateMedia({ colorScheme: 'light' })
}
