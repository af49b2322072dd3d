/** What belongs to the platform and to no team: an admin's matter, in the same pages. */
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { aSession } from '../ground/world.ts'
import { looksGood, noConsoleErrors, settled, signIn, visit } from './checks.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('The platform', () => {
  let ground: ConsoleGround
  let page: Page

  beforeAll(async () => {
    ground = await openConsole()
    page = await ground.newPage()
    await signIn(page, ground.people.admin)
  })
  afterAll(() => ground?.close())

  const choose = async (name: RegExp) => {
    await page.getByRole('button', { name: /^Team: / }).click()
    await page.getByRole('menuitemradio', { name }).click()
  }
  const place = (name: string) => page.getByRole('button', { name: `Team: ${name}` }).waitFor()
  const query = async (text: string, values: readonly unknown[] = []) =>
    (await ground.world.database.pool.query(text, [...values])).rows

  it('has integrations and webhooks that an admin makes as a team makes its own', async () => {
    await choose(/^Platform/)
    // From the overview, which is a team's.
    await page.waitForURL(/\/console\/integrations$/)
    expect(await page.getByRole('navigation').first().getByRole('link', { name: 'Sessions' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Create an integration' }).first().click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('National statistics')
    await page.getByRole('dialog').getByRole('button', { name: 'Create an integration' }).click()
    await page.getByRole('heading', { name: 'National statistics' }).waitFor()
    await page.getByText('None has yet.').waitFor()

    await page.getByRole('link', { name: 'Make a webhook' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill('All teams')
    await page.getByLabel('URL').fill(`${ground.receiver.url}/statistics`)
    const explained = page.getByRole('region', { name: 'Who would get it?' })
    await explained.getByLabel('Team', { exact: true }).selectOption({ label: ground.world.camden.slug })
    await explained.getByText('is no destination of').waitFor()
    await looksGood(page, 'platform-webhook-new')
    await page.getByRole('button', { name: 'Create webhook' }).click()
    const secret = page.getByRole('dialog', { name: 'Signing secret of All teams' })
    await secret.getByLabel('I have copied it').check()
    await secret.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('heading', { name: 'All teams' }).waitFor()

    expect(
      await query(
        `select w.team_id, i.team_id as team from webhooks w join integrations i on i.id = w.integration_id
          where w.name = 'All teams'`,
      ),
    ).toEqual([{ team_id: null, team: null }])
    noConsoleErrors(page)
  })

  it('shows only what is its own, on every page that is there for it', async () => {
    for (const at of ['integrations', 'webhooks', 'connections', 'connectors', 'credentials', 'audit']) {
      await visit(page, `/console/${at}`)
      await place('Platform')
      await looksGood(page, `platform-${at}`)
      expect(await page.getByText('back-office').count(), at).toBe(0)
    }
    noConsoleErrors(page)
  })

  it('gives way to a team where a link leads to something of a team', async () => {
    const { id } = await ground.world.submit(aSession(ground.world.lambeth))
    await page.goto(`/console/sessions/${id}`)
    await place(ground.world.lambeth.slug)
    await page.getByRole('heading', { name: `Session ${id.slice(0, 8)}…${id.slice(-4)}` }).waitFor()
    // Back on a page that there is in the platform too, its thing gives way to the list.
    await visit(page, `/console/integrations/${ground.world.lambeth.granted.id}`)
    await choose(/^Platform/)
    await page.waitForURL(/\/console\/integrations$/)
    await visit(page, '/console/team')
    await page.getByRole('heading', { name: 'This page shows one team' }).waitFor()
    noConsoleErrors(page)
  })

  it('is out of sight for who edits a team', async () => {
    const editor = await ground.newPage()
    const [webhook] = await query('select id from webhooks where team_id is null')
    const kept = { 'sluice.team': 'platform' }
    await signIn(editor, ground.people.editor, '/console/integrations', { kept })
    await editor.getByText(ground.world.camden.slug, { exact: true }).waitFor()
    expect(await editor.getByRole('button', { name: /^Team: / }).count()).toBe(0)
    expect(await editor.getByText('All teams').count()).toBe(0)
    await visit(editor, `/console/webhooks/${webhook?.id}`)
    await editor.getByText('There is no such webhook').waitFor()
    noConsoleErrors(editor)
    await editor.context().close()
  })

  it('another team, and another role in it, are there as soon as somebody gives them', async () => {
    const member = await ground.newPage()
    await signIn(member, ground.people.viewer, '/console/integrations')
    const values = [ground.world.lambeth.id, ground.people.viewer.email]
    await query(
      `insert into team_members (team_id, user_id, role) select $1, id, 'viewer' from users where email = $2
       on conflict do nothing`,
      values,
    )
    await member.getByRole('button', { name: `Team: ${ground.world.camden.slug}` }).click()
    await member.getByRole('menuitemradio', { name: ground.world.lambeth.slug }).click()
    await member.getByRole('button', { name: `Team: ${ground.world.lambeth.slug}` }).waitFor()
    await settled(member)
    expect(await member.getByRole('button', { name: 'Create an integration' }).count()).toBe(0)
    await query(
      `update team_members m set role = 'editor' from users u where u.id = m.user_id and m.team_id = $1 and u.email = $2`,
      values,
    )
    await member.getByRole('button', { name: 'Create an integration' }).waitFor()
    noConsoleErrors(member)
    await member.context().close()
  })
})
