/** What belongs to the platform and to no team: an admin's matter, in the same pages. */
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { installConnector, reviewConnector } from '../../src/connectors/registry.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { aSession, type TeamWorld } from '../ground/world.ts'
import { axe, looksGood, noConsoleErrors, settled, visit } from './checks.ts'
import { type ConsoleGround, describeInBrowser, openConsole } from './ground.ts'

describeInBrowser('The platform', () => {
  let ground: ConsoleGround
  let team: TeamWorld
  let page: Page
  /** Ends the names of a test's things: tried again, it makes others. */
  let suffix = 0

  beforeAll(async () => {
    ground = await openConsole()
    const { database } = ground.world
    const { id } = await installConnector({ database }, path.join(import.meta.dirname, '../../connectors/email'))
    await reviewConnector({ database }, id, 'approved')
  })
  afterAll(() => ground?.close())
  beforeEach(async () => {
    suffix += 1
    team = await ground.aTeam()
  })
  afterEach(() => page?.close())

  const open = async (at: string, chosen = 'platform') => {
    page = await ground.pageOf(ground.people.admin, at, { kept: { 'sluice.team': chosen } })
  }

  const choose = async (name: RegExp) => {
    await page.getByRole('button', { name: /^Team: / }).click()
    await page.getByRole('menuitemradio', { name }).click()
  }
  const place = (name: string) => page.getByRole('button', { name: `Team: ${name}` }).waitFor()
  const query = async (text: string, values: readonly unknown[] = []) =>
    (await ground.world.database.pool.query(text, [...values])).rows

  it('has integrations, webhooks and connections that an admin makes as a team makes its own', async () => {
    const [integration, webhook, connection] = ['Statistics', 'All teams', 'Mails'].map((name) => `${name} ${suffix}`)
    await open('/console', team.id)
    await choose(/^Platform/)
    // From the overview, which is a team's.
    await page.waitForURL(/\/console\/integrations$/)
    expect(await page.getByRole('navigation').first().getByRole('link', { name: 'Sessions' }).count()).toBe(0)
    await page.getByRole('button', { name: 'Create an integration' }).first().click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(integration as string)
    await page.getByRole('dialog').getByRole('button', { name: 'Create an integration' }).click()
    await page.getByRole('heading', { name: integration }).waitFor()
    await page.getByText('None has yet.').waitFor()

    await page.getByRole('link', { name: 'Make a webhook' }).click()
    await page.getByRole('textbox', { name: 'Name', exact: true }).fill(webhook as string)
    await page.getByLabel('URL').fill(`${ground.receiver.url}/statistics`)
    const explained = page.getByRole('region', { name: 'Who would get it?' })
    await explained.getByLabel('Team', { exact: true }).selectOption({ label: team.slug })
    await explained.getByText('is no destination of').waitFor()
    await looksGood(page, 'platform-webhook-new')
    await page.getByRole('button', { name: 'Create webhook' }).click()
    const secret = page.getByRole('dialog', { name: `Signing secret of ${webhook}` })
    await secret.getByLabel('I have copied it').check()
    await secret.getByRole('button', { name: 'Done' }).click()
    await page.getByRole('heading', { name: webhook }).waitFor()

    await visit(page, '/console/connectors')
    await page.getByRole('link', { name: /^Connect / }).click()
    await page.getByLabel(/^Recipient/).waitFor()
    await page.getByRole('combobox', { name: 'Integration' }).click()
    await page.getByRole('option', { name: integration }).click()
    await page.getByLabel(/^Name/).fill(connection as string)
    await page.getByLabel(/^Recipient/).fill('statistics@platform.test')
    await page.getByRole('button', { name: 'Connect' }).click()
    await page.getByRole('heading', { name: connection }).waitFor()

    expect(
      await query(
        `select w.team_id as webhook, c.team_id as connection, i.team_id as integration
           from integrations i join webhooks w on w.integration_id = i.id join connections c on c.integration_id = i.id
          where i.name = $1`,
        [integration],
      ),
    ).toEqual([{ webhook: null, connection: null, integration: null }])
    noConsoleErrors(page)
  })

  it('shows only what is its own, on every page that is there for it', async () => {
    await open('/console/integrations')
    for (const at of ['integrations', 'webhooks', 'connections', 'connectors', 'credentials', 'audit']) {
      await visit(page, `/console/${at}`)
      await place('Platform')
      await looksGood(page, `platform-${at}`)
      expect(await page.getByText('back-office').count(), at).toBe(0)
    }
    noConsoleErrors(page)
  })

  it('gives way to a team where a link leads to something of a team', async () => {
    const { id } = await ground.world.submit(aSession(team))
    await open(`/console/sessions/${id}`)
    await place(team.slug)
    await page.getByRole('heading', { name: `Session ${id.slice(0, 8)}…${id.slice(-4)}` }).waitFor()
    // Back on a page that there is in the platform too, its thing gives way to the list.
    await visit(page, `/console/integrations/${team.granted.id}`)
    await choose(/^Platform/)
    await page.waitForURL(/\/console\/integrations$/)
    await visit(page, '/console/team')
    await page.getByRole('heading', { name: 'This page shows one team' }).waitFor()
    noConsoleErrors(page)
  })

  it('is out of sight for who edits a team', async () => {
    const { database, sealer, config } = ground.world
    const own = await database.prisma.integration.create({
      data: { team_id: null, slug: `hidden-${suffix}`, name: 'Hidden office' },
    })
    const { webhook } = await createWebhook(
      { database, sealer, rules: { allow: config.EGRESS_ALLOW }, validatePattern: parsePattern },
      { integration_id: own.id, name: 'Hidden webhook', url: `${ground.receiver.url}/hidden` },
    )
    page = await ground.pageOf(team.editor, '/console/webhooks', { kept: { 'sluice.team': 'platform' } })
    await page.getByText(team.slug, { exact: true }).waitFor()
    expect(await page.getByRole('button', { name: /^Team: / }).count()).toBe(0)
    expect(await page.getByText('Hidden webhook').count()).toBe(0)
    await visit(page, `/console/webhooks/${webhook.id}`)
    await page.getByText('There is no such webhook').waitFor()
    noConsoleErrors(page)
  })

  it('another team, and another role in it, are there as soon as somebody gives them', async () => {
    const other = await ground.aTeam()
    page = await ground.pageOf(team.viewer, '/console/integrations')
    await page.getByText(team.slug, { exact: true }).waitFor()
    const values = [other.id, team.viewer.email]
    await query(
      `insert into team_members (team_id, user_id, role) select $1, id, 'viewer' from users where email = $2`,
      values,
    )
    await choose(new RegExp(`^${other.slug}$`))
    await place(other.slug)
    await settled(page)
    expect(await page.getByRole('button', { name: 'Create an integration' }).count()).toBe(0)
    await query(
      `update team_members m set role = 'editor' from users u where u.id = m.user_id and m.team_id = $1 and u.email = $2`,
      values,
    )
    await page.getByRole('button', { name: 'Create an integration' }).waitFor()
    noConsoleErrors(page)
  })

  it('menus are accessible while they are open, and by keyboard', async () => {
    // Of two teams: with many, the first in the menu is a field to search in.
    await query(
      `insert into team_members (team_id, user_id, role) select $1, id, 'editor' from users where email = $2`,
      [(await ground.aTeam()).id, team.editor.email],
    )
    page = await ground.pageOf(team.editor, '/console/credentials', { kept: { 'sluice.team': team.id } })
    await place(team.slug)
    await settled(page)
    const focus = (attribute: string) =>
      page.evaluate<string | null>(`document.activeElement?.getAttribute('${attribute}')`)
    const main = page.getByRole('main').getByRole('button', { name: /^Actions for/ })
    // One file has all menus of the shell: it loads when the first button is reached.
    await page.getByRole('button', { name: /^Team: / }).focus()
    await expect.poll(async () => `${await focus('id')}`).toMatch(/^mantine-/)
    for (const name of [/^Team: /, /^Language/, /^Account of/, main]) {
      const button = name instanceof RegExp ? page.getByRole('button', { name }).first() : name.first()
      await button.focus()
      await settled(page)
      const label = await focus('aria-label')
      expect(await focus('aria-haspopup'), `${label}`).toBe('menu')
      await page.keyboard.press('Enter')
      const menu = page.getByRole('menu')
      await menu.waitFor()
      await expect.poll(async () => `${await focus('role')}`).toMatch(/^menuitem/)
      await axe(page)
      await page.keyboard.press('Escape')
      await menu.waitFor({ state: 'detached' })
      await expect.poll(() => focus('aria-label')).toBe(label)
    }
    noConsoleErrors(page)
  })
})
