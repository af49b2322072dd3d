/** Connectors and connections, as people work with them: install, review, connect, run, look, put right, upgrade. */
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { aSession } from '../ground/world.ts'
import { axe, noConsoleErrors, noSideScroll, settled, shots, show, signIn } from './checks.ts'
import { officeTarball } from './connecting.fixture.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('Connectors and connections', () => {
  let ground: ConsoleGround
  let admin: Page
  let editor: Page
  /** Below /console. */
  let connectionPath: string

  beforeAll(async () => {
    ground = await openConsole()
    const { id } = await installConnector(
      { database: ground.world.database },
      path.join(import.meta.dirname, '../../connectors/test-producer'),
    )
    await reviewConnector({ database: ground.world.database }, id, 'approved')
    admin = await ground.newPage()
    editor = await ground.newPage()
    await signIn(admin, ground.people.admin, '/console/connectors')
    await signIn(editor, ground.people.editor, '/console/connectors')
  })
  afterAll(() => ground?.close())

  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
  const link = (page: Page, name: string | RegExp) => page.getByRole('link', { name })
  const dialog = (page: Page) => page.getByRole('dialog')
  const looksGood = async (page: Page, name: string) => {
    await shots(page, name)
    await show(page, 360, 'dark')
    await axe(page)
    await noSideScroll(page)
    await show(page, 1440, 'light')
    await axe(page)
  }

  async function install(version: '1.0.0' | '1.1.0') {
    await admin.goto('/console/connectors')
    await button(admin, 'Install a connector').click()
    await admin
      .locator('input[type="file"]')
      .setInputFiles({ name: 'office.tgz', mimeType: 'application/gzip', buffer: await officeTarball(version) })
    await button(admin, 'Install').last().click()
    await admin.waitForURL(/\/connectors\/[0-9a-f-]{36}$/)
    await admin.getByText('This version waits for a review').waitFor()
  }

  async function approve(note: string) {
    await button(admin, 'Review').click()
    await dialog(admin).getByLabel(/^Note/).fill(note)
    await button(admin, 'Approve').click()
    await admin.getByText('Approved', { exact: true }).first().waitFor()
  }

  it('an admin installs a package, reads what it may do, and approves it with a note', async () => {
    await install('1.0.0')
    expect(await admin.getByText('Calls the host that the setting “Address of the API” names').count()).toBeGreaterThan(
      0,
    )
    await looksGood(admin, 'connector-submitted')
    await button(admin, 'Review').click()
    await dialog(admin).getByText('convertRawSource').waitFor()
    await axe(admin)
    await dialog(admin).getByRole('button', { name: 'Cancel' }).click()
    await approve('Reads nothing but the application.')
    noConsoleErrors(admin)
  })

  it('an editor connects it with a form made from its manifest, which says at the fields what is wrong', async () => {
    await link(editor, 'Connect Office desk').click()
    await editor.getByLabel('Office that takes it').waitFor()
    expect(await editor.getByText('Counter of its own').count()).toBe(0)
    await editor.getByText('What is taken over about people').waitFor()
    await looksGood(editor, 'connection-new-office')
    await editor.getByRole('combobox', { name: 'Integration' }).click()
    await editor.getByRole('option', { name: 'back-office' }).click()
    await button(editor, 'Connect').click()
    await editor.getByText('Give it a value.').first().waitFor()
    expect(await editor.getByLabel('Office that takes it').getAttribute('aria-invalid')).toBe('true')

    await editor.getByLabel('Office that takes it').fill('nowhere')
    await editor.getByLabel(/^Token/).fill('a-token-of-nobody')
    await editor.getByLabel('Address of the API').fill('https://office.example.org:8443/api')
    await editor.getByText('office.example.org:8443', { exact: true }).waitFor()
    await button(editor, 'Connect').click()
    await editor.getByText('There is no such office.').waitFor()
    expect(await editor.getByLabel(/^Token/).inputValue()).toBe('a-token-of-nobody')

    await editor.getByLabel('Office that takes it').fill('north')
    await editor.getByLabel(/^Name/).fill('North office')
    await button(editor, 'Connect').click()
    await editor.waitForURL(/\/connections\/[0-9a-f-]{36}$/)
    connectionPath = new URL(editor.url()).pathname
    await editor.getByRole('heading', { name: 'North office' }).waitFor()
    await editor.getByText('office.example.org:8443').waitFor()
    noConsoleErrors(editor)
  })

  it('tests the connection, and watches a session being handed over', async () => {
    await button(editor, 'Test').click()
    await button(editor, 'Test now').click()
    await editor.getByText('Office north answers.').waitFor()
    await dialog(editor).getByRole('button', { name: 'Close' }).click()

    await editor.getByRole('tab', { name: 'Runs' }).click()
    await editor.getByText('No runs yet').waitFor()
    await ground.world.submit(aSession(ground.world.camden, { payment_id: 'payment-7' }))
    await editor.getByText('Handed over by 1.0.0.').waitFor()
    await editor.getByRole('table', { name: 'Runs' }).getByRole('button').first().click()
    await dialog(editor)
      .getByText(/Office north has/)
      .waitFor()
    await looksGood(editor, 'connection-run')
    await dialog(editor).getByRole('button', { name: 'Run again' }).click()
    await expect.poll(() => editor.getByText('Handed over by 1.0.0.').count(), { timeout: 20_000 }).toBe(2)

    await editor.getByRole('tab', { name: 'Deliveries' }).click()
    await editor.getByRole('table', { name: 'Deliveries' }).getByText('Succeeded').first().waitFor()
    await looksGood(editor, 'connection-deliveries')
    noConsoleErrors(editor)
  })

  it('shows in a dry run what would happen, and keeps nothing of it', async () => {
    await button(editor, 'Actions for North office').click()
    await editor.getByRole('menuitem', { name: 'Dry run on a session' }).click()
    await dialog(editor).getByRole('combobox', { name: 'Session' }).click()
    await editor.getByRole('listbox').getByRole('option').first().click()
    await button(editor, 'Try it').click()
    await dialog(editor).getByText('Handed over by 1.0.0.').waitFor()
    await axe(editor)
    await dialog(editor).getByRole('button', { name: 'Done' }).click()
    noConsoleErrors(editor)
  })

  it('a third party sends with a secret that is shown once; its payload is looked at and becomes a session', async () => {
    await editor.goto(connectionPath)
    await button(editor, 'Make a secret').click()
    await dialog(editor).getByRole('button', { name: 'Make a secret' }).click()
    await dialog(editor).getByLabel('I have copied it').waitFor()
    const address = await dialog(editor).getByLabel('Address of this connection', { exact: true }).inputValue()
    const secret = await dialog(editor).getByLabel('Secret', { exact: true }).inputValue()
    await looksGood(editor, 'connection-secret')
    await dialog(editor).getByLabel('I have copied it').check()
    await dialog(editor).getByRole('button', { name: 'Done' }).click()
    const post = (body: string) =>
      fetch(address, { method: 'POST', headers: { authorization: `Bearer ${secret}` }, body }).then(
        ({ status }) => status,
      )

    await editor.getByRole('tab', { name: 'Raw sources' }).click()
    await editor.getByText('Nothing has come in yet').waitFor()
    expect(await post('{"number": 7, "name": "Ada"}')).toBe(200)
    expect(await post('no JSON at all')).toBe(200)
    // It knows no flow yet, and the second is no JSON.
    const table = editor.getByRole('table', { name: 'Raw sources' })
    await expect.poll(() => table.getByText('Failed', { exact: true }).count(), { timeout: 30_000 }).toBe(2)

    await editor.getByRole('tab', { name: 'Settings' }).click()
    await editor.getByRole('combobox', { name: 'Flow' }).click()
    await editor.getByRole('listbox').getByRole('option').first().click()
    await looksGood(editor, 'connection-settings')
    await button(editor, 'Save').last().click()
    await editor.getByText('Saved.').first().waitFor()

    await editor.getByRole('tab', { name: 'Raw sources' }).click()
    await editor.getByRole('combobox', { name: 'Which raw sources' }).click()
    await editor.getByRole('option', { name: 'Failed' }).click()
    await button(editor, 'Convert all that failed').click()
    await editor.getByLabel('Show all').click()
    await table.getByText('Converted', { exact: true }).waitFor()
    await table.getByText('Number 7').waitFor()
    await looksGood(editor, 'connection-sources')

    await button(editor, 'Actions for Number 7').click()
    await editor.getByRole('menuitem', { name: 'Content' }).click()
    await dialog(editor)
      .getByText(/written to the audit/)
      .waitFor()
    await button(editor, 'Show the content').click()
    await dialog(editor).getByText('"name": "Ada"').waitFor()
    await dialog(editor).getByRole('button', { name: 'Done' }).click()
    const { rows } = await ground.world.database.pool.query(
      `select outcome from audit_entries where operation ~* 'raw_?source_?content'`,
    )
    expect(rows).toContainEqual({ outcome: 'granted' })
    noConsoleErrors(editor)
  })

  it('changes a setting without the secret, and never shows the secret', async () => {
    await editor.goto(`${connectionPath}?tab=settings`)
    await editor.getByLabel('Limit').fill('5')
    expect(await editor.getByLabel(/^Token/).inputValue()).toBe('')
    await button(editor, 'Save the settings').click()
    await editor.getByText('Saved.').first().waitFor()
    const { rows } = await ground.world.database.pool.query(
      `select settings, secret_settings from connections where name = 'North office'`,
    )
    expect(rows[0]).toMatchObject({ settings: { limit: 5, office: 'north' }, secret_settings: ['token'] })
    noConsoleErrors(editor)
  })

  it('asks for a version that may do more, with what it wants to know, and an admin agrees', async () => {
    await install('1.1.0')
    await looksGood(admin, 'connector-newer')
    await approve('The archive is ours.')
    await editor.goto(connectionPath)
    await editor.getByText('Version 1.1.0 is there').waitFor()
    await looksGood(editor, 'connection-office')
    await button(editor, 'See the difference').click()
    await dialog(editor).getByText('archive.example.org').waitFor()
    await dialog(editor).getByLabel('Region').fill('north')
    await looksGood(editor, 'connection-upgrade')
    await button(editor, 'Ask for 1.1.0').click()
    await editor.getByText('An admin is asked to agree to 1.1.0.').waitFor()

    await admin.goto(connectionPath)
    await button(admin, 'See the difference').click()
    await dialog(admin).getByLabel('Region').fill('north')
    await button(admin, 'Change to 1.1.0').click()
    await dialog(admin).getByText('Agree first, or keep the version of now.').waitFor()
    await dialog(admin)
      .getByLabel(/^I agree/)
      .check()
    await button(admin, 'Change to 1.1.0').click()
    await editor.getByText('Through Office desk 1.1.0').waitFor()
    noConsoleErrors(admin)
    noConsoleErrors(editor)
  })

  it('a producer runs by a schedule in words, and now; what failed is seen at once', async () => {
    await editor.goto('/console/connections/new')
    await link(editor, 'Choose Test Producer').click()
    await editor.getByRole('combobox', { name: 'Integration' }).click()
    await editor.getByRole('listbox').getByRole('option').first().click()
    await editor.getByRole('combobox', { name: 'Flow' }).click()
    await editor.getByRole('listbox').getByRole('option').first().click()
    await editor.getByRole('switch').nth(1).click()
    await button(editor, 'Monday to Friday at 6').click()
    await editor.getByText(/Monday through Friday/).waitFor()
    await looksGood(editor, 'connection-new-producer')
    await button(editor, 'Connect').click()
    await editor.waitForURL(/\/connections\/[0-9a-f-]{36}$/)
    await button(editor, 'Run now').click()
    await link(editor, /raw source failed/).waitFor()
    await looksGood(editor, 'connection-producer')
    await link(editor, /raw source failed/).click()
    await editor.getByRole('table', { name: 'Raw sources' }).getByText('Failed').first().waitFor()
    noConsoleErrors(editor)
  })

  it('a viewer sees how it fares, and no button that would be refused', async () => {
    const viewer = await ground.newPage()
    await signIn(viewer, ground.people.viewer, connectionPath)
    await viewer.getByRole('heading', { name: 'North office' }).waitFor()
    for (const name of ['Test', 'Actions for North office', 'Rotate the secret', 'See the difference']) {
      expect(await button(viewer, name).count(), name).toBe(0)
    }
    await viewer.getByRole('tab', { name: 'Raw sources' }).click()
    await viewer.getByRole('table', { name: 'Raw sources' }).getByText('Converted', { exact: true }).waitFor()
    expect(await viewer.getByText('Number 7').count()).toBe(0)
    await viewer.getByRole('tab', { name: 'Settings' }).click()
    await viewer.getByText('A value is stored').waitFor()
    await viewer.goto('/console/connectors')
    await viewer.getByRole('link', { name: 'Office desk', exact: true }).waitFor()
    expect(await link(viewer, /^Connect /).count()).toBe(0)
    noConsoleErrors(viewer)
    await viewer.context().close()
  })

  it('speaks German, with the labels that the connector gives', async () => {
    const page = await ground.newPage({ locale: 'de-DE' })
    await page.addInitScript("localStorage.setItem('sluice.language', 'de')")
    await page.goto('/console/connectors')
    await page.getByLabel('E-Mail').fill(ground.people.editor.email)
    await page.getByLabel('Passwort', { exact: true }).fill(ground.people.editor.password)
    await page.getByRole('button', { name: 'Anmelden' }).click()
    await link(page, 'Test Producer verbinden').waitFor()
    await looksGood(page, 'connectors-german')
    await link(page, 'Office desk verbinden').click()
    await page.getByLabel('Amt').waitFor()
    await page.goto(`${connectionPath}`)
    await settled(page)
    await looksGood(page, 'connection-german')
    await page.goto('/console/connections')
    await settled(page)
    await looksGood(page, 'connections-german')
    noConsoleErrors(page)
    await page.context().close()
  })

  it('is switched off and on again, and deleted by name', async () => {
    await editor.goto(connectionPath)
    await button(editor, 'Actions for North office').click()
    await editor.getByRole('menuitem', { name: 'Switch off' }).click()
    await editor.getByText('Switched off', { exact: true }).waitFor()
    await button(editor, 'Actions for North office').click()
    await editor.getByRole('menuitem', { name: 'Switch on' }).click()
    await editor.getByText('Works', { exact: true }).waitFor()
    await button(editor, 'Actions for North office').click()
    await editor.getByRole('menuitem', { name: 'Delete' }).click()
    await dialog(editor).getByLabel('Type North office to confirm').fill('North office')
    await dialog(editor).getByRole('button', { name: 'Delete' }).click()
    await editor.waitForURL(/\/connections$/)
    await link(editor, 'Test Producer').waitFor()
    expect(await link(editor, 'North office').count()).toBe(0)
    noConsoleErrors(editor)
  })
})
