/** What people do on the pages of sessions: submit one, watch it, look into it, end what it is open to. */
import { randomUUID } from 'node:crypto'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { until } from '../../src/delivery/deliveries.fixture.ts'
import { png } from '../../src/files/samples.fixture.ts'
import { aSession, basic } from '../ground/world.ts'
import { axe, noConsoleErrors, settled, shots, signIn } from './checks.ts'
import { answerAsFurnished, type Furniture, furnish } from './furnish.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('The pages of sessions', () => {
  let ground: ConsoleGround
  let furniture: Furniture
  let editor: Page

  beforeAll(async () => {
    ground = await openConsole({ receiver: answerAsFurnished })
    furniture = await furnish(ground, 2)
    editor = await ground.newPage()
    await signIn(editor, ground.people.editor, '/console/sessions')
  })
  afterAll(() => ground?.close())

  const open = async (page: Page, at: string) => {
    await page.goto(`/console${at}`)
    await settled(page)
  }

  it('an editor submits a test session and watches it arrive', async () => {
    const page = editor
    await open(page, '/sessions')
    await page.getByRole('button', { name: 'Submit a test session' }).click()
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
    const page = editor
    await open(page, '/sessions')
    await page.mouse.move(5, 5)
    const watched = aSession(ground.world.camden, { payment_id: 'watched-1' })
    await ground.world.submit(watched)
    await page.getByText('watched-1').waitFor()
    await page.getByRole('table').hover()
    await ground.world.submit(aSession(ground.world.camden, { payment_id: 'watched-2' }))
    const more = page.getByRole('button', { name: '1 new session' })
    await more.waitFor()
    expect(await page.getByText('watched-2').count()).toBe(0)
    await more.click()
    await page.getByText('watched-2').waitFor()
    noConsoleErrors(page)
  })

  it('finds a session by the beginning of its id and by its payment id, and pages through many', async () => {
    const page = editor
    const id = randomUUID()
    await ground.world.submit(aSession(ground.world.camden, { id, payment_id: 'needle-77' }))
    await open(page, '/sessions')
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

    for (let n = 0; n < 52; n += 1) {
      await ground.world.submit(aSession(ground.world.lambeth, { id: randomUUID(), payment_id: `many-${n}` }))
    }
    const other = await ground.newPage()
    await signIn(other, ground.people.lambeth, '/console/sessions')
    await other.getByText('many-51', { exact: true }).waitFor()
    await other.getByRole('button', { name: 'Older' }).click()
    await other.getByText('many-0', { exact: true }).waitFor()
    expect(await other.getByText('many-51', { exact: true }).count()).toBe(0)
    await other.getByRole('button', { name: 'To the newest' }).click()
    await other.getByText('many-51', { exact: true }).waitFor()
    noConsoleErrors(other)
    await other.context().close()
  })

  it('shows data only when asked, which stands in the audit log; compares revisions; attempts and logs unfold', async () => {
    const page = editor
    const { camden } = ground.world
    const session = aSession(camden, {
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
    await open(page, `/sessions/${session.id}`)
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

  it('a file is downloaded, which stands in the audit log', async () => {
    const page = editor
    const id = randomUUID()
    const form = new FormData()
    form.append('team', 'camden')
    form.append('flow', 'apply')
    form.append('file', new Blob([new Uint8Array(png)], { type: 'image/png' }), 'site plan.png')
    const uploaded = await fetch(`${ground.url}/v1/sessions/${id}/files`, {
      method: 'POST',
      headers: { authorization: basic(ground.world.source) },
      body: form,
    })
    expect(uploaded.status).toBeLessThan(300)
    await ground.world.submit(aSession(ground.world.camden, { id }))
    await open(page, `/sessions/${id}`)
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
    const page = editor
    await open(page, `/sessions/${furniture.session}`)
    const name = 'back-office'
    await page.getByRole('button', { name: `Withdraw from ${name}` }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByLabel(`Type ${name} to confirm`).fill(name)
    await dialog.getByRole('button', { name: 'Withdraw' }).click()
    await page.getByRole('region', { name: 'Who may read it' }).getByText('Withdrawn').waitFor()

    await page.getByRole('button', { name: 'Erase' }).click()
    const short = furniture.session.slice(0, 8)
    await dialog.getByLabel(`Type ${short} to confirm`).fill(short)
    await dialog.getByRole('button', { name: 'Erase the data' }).click()
    await dialog.getByText('Say why.').waitFor()
    await dialog.getByLabel('Reason').fill('asked for by the applicant')
    await dialog.getByRole('button', { name: 'Erase the data' }).click()
    await page.getByText('Its data was erased').waitFor()
    await page.getByText('asked for by the applicant').waitFor()
    expect(await page.getByRole('button', { name: 'Show data' }).count()).toBe(0)
    await shots(page, 'session-purged')
    noConsoleErrors(page)
  })

  it('an invalid session says why, and is announced once it is valid', async () => {
    const page = editor
    const { prisma } = ground.world.database
    const { camden } = ground.world
    const url = 'https://schemas.example.org/apply.json'
    await prisma.payloadSchema.create({
      data: { team_id: camden.id, url, name: 'apply', version: '1', document: { type: 'object', required: ['site'] } },
    })
    await prisma.flow.update({ where: { id: camden.flow.id }, data: { schema_url: url } })
    const session = aSession(camden, { id: randomUUID(), payment_id: 'wrong-1' })
    await ground.world.submit(session)
    await open(page, `/sessions/${session.id}`)
    await page.getByText(/must have required property 'site'/).waitFor()
    await shots(page, 'session-invalid')
    await axe(page)
    await page.getByRole('button', { name: 'Validate again' }).click()
    await page.getByText('It is still invalid').waitFor()
    await prisma.payloadSchema.updateMany({
      where: { url },
      data: { document: { type: 'object' }, updated_at: new Date() },
    })
    await open(page, '/sessions?status=invalid')
    await page.getByRole('button', { name: 'Validate again' }).first().click()
    await page.getByText('1 session is valid now').waitFor()
    await page.getByText('No session matches').waitFor()
    noConsoleErrors(page)
  })

  describe('for viewers', () => {
    it('shows where a session went, and no data and no button that would be refused', async () => {
      const page = await ground.newPage({ locale: 'de-DE' })
      await page.goto('/console/sign-in')
      await page.evaluate("localStorage.setItem('sluice.language', 'en')")
      await signIn(page, ground.people.viewer, `/console/sessions/${furniture.sessions[1]}`)
      await page.getByRole('region', { name: 'What happened' }).getByText('Arrived').first().waitFor()
      for (const name of ['Show data', 'Erase', 'Deliver again', 'Show annotations', /^Withdraw/]) {
        expect(await page.getByRole('button', { name }).count(), String(name)).toBe(0)
      }
      await page.evaluate("localStorage.setItem('sluice.language', 'de')")
      await open(page, `/sessions/${furniture.sessions[1]}`)
      await page.getByRole('heading', { name: 'Was geschah' }).waitFor()
      await shots(page, 'session-viewer-german')
      await open(page, '/sessions')
      expect(await page.getByRole('button', { name: 'Testsitzung einreichen' }).count()).toBe(0)
      await shots(page, 'sessions-german')
      noConsoleErrors(page)
      await page.context().close()
    })
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
