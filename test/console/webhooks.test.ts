/** Webhooks in the console, from the first condition to the last delivery that was given up. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { aSession, type TeamWorld } from '../ground/world.ts'
import { axe, noConsoleErrors, noSideScroll, settled, shots, visit } from './checks.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('Webhooks', () => {
  let ground: ConsoleGround
  let team: TeamWorld
  let page: Page
  let answer = 204

  beforeAll(async () => {
    ground = await openConsole({
      receiver: (_, response) => void response.writeHead(answer, { 'content-type': 'text/plain' }).end(body()),
    })
  })
  afterAll(() => ground?.close())
  beforeEach(async () => {
    answer = 204
    team = await ground.aTeam()
  })
  afterEach(() => page?.close())

  const body = () => (answer < 300 ? undefined : 'The database is full.')
  const button = (name: string | RegExp) => page.getByRole('button', { name })
  const explained = () => page.getByRole('region', { name: 'Who would get it?' })
  const rows = async (text: string, values: readonly unknown[]) =>
    (await ground.world.database.pool.query(text, [...values])).rows
  const aWebhook = async (name: string) => {
    const { database, sealer, config } = ground.world
    const parts = { database, sealer, rules: { allow: config.EGRESS_ALLOW }, validatePattern: parsePattern }
    const url = `${ground.receiver.url}/${encodeURIComponent(name)}`
    return (await createWebhook(parts, { integration_id: team.granted.id, name, url })).webhook.id
  }
  /** As after days of retries. */
  const giveUp = async (webhook: string, count: number) => {
    await until(
      () => rows(`select 1 from deliveries where webhook_id = $1 and status = 'waiting'`, [webhook]),
      (waiting) => waiting.length === count,
    )
    await rows(
      `update deliveries set status = 'exhausted', due_at = null, finished_at = now()
        where webhook_id = $1 and status = 'waiting'`,
      [webhook],
    )
  }

  it('is made with conditions that are tried beside it, tested, and takes a session at once', async () => {
    page = await ground.pageOf(team.editor, '/console/webhooks')
    await page.getByText('No webhooks yet').waitFor()
    await page.getByRole('link', { name: 'New webhook' }).first().click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Northern office')
    const at = `/${team.slug}/north`
    await page.getByLabel('URL').fill(`${ground.receiver.url}${at}`)
    await page.getByRole('combobox', { name: 'Integration' }).click()
    await page.getByRole('option', { name: 'back-office' }).click()
    await explained().getByText('No condition stands in the way.').waitFor()

    await button('Add condition').click()
    await page.getByLabel('What is compared').selectOption('config')
    await page.getByRole('combobox', { name: 'Name of the variable' }).fill('region')
    await page.getByRole('textbox', { name: 'Value', exact: true }).fill('north')
    await explained().getByText('Its conditions do not hold.').waitFor()
    await explained().getByLabel('Configuration').fill('{ "region": "south" }')
    await explained().getByText('{"region":"south"}').waitFor()
    await explained().getByLabel('Configuration').fill('{ "region": "north" }')
    await explained().getByText('Gets it').waitFor()

    // The other way round.
    await page.getByText('JSON', { exact: true }).click()
    const json = page.getByLabel('The conditions as JSON')
    await expect
      .poll(async () => JSON.parse(await json.inputValue()))
      .toEqual({ config: { _contains: { region: 'north' } } })
    await json.fill(
      '{ "_or": [{ "config": { "_contains": { "region": "north" } } }, { "kind": { "_eq": "booking" } }] }',
    )
    await page.getByText('Conditions', { exact: true }).click()
    await expect.poll(() => page.getByLabel('How many must hold').inputValue()).toBe('any')
    await expect.poll(() => page.getByLabel('What is compared').count()).toBe(2)
    await axe(page)
    await shots(page, 'webhook-new-filled')

    await button('Create webhook').click()
    const secret = page.getByRole('dialog', { name: 'Signing secret of Northern office' })
    await expect.poll(() => secret.getByLabel('Signing secret', { exact: true }).inputValue()).toMatch(/^whsec_/)
    await secret.getByLabel('I have copied it').check()
    await secret.getByRole('button', { name: 'Done' }).click()

    await button('Send test').click()
    const test = page.getByRole('dialog', { name: 'Test of Northern office' })
    await test.getByText('It works', { exact: true }).waitFor()
    await test.getByRole('button', { name: 'Close' }).last().click()

    await page.getByRole('tab', { name: 'Deliveries' }).click()
    await page.getByRole('button', { name: 'webhook.test', exact: true }).waitFor()
    await ground.world.submit(aSession(team, { config: { region: 'south' } }))
    const { id } = await ground.world.submit(aSession(team, { config: { region: 'north' } }))
    await page.getByRole('button', { name: 'session.submitted', exact: true }).click()
    const drawer = page.getByRole('dialog', { name: 'Delivery' })
    await drawer.getByText('Delivered', { exact: true }).waitFor()
    await drawer.getByText('to 127.0.0.1').waitFor()
    await drawer.getByRole('button', { name: 'Request', exact: true }).click()
    const sent = ground.receiver.requests.filter(({ path }) => path === at).at(-1)
    await expect
      .poll(() => drawer.getByText(/^POST http/).innerText())
      .toContain(`webhook-id: ${sent?.headers['webhook-id']}`)
    await drawer.getByTitle(String(sent?.headers['webhook-id'])).waitFor()
    await axe(page)
    await shots(page, 'webhook-delivery')
    expect(
      await rows(
        `select d.session_id from deliveries d join webhooks w on w.id = d.webhook_id
          where w.team_id = $1 and d.session_id is not null`,
        [team.id],
      ),
    ).toEqual([{ session_id: id }])
    noConsoleErrors(page)
  })

  it('tells at the field what the API refuses, and keeps what was written', async () => {
    page = await ground.pageOf(team.editor, '/console/webhooks/new')
    await button('Create webhook').click()
    await page.getByText('Give the address to call.').waitFor()
    await page.getByRole('combobox', { name: 'Integration' }).click()
    await page.getByRole('option', { name: 'back-office' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('Wrong')
    await page.getByLabel('URL').fill('ftp://files.example')
    await button('Create webhook').click()
    await page.getByText('A webhook is called over https, not ftp.').waitFor()
    await expect.poll(() => page.getByLabel('URL').getAttribute('aria-invalid')).toBe('true')
    expect(await page.getByLabel('URL').inputValue()).toBe('ftp://files.example')
    noConsoleErrors(page)
  })

  it('says in German what kind of refusal it is, and marks the English of the gateway', async () => {
    const id = await aWebhook('Archive')
    page = await ground.pageOf(team.editor, `/console/webhooks/${id}/edit`, { kept: { 'sluice.language': 'de' } })
    await page.getByLabel('URL').fill('ftp://files.example')
    await button('Speichern').click()
    await page.getByText('Diese Angabe wird so nicht angenommen: A webhook is called over https, not ftp.').waitFor()
    expect(await page.getByText('A webhook is called over https', { exact: false }).last().getAttribute('lang')).toBe(
      'en',
    )
    await axe(page)
    noConsoleErrors(page)
  })

  it('says when the integration is no destination, and makes it one', async () => {
    page = await ground.pageOf(team.editor, '/console/webhooks/new')
    await page.getByRole('combobox', { name: 'Integration' }).click()
    await page.getByRole('option', { name: 'archive' }).click()
    await explained()
      .getByText(/is no destination of/)
      .first()
      .waitFor()
    await explained().getByRole('button', { name: 'Make it a destination' }).click()
    await explained().getByText('No condition stands in the way.').waitFor()
    const destinations = await rows('select 1 from destinations where integration_id = $1', [team.other.id])
    expect(destinations).toHaveLength(1)
    noConsoleErrors(page)
  })

  it('is changed: what was not touched stays, and secret headers are named, not shown', async () => {
    const id = await aWebhook('Archive')
    page = await ground.pageOf(team.editor, `/console/webhooks/${id}/edit`)
    await button('Add secret header').click()
    await page.getByLabel('Name of header 1').fill('authorization')
    await page.getByLabel('Value of header 1', { exact: true }).fill('Bearer hidden')
    await page.getByLabel('Timeout').fill('5')
    await button('Save').click()
    await page.getByText('authorization: ••••••').waitFor()
    await page.getByText('timeout 5 s').waitFor()
    await page.getByRole('link', { name: 'Edit' }).click()
    await button('Replace all').waitFor()
    expect(await page.getByText('Bearer hidden').count()).toBe(0)
    noConsoleErrors(page)
  })

  it('fails in sight, and what was given up is worked off and sent again with progress', async () => {
    answer = 500
    const id = await aWebhook('Statistics')
    page = await ground.pageOf(team.editor, `/console/webhooks/${id}`)
    await button('Send test').click()
    const test = page.getByRole('dialog', { name: 'Test of Statistics' })
    await test.getByText('HTTP 500').waitFor()
    await test.getByText('The database is full.').waitFor()
    await test.getByRole('button', { name: 'Close' }).last().click()

    for (let n = 0; n < 3; n += 1) await ground.world.submit(aSession(team))
    await giveUp(id, 3)
    await page.getByRole('tab', { name: /^To work off/ }).click()
    await page.getByRole('table', { name: 'Deliveries' }).locator('tbody tr').nth(2).waitFor()
    await axe(page)
    await shots(page, 'webhook-exhausted')

    await page
      .getByRole('table')
      .getByRole('button', { name: /^Actions for/ })
      .first()
      .click()
    await page.getByRole('menuitem', { name: 'Take off the list' }).click()
    await page.getByText('1 delivery is cancelled.').waitFor()
    await page.getByRole('tab', { name: 'To work off 2' }).waitFor()

    answer = 204
    await button('Send all again').click()
    const dialog = page.getByRole('dialog', { name: 'Send again to Statistics' })
    await dialog.getByRole('button', { name: 'Count' }).click()
    await dialog.getByText('2 events would be sent.').waitFor()
    await axe(page)
    await shots(page, 'webhook-replay')
    await dialog.getByRole('button', { name: 'Send 2 again' }).click()
    await page.getByText('Nothing to work off').waitFor()
    await page.getByRole('tab', { name: 'Sent again' }).click()
    await page.getByText('2 of 2').waitFor()
    await page.getByText('Finished').waitFor()
    await page.getByRole('tab', { name: 'What happened' }).click()
    await page.getByText('Test sent').waitFor()
    await axe(page)
    await shots(page, 'webhook-news')
    noConsoleErrors(page)
  })

  it('gets a new secret while the old one still signs', async () => {
    const id = await aWebhook('Ledger')
    page = await ground.pageOf(team.editor, `/console/webhooks/${id}`)
    await button('Renew secret').click()
    await page.getByRole('dialog').getByRole('button', { name: 'Renew secret' }).click()
    const made = page.getByRole('dialog', { name: 'New secret of Ledger' })
    await expect.poll(() => made.getByLabel('Signing secret', { exact: true }).inputValue()).toMatch(/^whsec_/)
    await made.getByLabel('I have copied it').check()
    await made.getByRole('button', { name: 'Done' }).click()
    await page.getByText('Ending', { exact: true }).waitFor()
    await page.getByText('Current', { exact: true }).waitFor()
    noConsoleErrors(page)
  })

  it('is disabled, enabled again, and deleted by its name', async () => {
    const id = await aWebhook('Old office')
    page = await ground.pageOf(team.editor, `/console/webhooks/${id}`)
    await button('More actions').click()
    await page.getByRole('menuitem', { name: 'Disable' }).click()
    await page.getByText('It is disabled', { exact: true }).waitFor()
    await shots(page, 'webhook-disabled')
    await button('Enable').click()
    await page.getByText('Works', { exact: true }).waitFor()
    await button('More actions').click()
    await page.getByRole('menuitem', { name: 'Delete' }).click()
    const dialog = page.getByRole('dialog', { name: 'Delete Old office' })
    await dialog.getByRole('textbox').fill('Old office')
    await dialog.getByRole('button', { name: 'Delete' }).click()
    await page.waitForURL((url) => url.pathname === '/console/webhooks')
    expect(await rows('select 1 from webhooks where id = $1', [id])).toEqual([])
    noConsoleErrors(page)
  })

  it('many are imported after a look at what would happen', async () => {
    await aWebhook('Statistics')
    page = await ground.pageOf(team.editor, '/console/webhooks')
    await button('Import and export').click()
    await page.getByRole('menuitem', { name: 'Import webhooks' }).click()
    const dialog = page.getByRole('dialog', { name: 'Import webhooks' })
    await dialog.getByText('CSV', { exact: true }).click()
    await dialog
      .getByLabel('Or paste it here')
      .fill(`integration,name,url\nback-office,Imported,https://hooks.example/\nnobody,Lost,https://hooks.example/\n`)
    await dialog.getByRole('button', { name: 'Check' }).click()
    await dialog.getByText('Nothing is written yet.').waitFor()
    await dialog.getByText(/has no integration with the slug/).waitFor()
    await axe(page)
    await shots(page, 'webhooks-import')
    await dialog.getByLabel('Leave out the lines that are wrong').check()
    await dialog.getByRole('button', { name: 'Import 1 webhook' }).click()
    const secrets = page.getByRole('dialog', { name: 'Secrets of the new webhooks' })
    await secrets.getByLabel('I have copied it').check()
    await secrets.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('link', { name: 'Imported' }).waitFor()

    await page.getByRole('link', { name: 'Statistics' }).waitFor()
    await page.getByLabel('Name or address').fill('impor')
    await page.waitForURL(/q=impor/)
    await page.getByRole('link', { name: 'Statistics' }).waitFor({ state: 'detached' })
    expect(await page.getByRole('link', { name: 'Imported' }).count()).toBe(1)

    await button('Import and export').click()
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('menuitem', { name: 'Export as JSON' }).click(),
    ])
    expect(file.suggestedFilename()).toBe(`webhooks-${team.slug}.json`)
    noConsoleErrors(page)
  })

  it('a viewer looks and changes nothing; German fits on a phone', async () => {
    const id = await aWebhook('Register')
    page = await ground.pageOf(team.viewer, `/console/webhooks/${id}`)
    await page.getByRole('heading', { name: 'Register', level: 1 }).waitFor()
    for (const name of ['Send test', 'More actions', 'Renew secret']) expect(await button(name).count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Edit' }).count()).toBe(0)
    await visit(page, '/console/webhooks')
    await page.getByRole('link', { name: 'Register' }).waitFor()
    expect(await page.getByRole('link', { name: 'New webhook' }).count()).toBe(0)
    noConsoleErrors(page)

    const german = await ground.pageOf(team.editor, `/console/webhooks/${id}/edit`, {
      kept: { 'sluice.language': 'de' },
    })
    await german.setViewportSize({ width: 360, height: 740 })
    await german.getByRole('button', { name: 'Bedingung hinzufügen' }).click()
    await settled(german)
    await noSideScroll(german)
    await shots(german, 'webhook-edit-german')
    noConsoleErrors(german)
    await german.close()
  })
})
