/**
 * The newcomer's path: somebody who has read nothing, in a team where a colleague has set up one webhook, gets a first
 * session through and sees why the colleague's webhook was not told. Led by what the pages say, by keyboard and mouse.
 */
import { randomUUID } from 'node:crypto'
import type { Locator } from 'playwright-core'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest'
import { createPerson } from '../../src/access/people.ts'
import { parsePattern } from '../../src/tables/event-shape.ts'
import { createWebhook } from '../../src/webhooks/webhooks.ts'
import { axe, noConsoleErrors, noSideScroll, settled, shots, show, visit } from './checks.ts'
import { type ConsoleGround, describeInBrowser, openConsole, type Person } from './ground.ts'

/** What a person does with their hands, counted; reading is free. */
class Hands {
  clicks = 0
  fields = 0
  async click(what: Locator): Promise<void> {
    this.clicks += 1
    await what.click()
  }
  async fill(what: Locator, text: string): Promise<void> {
    this.fields += 1
    await what.fill(text)
  }
}

describeInBrowser("The newcomer's path", () => {
  let ground: ConsoleGround
  /** Who went through it. */
  let person: Person

  beforeAll(async () => {
    ground = await openConsole()
  })
  afterAll(() => ground?.close())

  it('leads from the sign-in to a first session that arrived, and to why another webhook was not told', async () => {
    person = await nearlyEmptyTeam(ground)
    const page = await ground.newPage({ permissions: ['clipboard-read', 'clipboard-write'] })
    onTestFinished(() => page.context().close())
    const hands = new Hands()
    const button = (name: string | RegExp) => page.getByRole('button', { name, exact: typeof name === 'string' })
    const link = (name: string | RegExp) => page.getByRole('link', { name, exact: typeof name === 'string' })
    const heading = (name: string | RegExp) => page.getByRole('heading', { name })
    const dialog = page.getByRole('dialog')
    /** Pictures are not part of the path. */
    let pictures = 0
    const look = async (name: string) => {
      const before = performance.now()
      await shots(page, name)
      pictures += performance.now() - before
    }
    // Loading the page is not theirs to answer for.
    await page.goto('/console')
    await page.getByLabel('Email').waitFor()
    const begun = performance.now()

    await hands.fill(page.getByLabel('Email'), person.email)
    await hands.fill(page.getByLabel('Password', { exact: true }), person.password)
    await hands.click(button('Sign in'))

    // The overview says what is first.
    await heading('First steps').waitFor()
    await hands.click(link('To the flows'))
    await page.getByText('No flows yet').waitFor()
    await look('newcomer-1-flows')
    await hands.click(button('Create a flow'))
    await hands.fill(dialog.getByRole('textbox', { name: 'Name', exact: true }), 'Apply for a certificate')
    await expect.poll(() => dialog.getByLabel('Short name').inputValue()).toBe('apply-for-a-certificate')
    await hands.click(dialog.getByRole('button', { name: 'Create a flow' }))

    // The flow says that nobody gets its sessions.
    await heading('Apply for a certificate').waitFor()
    await page.getByText('Nobody gets these sessions yet').waitFor()
    await look('newcomer-2-flow')
    await hands.click(button('Add a destination'))
    await hands.click(dialog.getByText('A new one'))
    await hands.fill(dialog.getByLabel('Name of the integration'), 'Back office')
    await look('newcomer-3-destination')
    await hands.click(dialog.getByRole('button', { name: 'Add a destination' }))

    // The destination says that it has no way to get them.
    await hands.click(link('Make a webhook'))
    await heading('New webhook').waitFor()
    await settled(page)
    await hands.fill(page.getByRole('textbox', { name: 'Name', exact: true }), 'Intake')
    await hands.fill(page.getByRole('textbox', { name: 'URL', exact: true }), `${ground.receiver.url}/intake`)
    await look('newcomer-4-webhook')
    await hands.click(button('Create webhook'))
    await hands.click(dialog.getByRole('button', { name: 'Copy Signing secret' }))
    const copied = () => page.evaluate<string>('navigator.clipboard.readText()')
    await expect.poll(copied).toMatch(/^whsec_/)
    const secret = await copied()
    await hands.click(dialog.getByLabel('I have copied it'))
    await hands.click(dialog.getByRole('button', { name: 'Done' }))
    await heading('Intake').waitFor()

    // The menu leads on, and so does the empty list.
    await hands.click(page.getByRole('navigation').getByRole('link', { name: 'Sessions', exact: true }))
    await page.getByText('No sessions yet').waitFor()
    await hands.click(button('Submit a test session').first())
    await dialog.getByRole('button', { name: 'Submit', exact: true }).waitFor()
    await hands.click(dialog.getByRole('button', { name: 'Submit', exact: true }))

    // It arrives while one looks: nothing is loaded again.
    await page.waitForURL(/\/sessions\/[0-9a-f-]{36}$/)
    await page.getByRole('heading', { name: 'What happened' }).waitFor()
    const arrived = page.getByRole('main').getByText('Arrived', { exact: true }).first()
    await arrived.waitFor()
    const seen = performance.now() - begun - pictures
    await look('newcomer-5-session')
    const request = await ground.receiver.next(({ path }) => path === '/intake', 30_000)
    const event = new Webhook(secret).verify(request.body.toString(), request.headers as Record<string, string>)
    expect(JSON.stringify(event)).toContain('"paymentID":"test"')

    await hands.click(link('Who was told, and who not'))
    await settled(page)
    const main = page.getByRole('main')
    await main.getByText('Bookings').first().waitFor()
    await main
      .getByText(/no destination of/)
      .first()
      .waitFor()
    await main
      .getByText(/conditions do not hold/i)
      .first()
      .waitFor()
    const done = performance.now() - begun - pictures
    await look('newcomer-6-explained')

    noConsoleErrors(page)
    expect(ground.receiver.requests.filter(({ path }) => path === '/bookings')).toEqual([])
    // Under two minutes for a person: at most so many movements, whatever a machine takes for them.
    process.stdout.write(
      `newcomer: ${hands.clicks} clicks, ${hands.fields} fields; seen after ${seconds(seen)}, explained after ${seconds(done)}\n`,
    )
    expect(hands.clicks).toBeLessThanOrEqual(20)
    expect(hands.fields).toBeLessThanOrEqual(6)
  }, 240_000)

  it('on a phone, in the dark, each step of it is accessible and nothing sticks out', async () => {
    const page = await ground.pageOf(person, '/console')
    onTestFinished(() => page.close())
    await show(page, 360, 'dark')
    for (const at of ['/console', '/console/flows', '/console/integrations', '/console/sessions']) {
      await visit(page, at)
      await noSideScroll(page)
      await axe(page)
    }
    noConsoleErrors(page)
  })
})

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

/** A colleague's integration hears of bookings only, and no flow sends to it. */
async function nearlyEmptyTeam({ world, receiver }: ConsoleGround): Promise<Person> {
  const slug = `hackney-${randomUUID()}`
  const person = { email: `newcomer@${slug}.test`, password: 'a password to begin with' }
  const { database, sealer, config } = world
  const { prisma } = database
  const team = await prisma.team.create({ data: { slug, name: 'Hackney' } })
  await createPerson(database, {
    ...person,
    name: 'Nico Newcomer',
    memberships: [{ teamId: team.id, role: 'editor' }],
  })
  const archive = await prisma.integration.create({ data: { team_id: team.id, slug: 'archive', name: 'Archive' } })
  await createWebhook(
    { database, sealer, rules: { allow: config.EGRESS_ALLOW }, validatePattern: parsePattern },
    {
      integration_id: archive.id,
      name: 'Bookings',
      url: `${receiver.url}/bookings`,
      pattern: { kind: { _eq: 'booking' } },
    },
  )
  return person
}
