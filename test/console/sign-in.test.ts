/** Getting in and out, as a person does it. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
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

  it('an invitation is sent, opened from its mail, and makes somebody new a member', async () => {
    const team = await ground.aTeam()
    const email = `robin@${team.slug}.test`
    await page.close()
    page = await ground.pageOf(team.editor, '/console/team')
    await page.getByRole('button', { name: 'Invite somebody' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Email address').fill(email)
    await dialog.getByRole('button', { name: 'Send the invitation' }).click()
    await page.getByText(`An invitation is on its way to ${email}.`).waitFor()

    const invited = await ground.pageOf(null, await linkMailedTo(email))
    await invited.getByRole('button', { name: 'Accept the invitation' }).click()
    await invited.getByText('Give the name that others see.').waitFor()
    await invited.getByLabel('Your name').fill('Robin')
    await invited.getByLabel('Password', { exact: true }).fill('correct horse battery')
    await invited.getByRole('button', { name: 'Accept the invitation' }).click()
    await invited.getByRole('button', { name: 'Account of Robin' }).waitFor()
    await invited.getByRole('banner').getByText(team.slug).first().waitFor()
    noConsoleErrors(invited)
    await invited.close()
    // Who invited sees it at once.
    await page.getByRole('table', { name: 'Members' }).getByText(email).waitFor()
    noConsoleErrors(page)
  })

  it('a forgotten password is replaced with the link that is mailed, which works once', async () => {
    const { editor } = await ground.aTeam()
    await page.getByRole('link', { name: 'Forgot your password?' }).click()
    await page.getByLabel('Email address').fill(editor.email)
    await page.getByRole('button', { name: 'Mail me a link' }).click()
    await page.getByRole('heading', { name: 'Look into your mail' }).waitFor()
    const link = await linkMailedTo(editor.email)

    const reset = async (password: string) => {
      await page.close()
      page = await ground.pageOf(null, link)
      await page.getByLabel('New password', { exact: true }).fill(password)
      await page.getByRole('button', { name: 'Set the password and sign in' }).click()
    }
    await reset('short')
    await page.getByText('Take at least 10 characters.').waitFor()
    await reset('a password of today')
    await account().waitFor()
    noConsoleErrors(page)
    await reset('a password of tomorrow')
    await page.getByRole('alert').waitFor()
    noConsoleErrors(page, { except: /status of 40\d/ })
    await page.close()
    page = await ground.pageOf(null)
    await signInByForm(page, { ...editor, password: 'a password of today' })
    noConsoleErrors(page)
  })

  it('speaks the language of the browser until somebody chooses another, which is kept', async () => {
    const german = await ground.newPage({ locale: 'de-DE' })
    onTestFinished(() => german.context().close())
    await german.goto('/console')
    await german.getByLabel('E-Mail').fill(ground.people.editor.email)
    await german.getByLabel('Passwort', { exact: true }).fill(ground.people.editor.password)
    await german.getByRole('button', { name: 'Anmelden' }).click()
    // The form has this menu, too.
    await german.getByRole('navigation').first().waitFor({ state: 'attached' })
    await german.getByRole('button', { name: 'Sprache' }).click()
    await german.getByRole('menuitemradio', { name: 'English' }).click()
    await german.getByRole('button', { name: 'Language' }).waitFor()
    await german.reload()
    await german.getByRole('button', { name: 'Language' }).waitFor()
    await expect.poll(() => german.evaluate('document.documentElement.lang')).toBe('en')
    noConsoleErrors(german)
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

  async function linkMailedTo(email: string): Promise<string> {
    const { text } = await ground.mail.waitFor(({ to }) => to.includes(email), 30_000)
    const [link] = /http:\S+/.exec(text) ?? []
    if (!link?.startsWith(`${ground.url}/console/`)) throw new Error(`no link of the console in:\n${text}`)
    return link
  }

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
