/** Flows and integrations, as editors work with them: destinations, schemas, invalid sessions, and switching off. */
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { aSession, basic, type TeamWorld } from '../ground/world.ts'
import { axe, noConsoleErrors, noSideScroll, settled, shots, visit } from './checks.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('Flows and integrations', () => {
  let ground: ConsoleGround
  let team: TeamWorld
  let page: Page

  beforeAll(async () => {
    ground = await openConsole()
    await ground.world.database.prisma.integration.create({
      data: { team_id: null, slug: 'statistics', name: 'National statistics', description: 'Counts applications.' },
    })
  })
  afterAll(() => ground?.close())
  beforeEach(async () => {
    team = await ground.aTeam()
  })
  afterEach(() => page?.close())

  const button = (name: string) => page.getByRole('button', { name, exact: true })
  const dialog = () => page.getByRole('dialog')
  const inDialog = (name: string) => dialog().getByRole('button', { name, exact: true })
  const flowPage = () => `/console/flows/${team.flow.id}`
  const destinations = () => page.getByRole('region', { name: 'Destinations' })
  const query = async <Row>(text: string, ...values: unknown[]) =>
    (await ground.world.database.pool.query(text, values)).rows as Row[]

  it('a destination is chosen with its variables, changed, and removed with what it was given', async () => {
    const { world } = ground
    await world.database.prisma.integration.create({
      data: { team_id: team.id, slug: 'old-office', name: 'Old office', status: 'disabled' },
    })
    page = await ground.pageOf(team.editor, flowPage())
    await destinations().getByText('back-office').waitFor()
    await button('Add a destination').click()
    // What cannot be chosen says why.
    await dialog().getByText('Not available: The integration is disabled.').waitFor()
    await dialog()
      .getByRole('radio', { name: /Old office/, disabled: true })
      .waitFor()
    await dialog().getByText('Is a destination').waitFor()
    await shots(page, 'flow-add-destination')
    await axe(page)
    await inDialog('Add a destination').click()
    await dialog().getByText('Choose an integration.').waitFor()
    await dialog()
      .getByRole('radio', { name: /National statistics/ })
      .click()
    await button('Add a variable').click()
    await dialog().getByLabel('Name of variable 1').fill('region')
    await dialog().getByLabel('Value of variable 1').fill('north')
    await inDialog('Add a destination').click()
    await destinations().getByText('region = north').waitFor()

    // Sessions go there from now on, and show by themselves.
    const { id } = await world.submit(aSession(team, { payment_id: 'pay-live' }))
    await page.getByRole('region', { name: 'Latest sessions' }).getByText('pay-live').waitFor()
    await page.getByRole('region', { name: 'Latest sessions' }).getByText('2 integrations').waitFor()

    await button('Actions for National statistics').click()
    await page.getByRole('menuitem', { name: 'Change the variables' }).click()
    await dialog().getByLabel('Value of variable 1').fill('5')
    await inDialog('Save').click()
    await destinations().getByText('region = 5').waitFor()
    expect(
      await query(
        `select d.config from destinations d join integrations i on i.id = d.integration_id 
          where i.slug = 'statistics' and d.flow_id = $1`,
        team.flow.id,
      ),
    ).toEqual([{ config: { region: 5 } }])

    await button('Actions for National statistics').click()
    await page.getByRole('menuitem', { name: 'Remove the destination' }).click()
    await dialog().getByLabel('Also close the sessions that it has already').check()
    await inDialog('Remove the destination').click()
    await dialog().getByText('This must be exactly National statistics.').waitFor()
    await shots(page, 'flow-remove-destination')
    await dialog().getByLabel('Type National statistics to confirm').fill('National statistics')
    await inDialog('Remove the destination').click()
    await destinations().getByText('National statistics').waitFor({ state: 'detached' })
    expect(
      await query(
        `select i.slug, g.revoked_at is not null as closed from session_grants g join integrations i on i.id = g.integration_id
          where g.session_id = $1 order by i.slug`,
        id,
      ),
    ).toEqual([
      { slug: 'back-office', closed: false },
      { slug: 'statistics', closed: true },
    ])
    noConsoleErrors(page)
  })

  it('a required schema that is not stored makes sessions invalid, until it is stored and they are validated again', async () => {
    const url = 'https://schemas.example.org/certificate/1.json'
    page = await ground.pageOf(team.editor, flowPage())
    await button('Choose the schema').click()
    await dialog().getByLabel('Address of the schema').first().fill('not an address')
    await inDialog('Save').click()
    await dialog().getByText('Give a whole address', { exact: false }).waitFor()
    await dialog().getByLabel('Address of the schema').first().fill(url)
    await dialog().getByText('This is not stored yet.', { exact: false }).waitFor()
    await inDialog('Save').click()
    await page.getByText('The schema is not stored').waitFor()

    const { status } = await submitted(aSession(team, { payment_id: 'pay-invalid' }))
    expect(status).toBe('invalid')
    await page.getByText('1 session does not follow the schema').waitFor()
    await shots(page, 'flow-invalid')
    await axe(page)

    await button('Store a version').click()
    await inDialog('Store a version').click()
    await dialog().getByText('This must be a JSON object.').waitFor()
    const document = { $id: url, version: '1', type: 'object', required: ['passport'] }
    await dialog()
      .locator('input[type="file"]')
      .setInputFiles({
        name: 'certificate.json',
        mimeType: 'application/json',
        buffer: Buffer.from(JSON.stringify(document)),
      })
    // The document says its own address and version.
    await until(
      async () => [await dialog().getByRole('textbox', { name: 'Address of the schema' }).inputValue()],
      ([value]) => value === url,
    )
    await dialog().getByRole('textbox', { name: 'Name', exact: true }).fill('certificate')
    await shots(page, 'flow-store-schema')
    await inDialog('Store a version').click()
    await page.getByText('certificate, in these versions', { exact: false }).waitFor()
    await button('Validate again').click()
    await page.getByText('1 session is valid now and on its way.', { exact: false }).waitFor()
    await page.getByText('1 session does not follow the schema').waitFor({ state: 'detached' })
    noConsoleErrors(page)
  })

  it('a short name that is taken is refused at its field, and what was typed stays', async () => {
    page = await ground.pageOf(team.editor, '/console/integrations')
    await page.getByText('National statistics').waitFor()
    await page.getByText('Of the platform').waitFor()
    await button('Create an integration').click()
    await inDialog('Create an integration').click()
    await dialog().getByText('Give it a name.').waitFor()
    await dialog().getByRole('textbox', { name: 'Name', exact: true }).fill('Archive')
    await inDialog('Create an integration').click()
    await dialog().getByText('There is one of this short name already.', { exact: false }).waitFor()
    await dialog().getByLabel('Short name').fill('archive-2')
    await shots(page, 'integrations-create')
    await inDialog('Create an integration').click()
    await page.getByRole('heading', { level: 1, name: 'Archive' }).waitFor()
    await page.getByText('No flow sends to it').waitFor()
    await settled(page)
    await shots(page, 'integration-new')

    await button('Add a flow').click()
    await dialog().getByRole('combobox', { name: 'Flow' }).click()
    await page.getByRole('option', { name: 'Apply' }).click()
    await inDialog('Add a flow').click()
    await page.getByRole('region', { name: 'Flows that send to it' }).getByRole('link', { name: 'Apply' }).waitFor()
    noConsoleErrors(page)
  })

  it('an integration is disabled after saying what stops, and enabled again', async () => {
    const { granted } = team
    const authorization = basic(granted.consumer)
    const reads = async () =>
      (await ground.world.graphql('{ integrations { id } }', { authorization })).errors?.[0]?.extensions.code ?? 'OK'
    page = await ground.pageOf(team.editor, `/console/integrations/${granted.id}`)
    await until(reads, (code) => code === 'OK')
    await button('Disable').click()
    await dialog().getByText('Its keys are refused within a second.', { exact: false }).waitFor()
    await inDialog('Disable').click()
    await page.getByText('It gets nothing').waitFor()
    await until(reads, (code) => code !== 'OK')
    await shots(page, 'integration-disabled')
    await button('Enable').click()
    await page.getByText('It gets nothing').waitFor({ state: 'detached' })
    await until(reads, (code) => code === 'OK')
    noConsoleErrors(page)
  })

  it('a viewer sees all of it, and nothing to change', async () => {
    page = await ground.pageOf(team.viewer, flowPage())
    await destinations().getByText('back-office').waitFor()
    const forbidden = /^(Add a|Submit|Rename|Store|Choose|Actions|Validate|Edit|Disable|Make|Create|Connect)/
    expect(await page.getByRole('main').getByRole('button', { name: forbidden }).count()).toBe(0)
    await visit(page, `/console/integrations/${team.granted.id}`)
    await page.getByRole('region', { name: 'Flows that send to it' }).waitFor()
    expect(await page.getByRole('main').getByRole('button', { name: forbidden }).count()).toBe(0)
    noConsoleErrors(page)
  })

  it('German fits on a phone', async () => {
    await ground.world.database.prisma.integration.create({
      data: { team_id: team.id, slug: 'old-office', name: 'Old office', status: 'disabled' },
    })
    page = await ground.pageOf(team.editor, flowPage(), { kept: { 'sluice.language': 'de' } })
    await page.setViewportSize({ width: 360, height: 740 })
    await page.getByRole('heading', { name: 'Ziele' }).waitFor()
    await settled(page)
    await noSideScroll(page)
    await shots(page, 'flow-german')
    // What the gateway tells for programs is said in the person's language.
    await button('Ziel hinzufügen').click()
    await dialog().getByText('Nicht verfügbar: Die Integration ist abgeschaltet.').waitFor()
    await axe(page)
    await page.keyboard.press('Escape')
    await dialog().waitFor({ state: 'detached' })
    await visit(page, `/console/integrations/${team.granted.id}`)
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor()
    await noSideScroll(page)
    await shots(page, 'integration-german')
    noConsoleErrors(page)
  })

  async function submitted(object: Record<string, unknown>): Promise<{ id: string; status: string }> {
    const { data } = await ground.world.graphql<{ submit_session: { id: string; status: string } }>(
      'mutation ($object: submit_session_input!) { submit_session(object: $object) { id status } }',
      { variables: { object }, authorization: basic(ground.world.source) },
    )
    return data.submit_session
  }
})
