/** Overview, audit and API pages, as people use them. */
import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { aSession, type TeamWorld } from '../ground/world.ts'
import { axe, noConsoleErrors, shots, visit } from './checks.ts'
import { answerAsFurnished } from './furnish.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('Watching', () => {
  let ground: ConsoleGround
  let team: TeamWorld
  let page: Page

  beforeAll(async () => {
    ground = await openConsole({ receiver: answerAsFurnished })
  })
  afterAll(() => ground?.close())
  beforeEach(async () => {
    team = await ground.aTeam()
  })
  afterEach(() => page?.close())

  const aWebhook = () => {
    const { database, sealer, config } = ground.world
    return createWebhook(
      { database, sealer, rules: { allow: config.EGRESS_ALLOW }, validatePattern: parsePattern },
      { integration_id: team.granted.id, name: 'Back office', url: `${ground.receiver.url}/office`, pattern: {} },
    )
  }
  const submit = () => ground.world.submit(aSession(team, { id: randomUUID() }))

  const figure = (name: string) => page.getByRole('region', { name, exact: true })

  it('a new team is led to its first session, step by step, and each ticks itself off', async () => {
    page = await ground.pageOf(team.editor)
    await page.getByText('2 of 4 done').waitFor()
    await shots(page, 'overview-new')
    await axe(page)
    await aWebhook()
    await page.getByText('3 of 4 done').waitFor()
    await submit()
    await page.getByRole('heading', { name: 'Your first session is through' }).waitFor()
    await page.getByRole('button', { name: 'Hide these steps' }).click()
    await page.reload()
    await figure('Sessions').waitFor()
    expect(await page.getByText('First steps').count()).toBe(0)
    noConsoleErrors(page)
  })

  it('figures follow what happens, and failures lead to where they are listed', async () => {
    await aWebhook()
    await submit()
    page = await ground.pageOf(team.editor)
    await figure('Sessions').getByText('1', { exact: true }).waitFor()
    await submit()
    await figure('Sessions').getByText('2', { exact: true }).waitFor()
    await figure('Deliveries').getByText('2', { exact: true }).waitFor()
    await page.getByText('7 days').click()
    await page.getByRole('img', { name: /^Sessions: 2 in the last 7 days/ }).waitFor()
    await expect
      .poll(() => page.getByRole('link', { name: /Invalid sessions/ }).getAttribute('href'))
      .toBe('/console/sessions?status=invalid&since=week')
    noConsoleErrors(page)
  })

  it('a viewer of a new team sees the steps, and no button to take one', async () => {
    // Of two teams, with this one chosen.
    const { viewer } = ground.people
    await ground.world.database.pool.query(
      `insert into team_members (team_id, user_id, role) select $1, id, 'viewer' from users where email = $2`,
      [team.id, viewer.email],
    )
    page = await ground.pageOf(viewer, '/console', { kept: { 'sluice.team': team.id } })
    await page.getByText('2 of 4 done').waitFor()
    expect(await page.getByRole('link', { name: 'New webhook' }).count()).toBe(0)
    noConsoleErrors(page)
  })

  it('the log is live, found by who and what, told in detail, and saved as a file', async () => {
    await submit()
    await submit()
    page = await ground.pageOf(team.editor, '/console/audit')
    const rows = page.getByRole('table', { name: 'Audit' }).getByRole('row')
    await rows.nth(1).waitFor()
    await page.getByLabel('Operation', { exact: true }).fill('submit_session')
    await page.waitForURL(/operation=submit_session/)
    await expect.poll(() => rows.count()).toBe(3)
    await submit()
    await expect.poll(() => rows.count()).toBe(4)

    await page.getByRole('button', { name: 'Details of submit_session' }).first().click()
    const dialog = page.getByRole('dialog', { name: 'submit_session' })
    await dialog.getByText('From address').waitFor()
    await axe(page)
    await page.keyboard.press('Escape')
    await dialog.waitFor({ state: 'detached' })

    await page.getByRole('button', { name: 'Export' }).click()
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: /CSV/ }).click(),
    ])
    expect(download.suggestedFilename()).toMatch(/^sluice-audit-.*\.csv$/)
    const lines = (await readFile(await download.path(), 'utf8')).split('\r\n')
    expect(lines[0]).toMatch(/^at,id,team_id/)
    expect(lines.filter((line) => line.includes('submit_session'))).toHaveLength(3)

    await page.getByLabel('Operation', { exact: true }).fill('')
    await page.waitForURL((url) => !url.search.includes('operation'))
    await page.getByRole('combobox', { name: 'Who' }).click()
    await page.getByRole('option', { name: 'Person', exact: true }).click()
    await page.waitForURL(/actor=person/)
    await expect.poll(() => rows.filter({ hasText: 'submit_session' }).count()).toBe(0)
    await expect.poll(() => rows.filter({ hasText: 'export audit' }).count()).toBeGreaterThan(0)
    noConsoleErrors(page)
  })

  it('examples carry the key of the chosen credential, and the schema of the role is there to download', async () => {
    page = await ground.pageOf(team.editor, '/console/api')
    const { key } = team.granted.consumer
    await page.getByLabel('Credential', { exact: true }).first().click()
    const { rows } = await ground.world.database.pool.query<{ name: string }>(
      'select name from api_credentials where key_id = $1',
      [key],
    )
    await page
      .getByRole('option', { name: rows[0]?.name as string })
      .first()
      .click()
    const example = page.getByRole('region', { name: 'the example' })
    await expect.poll(() => example.innerText()).toMatch(/sluice_test_\w+:\$SLUICE_SECRET/)
    await page.getByRole('tab', { name: 'Submit a session' }).click()
    await expect.poll(() => example.innerText()).toContain(`"team": "${team.slug}"`)

    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download the schema' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('sluice-editor.graphql')
    expect(await readFile(await download.path(), 'utf8')).toContain('type activity_output')
    noConsoleErrors(page)
  })

  it('titles of windows follow the language', async () => {
    page = await ground.pageOf(team.editor, '/console/audit')
    await expect.poll(() => page.title()).toBe('Audit · Sluice')
    await page.getByRole('button', { name: 'Language' }).click()
    await page.getByRole('menuitemradio', { name: 'Deutsch' }).click()
    await page.getByRole('heading', { name: 'Protokoll' }).waitFor()
    await page.getByRole('menu').waitFor({ state: 'detached' })
    await expect.poll(() => page.title()).toBe('Protokoll · Sluice')
    for (const at of ['/', '/audit', '/api']) {
      await visit(page, `/console${at}`)
      await shots(page, `german-${at.slice(1) || 'overview'}`)
      await axe(page)
    }
    noConsoleErrors(page)
  })
})
