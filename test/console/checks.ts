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

/**
 * Signs in through the form, and waits until the page behind it is there.
 *
 * @param at the address to open: without a sign-in it leads to the form, and from there back.
 */
export async function signIn(page: Page, { email, password }: Person, at = '/console'): Promise<void> {
  await page.goto(at)
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password', { exact: true }).fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation').first().waitFor({ state: 'attached' })
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
  // Through the debugger's door: the page's own policy lets no script in.
  await page.evaluate(`globalThis.axe || (() => { ${axeCore.source} })()`)
  const context = JSON.stringify({ include: [['html']], exclude: exclude.map((selector) => [selector]) })
  const options = JSON.stringify({
    runOnly: { type: 'tag', values: wcag },
    rules: { 'target-size': { enabled: true } },
  })
  const { violations } = await page.evaluate<AxeResults>(`axe.run(${context}, ${options})`)
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

/** `test/console/screenshots/<name>-<width>-<scheme>.png`, whole pages, which git ignores. */
export async function shot(page: Page, name: string): Promise<void> {
  mkdirSync(screenshots, { recursive: true })
  const { width } = page.viewportSize() ?? { width: 0 }
  const isDark = await page.evaluate<boolean>('matchMedia("(prefers-color-scheme: dark)").matches')
  const file = path.join(screenshots, `${name}-${width}-${isDark ? 'dark' : 'light'}.png`)
  await page.screenshot({ path: file, fullPage: true, animations: 'disabled', scale: 'css' })
}

/** Wide and light, narrow and dark. With `SCREENSHOTS=all` the other two as well, which take as long again. */
export const views: readonly (readonly [(typeof widths)[number], (typeof schemes)[number]])[] =
  process.env.SCREENSHOTS === 'all'
    ? widths.flatMap((width) => schemes.map((scheme) => [width, scheme] as const))
    : [
        [1440, 'light'],
        [360, 'dark'],
      ]

/** Of each of the `views`; then the page is as wide as before, and light. */
export async function shots(page: Page, name: string): Promise<void> {
  const before = page.viewportSize()
  for (const [width, scheme] of views) {
    await show(page, width, scheme)
    await shot(page, name)
  }
  if (before) await page.setViewportSize(before)
  await page.emulateMedia({ colorScheme: 'light' })
}
