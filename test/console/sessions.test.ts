/** What people do on the pages of sessions: submit one, watch it, look into it, end what it is open to. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, onTestFinished } from 'vitest'
import { connect } from '../../src/connectors/connections.ts'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { png } from '../../src/files/samples.fixture.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { aSession, basic, type TeamWorld } from '../ground/world.ts'
import { axe, noConsoleErrors, shots, visit } from './checks.ts'
import { gateFiles } from './connecting.fixture.ts'
import { answerAsFurnished, failingPath } from './furnish.ts'
import { type ConsoleGround, describeInBrowser, openConsole, type Person } from './ground.ts'

describeInBrowser('The pages of sessions', () => {
  let ground: ConsoleGround
  let team: TeamWorld
  let page: Page
  /** Ids of connectors. */
  let mailing: string
  let gate: string
  /** Of gates, by their address: each is awaited before it answers. */
  const gates = new Map<string, Promise<void>>()

  beforeAll(async () => {
    ground = await openConsole({
      receiver: async (request, response) => {
        await gates.get(request.path)
        answerAsFurnished(request, response)
      },
    })
    const { database } = ground.world
    const approved = async (folder: string) => {
      const { id } = await installConnector({ database }, folder)
      await reviewConnector({ database }, id, 'approved')
      return id
    }
    mailing = await approved(path.join(import.meta.dirname, '../../connectors/email'))
    const folder = await mkdtemp(path.join(tmpdir(), 'sluice-test-connector-'))
    for (const [name, content] of Object.entries(gateFiles)) await writeFile(path.join(folder, name), content)
    gate = await approved(folder).finally(() => rm(folder, { recursive: true }))
  })
  afterAll(() => ground?.close())
  beforeEach(async () => {
    team = await ground.aTeam()
  })
  afterEach(() => page?.close())

  /** Of the team, or of somebody else. */
  const open = async (at: string, person: Person = team.editor) => {
    page = await ground.pageOf(person, `/console${at}`)
    return page
  }
  const aWebhook = (name: string, at: string) => {
    const { database, sealer, config } = ground.world
    return createWebhook(
      { database, sealer, rules: { allow: config.EGRESS_ALLOW }, validatePattern: parsePattern },
      { integration_id: team.granted.id, name, url: `${ground.receiver.url}${at}` },
    )
  }

  it('an editor submits a test session and watches it arrive', async () => {
    await aWebhook('Back office', '/office')
    await aWebhook('Statistics', failingPath)
    const page = await open('/sessions')
    await page.getByRole('button', { name: 'Submit a test session' }).first().click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel('Variables').fill('{ "region": ')
    await dialog.getByRole('button', { name: 'Submit', exact: true }).click()
    await dialog.getByText('This must be a JSON object').waitFor()
    await shots(page, 'sessions-submit')
    await dialog.getByLabel('Variables').fill('{ "region": "north" }')
    await axe(page)
    await dialog.getByRole('button', { name: 'Submit', exact: true }).click()
    await page.waitForURL(/\/sessions\/[0-9a-f-]{36}$/)
    const story = page.getByRole('region', { name: 'What happened' })
    await story.getByText('Announced: session.submitted').waitFor()
    await story.getByRole('link', { name: 'Back office' }).waitFor()
    await story.getByText('Arrived').first().waitFor()
    // Its endpoint answers 500: it is tried again.
    await story.getByText('Will be tried again').first().waitFor()
    await story.getByText('by Editor').first().waitFor()
    expect(await page.getByRole('link', { name: 'Who was told, and who not' }).getAttribute('href')).toBe(
      `/console/webhooks?explain=${page.url().split('/').at(-1)}`,
    )
    noConsoleErrors(page)
  })

  it('new sessions come into the list by themselves, and wait while somebody reads', async () => {
    const page = await open('/sessions')
    await page.mouse.move(5, 5)
    const watched = aSession(team, { payment_id: 'watched-1' })
    await ground.world.submit(watched)
    await page.getByText('watched-1').waitFor()
    await page.getByRole('table').hover()
    await ground.world.submit(aSession(team, { payment_id: 'watched-2' }))
    const more = page.getByRole('button', { name: '1 new session' })
    await more.waitFor()
    expect(await page.getByText('watched-2').count()).toBe(0)
    // By keyboard: when the pointer leaves the table, the list goes on by itself.
    await more.press('Enter')
    await page.getByText('watched-2').waitFor()
    noConsoleErrors(page)
  })

  it('finds a session by the beginning of its id and by its payment id, and pages through many', async () => {
    const id = randomUUID()
    await ground.world.submit(aSession(team, { id, payment_id: 'needle-77' }))
    await ground.world.submit(aSession(team, { id: randomUUID(), payment_id: 'hay' }))
    const page = await open('/sessions')
    await page.getByText('hay', { exact: true }).waitFor()
    await page.getByRole('textbox', { name: 'Search' }).fill(id.slice(0, 8))
    const rows = page.getByRole('table').getByRole('row')
    await until(
      () => rows.count(),
      (count) => count === 2,
    )
    await page.getByText('needle-77').waitFor()
    await page.getByRole('textbox', { name: 'Search' }).fill('needle')
    await page.waitForURL(/q=needle/)
    await page.getByText('needle-77').waitFor()
    await page.getByRole('textbox', { name: 'Search' }).fill('nowhere')
    await page.getByText('No session matches').waitFor()
    await page.getByRole('button', { name: 'Show all' }).last().click()
    await page.getByText('needle-77').waitFor()

    noConsoleErrors(page)
    await page.close()

    const other = await ground.aTeam()
    for (let n = 0; n < 52; n += 1) {
      await ground.world.submit(aSession(other, { id: randomUUID(), payment_id: `many-${n}` }))
    }
    const list = await open('/sessions', other.editor)
    await list.getByText('many-51', { exact: true }).waitFor()
    await list.getByRole('button', { name: 'Older' }).click()
    await list.getByText('many-0', { exact: true }).waitFor()
    await expect.poll(() => list.getByText('many-51', { exact: true }).count()).toBe(0)
    await list.getByRole('button', { name: 'To the newest' }).click()
    await list.getByText('many-51', { exact: true }).waitFor()
    noConsoleErrors(list)
  })

  it('shows data only when asked, which stands in the audit log; compares revisions; attempts and logs unfold', async () => {
    const { database, sealer } = ground.world
    await connect(
      { database, sealer },
      {
        integration_id: team.granted.id,
        connector: mailing,
        name: 'Planning office',
        settings: { recipient: 'planning@camden.test' },
      },
    )
    const session = aSession(team, {
      id: randomUUID(),
      data: { passport: { data: { 'application.type': ['ldc.proposed'], note: 'before' } }, list: [1, 2, 3] },
    })
    await ground.world.submit(session)
    await ground.world.graphql(
      'mutation ($object: update_session_input!) { update_session(object: $object) { revision } }',
      {
        variables: { object: { id: session.id, data: { passport: { data: { note: 'after' } }, list: [1, 2, 3] } } },
        authorization: basic(ground.world.source),
      },
    )
    const page = await open(`/sessions/${session.id}`)
    const story = page.getByRole('region', { name: 'What happened' })
    await story.getByText('Changed: revision 2').waitFor()
    expect(await readsOf(session.id as string)).toEqual([])
    await page.getByRole('button', { name: 'Show data' }).click()
    await page.getByRole('tree', { name: 'the data' }).getByText('passport').waitFor()
    await story.getByText('Data read').waitFor()
    expect(await readsOf(session.id as string)).toEqual(['editor'])

    await page.getByLabel('Search in the data').fill('after')
    await page.getByText('Found once').waitFor()
    await page.getByRole('textbox', { name: 'Search in the data' }).fill('')
    await page.getByRole('button', { name: 'Open all' }).click()
    await page.getByRole('treeitem', { name: /note/ }).last().waitFor()
    await axe(page)
    await shots(page, 'session-data')
    await page.getByRole('button', { name: 'Show annotations' }).click()
    await page.getByText('No connector has noted anything.').waitFor()
    await page.getByRole('combobox', { name: 'Compare with' }).click()
    await page.getByRole('option', { name: 'Revision 1' }).click()
    await page.getByText('/data/passport/data/note').waitFor()

    await story
      .getByRole('button', { name: /attempt/ })
      .first()
      .click()
    await story
      .getByText(/Attempt 1/)
      .first()
      .waitFor()
    await story.getByRole('button', { name: 'Log' }).first().click()
    await shots(page, 'session-unfolded')
    await axe(page)
    noConsoleErrors(page)
  })

  it('tells whom a session waits for, and that an update waits; then shows what connectors keep with it', async () => {
    const { database, sealer, config } = ground.world
    const at = `/gate/${team.slug}`
    const connection = await connect(
      { database, sealer, reach: { allow: config.EGRESS_ALLOW } },
      {
        integration_id: team.granted.id,
        connector: gate,
        name: 'Gatekeeper',
        settings: { address: `${ground.receiver.url}${at}` },
        events: ['session.submitted', 'session.updated'],
      },
    )
    const [submission, change] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    onTestFinished(() => {
      submission.resolve()
      change.resolve()
    })
    gates.set(at, submission.promise)
    const { id } = await ground.world.submit(aSession(team, { id: randomUUID() }))
    const page = await open(`/sessions/${id}`)
    const story = page.getByRole('region', { name: 'What happened' })
    const waits = story.getByText('Waits for its modifiers')
    await waits.waitFor()
    const keeper = story.getByRole('link', { name: 'Gatekeeper' })
    expect(await keeper.first().getAttribute('href')).toBe(`/console/connections/${connection.id}`)
    await shots(page, 'session-settling')
    await axe(page)
    gates.set(at, change.promise)
    submission.resolve()
    await story.getByText('Announced: session.submitted').waitFor()
    await waits.waitFor({ state: 'detached' })

    const { errors } = await ground.world.graphql(
      'mutation ($object: update_session_input!) { update_session(object: $object) { revision } }',
      { variables: { object: { id, data: { changed: true } } }, authorization: basic(ground.world.source) },
    )
    expect(errors).toBeUndefined()
    await story.getByText('Readers have revision 1 meanwhile. An update waits. The session waits for').waitFor()
    noConsoleErrors(page)
    const viewer = await ground.pageOf(team.viewer, `/console/sessions/${id}`, { kept: { 'sluice.language': 'de' } })
    await viewer.getByText('Lesbar ist so lange Fassung 1. Eine Änderung wartet.').waitFor()
    noConsoleErrors(viewer)
    await viewer.close()
    change.resolve()
    await story.getByText('Changed: revision 2').waitFor()
    await waits.waitFor({ state: 'detached' })

    await page.getByRole('button', { name: 'Show data' }).click()
    await page.getByRole('tree', { name: 'the data of connectors' }).getByText('org.example.gate').waitFor()
    await axe(page)
    noConsoleErrors(page)
  })

  it('a file is downloaded, which stands in the audit log', async () => {
    const id = randomUUID()
    const form = new FormData()
    form.append('team', team.slug)
    form.append('flow', 'apply')
    form.append('file', new Blob([new Uint8Array(png)], { type: 'image/png' }), 'site plan.png')
    const uploaded = await fetch(`${ground.url}/v1/sessions/${id}/files`, {
      method: 'POST',
      headers: { authorization: basic(ground.world.source) },
      body: form,
    })
    expect(uploaded.status).toBeLessThan(300)
    await ground.world.submit(aSession(team, { id }))
    const page = await open(`/sessions/${id}`)
    const story = page.getByRole('region', { name: 'What happened' })
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download site plan.png' }).click(),
    ])
    expect(download.suggestedFilename()).toBe('site plan.png')
    await story.getByText('Link to a file made').waitFor()
    await shots(page, 'session-file')
    noConsoleErrors(page)
  })

  it('a grant is withdrawn and the data erased by typing their names', async () => {
    const { id } = await ground.world.submit(aSession(team))
    const page = await open(`/sessions/${id}`)
    const name = 'back-office'
    await page.getByRole('button', { name: `Withdraw from ${name}` }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name)
    await dialog.getByRole('button', { name: 'Withdraw' }).click()
    await page.getByRole('region', { name: 'Who may read it' }).getByText('Withdrawn').waitFor()

    await page.getByRole('button', { name: 'Erase' }).click()
    const short = id.slice(0, 8)
    await dialog.getByLabel(`Type ${short} to confirm`).fill(short)
    await dialog.getByRole('button', { name: 'Erase the data' }).click()
    await dialog.getByText('Say why.').waitFor()
    await dialog.getByLabel('Reason').fill('asked for by the applicant')
    await dialog.getByRole('button', { name: 'Erase the data' }).click()
    await page.getByText('Its data was erased').waitFor()
    await page.getByText('asked for by the applicant').waitFor()
    await expect.poll(() => page.getByRole('button', { name: 'Show data' }).count()).toBe(0)
    await shots(page, 'session-purged')
    noConsoleErrors(page)
  })

  it('an invalid session says why, and is announced once it is valid', async () => {
    const { prisma } = ground.world.database
    const url = `https://schemas.example.org/${team.slug}.json`
    await prisma.payloadSchema.create({
      data: { team_id: team.id, url, name: 'apply', version: '1', document: { type: 'object', required: ['site'] } },
    })
    await prisma.flow.update({ where: { id: team.flow.id }, data: { schema_url: url } })
    const session = aSession(team, { id: randomUUID(), payment_id: 'wrong-1' })
    await ground.world.submit(session)
    const page = await open(`/sessions/${session.id}`)
    await page.getByText(/must have required property 'site'/).waitFor()
    await shots(page, 'session-invalid')
    await axe(page)
    await page.getByRole('button', { name: 'Validate again' }).click()
    await page.getByText('It is still invalid').waitFor()
    await prisma.payloadSchema.updateMany({
      where: { url },
      data: { document: { type: 'object' }, updated_at: new Date() },
    })
    await visit(page, '/console/sessions?status=invalid')
    await page.getByRole('button', { name: 'Validate again' }).first().click()
    await page.getByText('1 session is valid now').waitFor()
    await page.getByText('No session matches').waitFor()
    noConsoleErrors(page)
  })

  it('shows viewers where a session went, and no data and no button that would be refused', async () => {
    await aWebhook('Back office', '/office')
    const { id } = await ground.world.submit(aSession(team))
    const page = await open(`/sessions/${id}`, team.viewer)
    await page.getByRole('region', { name: 'What happened' }).getByText('Arrived').first().waitFor()
    for (const name of ['Show data', 'Erase', 'Deliver again', 'Show annotations', /^Withdraw/]) {
      expect(await page.getByRole('button', { name }).count(), String(name)).toBe(0)
    }
    await page.getByRole('button', { name: 'Language' }).click()
    await page.getByRole('menuitemradio', { name: 'Deutsch' }).click()
    await page.getByRole('heading', { name: 'Was geschah' }).waitFor()
    await shots(page, 'session-viewer-german')
    await visit(page, '/console/sessions')
    expect(await page.getByRole('button', { name: 'Testsitzung einreichen' }).count()).toBe(0)
    await shots(page, 'sessions-german')
    noConsoleErrors(page)
  })

  /** Roles that read the data of a session. */
  async function readsOf(id: string): Promise<string[]> {
    const { rows } = await ground.world.database.pool.query<{ role: string }>(
      `select role from audit_entries where operation = 'query' and session_ids @> array[$1::uuid]`,
      [id],
    )
    return rows.map(({ role }) => role)
  }
})
