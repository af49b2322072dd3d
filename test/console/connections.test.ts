/** Connectors and connections, as people work with them: install, review, connect, run, look, put right, upgrade. */
import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { type ConnectInput, connect } from '../../src/connectors/connections.ts'
import { rotateInboundSecret } from '../../src/connectors/inbound-secrets.ts'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { packageTarball } from '../../src/connectors/tarball.fixture.ts'
import { missPayloads } from '../../src/connectors/two-phase-jobs.ts'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { type Receiver, startReceiver } from '../ground/receiver.ts'
import { aSession, type TeamWorld } from '../ground/world.ts'
import { axe, looksGood, noConsoleErrors, visit } from './checks.ts'
import { hubFiles, type Office, officeFiles } from './connecting.fixture.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('Connectors and connections', () => {
  let ground: ConsoleGround
  /** An npm registry. */
  let registry: Receiver
  const packages = new Map<string, Buffer>()
  /** The ids of two connectors that no test changes. */
  let office: string
  let hub: string
  let team: TeamWorld
  let admin: Page
  let editor: Page

  beforeAll(async () => {
    registry = await startReceiver({ handler: ({ path: at }, response) => answerOfRegistry(at, response) })
    ground = await openConsole({ config: { CONNECTOR_REGISTRY_URL: `${registry.url}/npm` } })
    await approved(path.join(import.meta.dirname, '../../connectors/test-producer'))
    office = await approvedFiles(officeFiles({ version: '1.0.0' }))
    hub = await approvedFiles(hubFiles)
  })
  afterAll(async () => {
    await ground?.close()
    await registry?.close()
  })
  beforeEach(async () => {
    team = await ground.aTeam()
  })
  afterEach(async () => {
    await Promise.all([admin, editor].map((page) => page?.close()))
  })

  const button = (page: Page, name: string | RegExp) => page.getByRole('button', { name })
  const link = (page: Page, name: string | RegExp) => page.getByRole('link', { name })
  const dialog = (page: Page) => page.getByRole('dialog')
  const openAdmin = async (at: string) => {
    admin = await ground.pageOf(ground.people.admin, at)
  }
  const openEditor = async (at: string) => {
    editor = await ground.pageOf(team.editor, at)
  }
  const rows = async <Row>(text: string, ...values: unknown[]) =>
    (await ground.world.database.pool.query(text, values)).rows as Row[]

  async function approved(folder: string): Promise<string> {
    const { database } = ground.world
    const { id } = await installConnector({ database }, folder)
    await reviewConnector({ database }, id, 'approved')
    return id
  }

  async function approvedFiles(files: Readonly<Record<string, string>>): Promise<string> {
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-connector-'))
    try {
      for (const [name, content] of Object.entries(files)) await writeFile(path.join(folder, name), content)
      return await approved(folder)
    } finally {
      await rm(folder, { recursive: true })
    }
  }

  let desks = 0
  /** One like the office, which nobody has installed yet. */
  const aDesk = () => {
    desks += 1
    return { name: `Town desk ${desks}`, implementation: `org.example.desk${desks}` }
  }

  /** Of the team's back office, through the office connector. */
  async function aConnection(more: Partial<ConnectInput> = {}): Promise<{ readonly id: string; readonly at: string }> {
    const { database, sealer } = ground.world
    const { id } = await connect(
      { database, sealer },
      {
        integration_id: team.granted.id,
        connector: office,
        name: 'North office',
        settings: { office: 'north', token: 'a-token-of-nobody' },
        flow_id: team.flow.id,
        ...more,
      },
    )
    return { id, at: `/console/connections/${id}` }
  }

  /** What a third party does. */
  async function sender(connection: string): Promise<(body: string) => Promise<number>> {
    const { database, sealer } = ground.world
    const { secret } = await rotateInboundSecret({ pool: database.pool, sealer }, { connection_id: connection })
    const [row] = await rows<{ implementation: string }>(
      'select k.implementation from connections c join connectors k on k.id = c.connector_id where c.id = $1',
      connection,
    )
    return (body) => send(`${ground.url}/hooks/${row?.implementation}/${connection}`, secret, body)
  }

  async function send(address: string, secret: string, body: string): Promise<number> {
    const headers = { authorization: `Bearer ${secret}` }
    return (await fetch(address, { method: 'POST', headers, body })).status
  }

  async function install(desk: Office) {
    await button(admin, 'Install a connector').click()
    await admin.locator('input[type="file"]').setInputFiles({
      name: 'desk.tgz',
      mimeType: 'application/gzip',
      buffer: await packageTarball(officeFiles(desk)),
    })
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
    await openAdmin('/console/connectors')
    await install({ version: '1.0.0', ...aDesk() })
    await admin.getByText('Calls the host that the setting “Address of the API” names').first().waitFor()
    await looksGood(admin, 'connector-submitted')
    await button(admin, 'Review').click()
    await dialog(admin).getByText('convertRawSource').waitFor()
    await axe(admin)
    await dialog(admin).getByRole('button', { name: 'Cancel' }).click()
    await approve('Reads nothing but the application.')
    noConsoleErrors(admin)
  })

  it('an admin installs a package from npm by its name and exact version', async () => {
    const desk = aDesk()
    const name = `sluice-connector-${desks}`
    packages.set(name, await packageTarball(officeFiles({ version: '1.0.0', ...desk })))
    await openAdmin('/console/connectors')
    await button(admin, 'Install a connector').click()
    await dialog(admin).getByText('npm', { exact: true }).click()
    const reference = dialog(admin).getByLabel('Name and version')
    await reference.fill(name)
    await button(admin, 'Install').last().click()
    await dialog(admin).getByText('Write a name and an exact version', { exact: false }).waitFor()
    await reference.fill(`${name}@1.0.0`)
    await button(admin, 'Install').last().click()
    await admin.waitForURL(/\/connectors\/[0-9a-f-]{36}$/)
    await admin.getByRole('heading', { level: 1, name: desk.name }).waitFor()
    await admin.getByText('This version waits for a review').waitFor()
    await admin.getByText(`npm:${name}@1.0.0`).waitFor()
    noConsoleErrors(admin)
  })

  it('a version is not uninstalled while it is used, but withdrawn: its connections stop and say why; then it goes', async () => {
    const desk = aDesk()
    const id = await approvedFiles(officeFiles({ version: '1.0.0', ...desk }))
    const connection = await aConnection({ connector: id })
    await openAdmin(`/console/connectors/${id}`)
    const actions = button(admin, `Actions for ${desk.name}`)
    const uninstall = async () => {
      await actions.click()
      await admin.getByRole('menuitem', { name: 'Uninstall' }).click()
      await dialog(admin).getByRole('button', { name: 'Uninstall' }).click()
    }
    await uninstall()
    await dialog(admin).getByText('Upgrade or disable them first', { exact: false }).waitFor()
    await dialog(admin).getByRole('button', { name: 'Cancel' }).click()

    await actions.click()
    await admin.getByRole('menuitem', { name: 'Withdraw' }).click()
    await dialog(admin).getByRole('button', { name: 'Withdraw' }).click()
    await dialog(admin).getByText('This must be exactly 1.0.0.').waitFor()
    await dialog(admin).getByLabel('Type 1.0.0 to confirm').fill('1.0.0')
    await dialog(admin).getByLabel(/^Note/).fill('The desk has closed.')
    await dialog(admin).getByRole('button', { name: 'Withdraw' }).click()
    await admin.getByText('Withdrawn', { exact: true }).first().waitFor()
    await admin.getByText('The desk has closed.').first().waitFor()
    await expect.poll(() => button(admin, 'Review').count()).toBe(0)
    await openEditor(connection.at)
    await editor.getByText('The desk has closed.', { exact: false }).first().waitFor()

    await uninstall()
    await dialog(admin).waitFor({ state: 'detached' })
    await admin.getByText('Uninstalled', { exact: true }).first().waitFor()
    await actions.waitFor({ state: 'detached' })
    expect(await rows('select bundle = $2 as gone from connectors where id = $1', id, '')).toEqual([{ gone: true }])
    noConsoleErrors(admin)
    noConsoleErrors(editor)
  })

  it('an editor connects it with a form made from its manifest, which says at the fields what is wrong', async () => {
    await openEditor('/console/connectors')
    await link(editor, 'Connect Office desk').click()
    await editor.getByLabel('Office that takes it').waitFor()
    expect(await editor.getByText('Counter of its own').count()).toBe(0)
    await editor.getByText('What is taken over about people').waitFor()
    await looksGood(editor, 'connection-new-office')
    await editor.getByRole('combobox', { name: 'Integration' }).click()
    await editor.getByRole('option', { name: 'back-office' }).click()
    await button(editor, 'Connect').click()
    await editor.getByText('Give it a value.').first().waitFor()
    await expect.poll(() => editor.getByLabel('Office that takes it').getAttribute('aria-invalid')).toBe('true')

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
    await editor.getByRole('heading', { name: 'North office' }).waitFor()
    await editor.getByText('office.example.org:8443').waitFor()
    noConsoleErrors(editor)
  })

  it('tests the connection, and watches a session being handed over', async () => {
    await openEditor((await aConnection()).at)
    await button(editor, 'Test').click()
    await button(editor, 'Test now').click()
    await editor.getByText('Office north answers.').waitFor()
    await dialog(editor).getByRole('button', { name: 'Close' }).click()

    await editor.getByRole('tab', { name: 'Runs' }).click()
    await editor.getByText('No runs yet').waitFor()
    await ground.world.submit(aSession(team, { payment_id: 'payment-7' }))
    await editor.getByText('Handed over by 1.0.0.').waitFor()
    await editor.getByRole('table', { name: 'Runs' }).getByRole('button').first().click()
    await dialog(editor)
      .getByText(/Office north has/)
      .waitFor()
    await looksGood(editor, 'connection-run')
    await dialog(editor).getByRole('button', { name: 'Run again' }).click()
    await expect.poll(() => editor.getByText('Handed over by 1.0.0.').count()).toBe(2)

    await editor.getByRole('tab', { name: 'Deliveries' }).click()
    await editor.getByRole('table', { name: 'Deliveries' }).getByText('Succeeded').first().waitFor()
    await looksGood(editor, 'connection-deliveries')
    noConsoleErrors(editor)
  })

  it('shows in a dry run what would happen, and keeps nothing of it', async () => {
    await ground.world.submit(aSession(team))
    await openEditor((await aConnection()).at)
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
    const { at } = await aConnection({ flow_id: null })
    await openEditor(at)
    await button(editor, 'Make a secret').click()
    await dialog(editor).getByRole('button', { name: 'Make a secret' }).click()
    await dialog(editor).getByLabel('I have copied it').waitFor()
    const address = await dialog(editor).getByLabel('Address of this connection', { exact: true }).inputValue()
    const secret = await dialog(editor).getByLabel('Secret', { exact: true }).inputValue()
    await looksGood(editor, 'connection-secret')
    await dialog(editor).getByLabel('I have copied it').check()
    await dialog(editor).getByRole('button', { name: 'Done' }).click()

    await editor.getByRole('tab', { name: 'Raw sources' }).click()
    await editor.getByText('Nothing has come in yet').waitFor()
    expect(await send(address, secret, '{"number": 7, "name": "Ada"}')).toBe(200)
    expect(await send(address, secret, 'no JSON at all')).toBe(200)
    // It knows no flow yet, and the second is no JSON.
    const table = editor.getByRole('table', { name: 'Raw sources' })
    await expect.poll(() => table.getByText('Failed', { exact: true }).count()).toBe(2)

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
    expect(
      await rows(
        `select outcome from audit_entries where operation ~* 'raw_?source_?content' and team_id = $1`,
        team.id,
      ),
    ).toContainEqual({ outcome: 'granted' })
    noConsoleErrors(editor)
  })

  it('changes a setting without the secret, and never shows the secret', async () => {
    const { id, at } = await aConnection()
    await openEditor(`${at}?tab=settings`)
    await editor.getByLabel('Limit').fill('5')
    expect(await editor.getByLabel(/^Token/).inputValue()).toBe('')
    await button(editor, 'Save the settings').click()
    await editor.getByText('Saved.').first().waitFor()
    const [row] = await rows('select settings, secret_settings from connections where id = $1', id)
    expect(row).toMatchObject({ settings: { limit: 5, office: 'north' }, secret_settings: ['token'] })
    noConsoleErrors(editor)
  })

  it('asks for a version that may do more, with what it wants to know, and an admin agrees', async () => {
    const desk = aDesk()
    const { at } = await aConnection({ connector: await approvedFiles(officeFiles({ version: '1.0.0', ...desk })) })
    await openAdmin('/console/connectors')
    await install({ version: '1.1.0', ...desk })
    await looksGood(admin, 'connector-newer')
    await approve('The archive is ours.')
    await openEditor(at)
    await editor.getByText('Version 1.1.0 is there').waitFor()
    await looksGood(editor, 'connection-office')
    await button(editor, 'See the difference').click()
    await dialog(editor).getByText('archive.example.org').waitFor()
    await dialog(editor).getByLabel('Region').fill('north')
    await looksGood(editor, 'connection-upgrade')
    await button(editor, 'Ask for 1.1.0').click()
    await editor.getByText('An admin is asked to agree to 1.1.0.').waitFor()

    await visit(admin, at)
    await button(admin, 'See the difference').click()
    await dialog(admin).getByLabel('Region').fill('north')
    await button(admin, 'Change to 1.1.0').click()
    await dialog(admin).getByText('Agree first, or keep the version of now.').waitFor()
    await dialog(admin)
      .getByLabel(/^I agree/)
      .check()
    await button(admin, 'Change to 1.1.0').click()
    await editor.getByText(`Through ${desk.name} 1.1.0`).waitFor()
    noConsoleErrors(admin)
    noConsoleErrors(editor)
  })

  it('a producer runs by a schedule in words, and now; what failed is seen at once', async () => {
    await openEditor('/console/connections/new')
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

  it('what was announced is awaited, comes, comes late, or comes unasked and is accepted', async () => {
    const { id, at } = await aConnection({ connector: hub, name: 'Orders', settings: {} })
    const post = await sender(id)
    await openEditor(at)
    await button(editor, 'Run now').click()
    await link(editor, '2 payloads awaited').click()
    const table = editor.getByRole('table', { name: 'Raw sources' })
    const order = (number: number, state: string) =>
      table
        .getByRole('row')
        .filter({ hasText: `order-${number}` })
        .filter({ hasText: state })
        .waitFor()
    await order(1, 'Awaited')
    await order(2, 'Given up')
    await looksGood(editor, 'connection-awaited')

    await editor.getByLabel('Show all').click()
    expect(await post('{"id": "order-1", "amount": 1}')).toBe(200)
    await order(1, 'Converted')
    expect(await post('{"id": "order-9", "amount": 9}')).toBe(200)
    await order(9, 'Nothing waited for it')
    await looksGood(editor, 'connection-unmatched')
    await button(editor, 'Actions for order-9').click()
    await editor.getByRole('menuitem', { name: 'Accept and convert' }).click()
    await order(9, 'Converted')

    // A week later.
    await rows(
      `update raw_sources set due_at = now() - interval '1 s' where connection_id = $1 and status = 'pending'`,
      id,
    )
    await missPayloads(ground.world.database.pool)
    await order(2, 'Missing')
    expect(await post('{"id": "order-2", "amount": 2}')).toBe(200)
    await order(2, 'Converted')
    await order(2, 'late')
    await looksGood(editor, 'connection-late')
    noConsoleErrors(editor)
  })

  it('a viewer sees how it fares, and no button that would be refused', async () => {
    const { id, at } = await aConnection()
    const post = await sender(id)
    expect(await post('{"number": 7, "name": "Ada"}')).toBe(200)
    await until(
      () => rows<{ status: string }>('select status from raw_sources where connection_id = $1', id),
      ([source]) => source?.status === 'converted',
    )
    const viewer = await ground.pageOf(team.viewer, at)
    await viewer.getByRole('heading', { name: 'North office' }).waitFor()
    for (const name of ['Test', 'Actions for North office', 'Rotate the secret', 'See the difference']) {
      expect(await button(viewer, name).count(), name).toBe(0)
    }
    await viewer.getByRole('tab', { name: 'Raw sources' }).click()
    await viewer.getByRole('table', { name: 'Raw sources' }).getByText('Converted', { exact: true }).waitFor()
    expect(await viewer.getByText('Number 7').count()).toBe(0)
    await viewer.getByRole('tab', { name: 'Settings' }).click()
    await viewer.getByText('A value is stored').waitFor()
    await visit(viewer, '/console/connectors')
    await viewer.getByRole('link', { name: 'Office desk', exact: true }).waitFor()
    expect(await link(viewer, /^Connect /).count()).toBe(0)
    noConsoleErrors(viewer)
    await viewer.close()
  })

  it('speaks German, with the labels that the connector gives', async () => {
    const { at } = await aConnection()
    const page = await ground.pageOf(team.editor, '/console/connectors', { kept: { 'sluice.language': 'de' } })
    editor = page
    await link(page, 'Test Producer verbinden').waitFor()
    await looksGood(page, 'connectors-german')
    await link(page, 'Office desk verbinden').click()
    await page.getByLabel('Amt').waitFor()
    await visit(page, at)
    await looksGood(page, 'connection-german')
    await visit(page, '/console/connections')
    await looksGood(page, 'connections-german')
    noConsoleErrors(page)
  })

  it('is switched off and on again, and deleted by name', async () => {
    const { at } = await aConnection()
    await aConnection({ name: 'South office' })
    await openEditor(at)
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
    await link(editor, 'South office').waitFor()
    await link(editor, 'North office').waitFor({ state: 'detached' })
    noConsoleErrors(editor)
  })

  function answerOfRegistry(at: string, response: ServerResponse): void {
    const [, name = '', version] = /^\/npm\/([^/]+)\/(.+)$/.exec(at) ?? []
    const tarball = packages.get(name)
    if (!tarball) response.writeHead(404).end('{}')
    else if (version === 'package.tgz') response.writeHead(200).end(tarball)
    else {
      const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`
      const dist = { tarball: `${registry.url}/npm/${name}/package.tgz`, integrity }
      response.writeHead(200).end(JSON.stringify({ name, version, dist }))
    }
  }
})
