/** Getting in and out, as a person does it. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { noConsoleErrors, settled, signInByForm } from './checks.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('Signing in', () => {
  let ground: ConsoleGround
  let page: Page

  beforeAll(async () => {
    ground = await openConsole()
  })
  afterAll(() => ground?.close())
  beforeEach(async () => {
    page = await ground.pageOf(null)
  })
  afterEach(() =>
    Promise.all(
      page
        ?.context()
        .pages()
        .map((each) => each.close()) ?? [],
    ),
  )

  const form = () => page.getByRole('button', { name: 'Sign in' })
  const account = () => page.getByRole('button', { name: /^Account of/ })

  it('a wrong password is told apart from nothing else, and what was typed stays', async () => {
    await page.getByLabel('Email').fill(ground.people.editor.email)
    await page.getByLabel('Password', { exact: true }).fill('not the password')
    await form().click()
    await page.getByRole('alert').waitFor()
    await expect.poll(() => page.getByRole('alert').innerText()).toMatch(/wrong|match|password/i)
    expect(await page.getByLabel('Email').inputValue()).toBe(ground.people.editor.email)
    expect(await account().count()).toBe(0)
    noConsoleErrors(page, { except: /status of 401/ })
  })

  it('an empty form says what is missing, at the field', async () => {
    await form().click()
    const email = page.getByLabel('Email')
    await page.getByText('Give your email address').waitFor()
    await expect.poll(() => email.getAttribute('aria-invalid')).toBe('true')
    await expect.poll(() => page.evaluate('document.activeElement?.name')).toBe('email')
  })

  it('survives a reload, and ends with signing out, in every tab', async () => {
    await signInByForm(page, ground.people.editor)
    await page.reload()
    await account().waitFor()
    const other = await page.context().newPage()
    await other.goto('/console')
    await other.getByRole('button', { name: /^Account of/ }).waitFor()

    await account().click()
    await page.getByRole('menuitem', { name: 'Sign out' }).click()
    await form().waitFor()
    await other.getByRole('button', { name: 'Sign in' }).waitFor()
    await page.reload()
    await form().waitFor()
    noConsoleErrors(page)
  })

  it('leads back to the page that was asked for', async () => {
    const at = '/console/account?from=mail#sign-ins'
    await signInByForm(page, ground.people.editor, at)
    await page.waitForURL((url) => url.pathname + url.search + url.hash === at)
    noConsoleErrors(page)
  })

  it('leads back to a page that does not exist, which says so', async () => {
    await signInByForm(page, ground.people.editor, '/console/no/such/page')
    await page.getByRole('heading', { name: 'There is no such page' }).waitFor()
  })

  it('works with the keyboard alone', async () => {
    const { email, password } = ground.people.viewer
    // The first field has the focus.
    await page.keyboard.type(email)
    await page.keyboard.press('Tab')
    await page.keyboard.type(password)
    await page.keyboard.press('Enter')
    await account().waitFor()
    await settled(page)

    // The first stop is the way past the menu.
    await page.evaluate('document.activeElement?.blur()')
    await page.reload()
    await account().waitFor()
    await settled(page)
    await pressTo('Tab', 'Skip to content')
    await page.keyboard.press('Enter')
    await expect.poll(() => page.evaluate('document.activeElement?.id')).toBe('main')

    await page.reload()
    await account().waitFor()
    await settled(page)
    await pressTo('Tab', /^Account of/)
    await page.keyboard.press('Enter')
    const item = page.getByRole('menuitem', { name: 'Sign out' })
    await item.waitFor()
    await pressTo('ArrowDown', 'Sign out')
    await page.keyboard.press('Enter')
    await form().waitFor()
    noConsoleErrors(page)
  })

  it('the page loads nothing from elsewhere and breaks no policy', async () => {
    const elsewhere: string[] = []
    page.on('request', (request) => {
      if (!request.url().startsWith(ground.url) && !/^(data|blob):/.test(request.url())) elsewhere.push(request.url())
    })
    await signInByForm(page, ground.people.admin)
    expect(elsewhere).toEqual([])
    noConsoleErrors(page)
  })

  /** Presses a key until what has the focus is called so. */
  async function pressTo(key: string, name: string | RegExp): Promise<void> {
    const passed: string[] = []
    for (let presses = 0; presses < 40; presses += 1) {
      await page.keyboard.press(key)
      const reached = await page.evaluate<string>(
        '(document.activeElement?.getAttribute("aria-label") ?? document.activeElement?.textContent ?? "").trim()',
      )
      if (typeof name === 'string' ? reached === name : name.test(reached)) return
      passed.push(reached)
    }
    throw new Error(`${key} never reached ${name}. It passed: ${passed.join(' | ')}`)
  }
})
