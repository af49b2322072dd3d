/** What holds for every page: WCAG 2.2 AA, no sideways scrolling on a phone, nothing wrong in the browser's console. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { axe, noConsoleErrors, noSideScroll, settled, shot, show, signIn, views } from './checks.ts'
import { answerAsFurnished, type Furniture, furnish } from './furnish.ts'
import { type ConsoleGround, describeInBrowser, openConsole, type Who } from './ground.ts'
import { pagesUnderTest } from './pages.ts'

const folder = path.join(import.meta.dirname, '../../src/console/pages')
const isThere = (name: string) => existsSync(path.join(folder, name, 'index.tsx'))

it('every page of the console is on the list of pages under test', () => {
  const named = new Set(pagesUnderTest.map((one) => one.folder))
  expect(readdirSync(folder).filter((name) => isThere(name) && !named.has(name))).toEqual([])
})

describeInBrowser('Every page', () => {
  let ground: ConsoleGround
  let furniture: Furniture
  /** One profile for each person: signing in takes longer than looking at a page. */
  const pages = new Map<Who | null, Promise<Page>>()

  beforeAll(async () => {
    ground = await openConsole({ receiver: answerAsFurnished })
    furniture = await furnish(ground)
  })
  afterAll(() => ground?.close())

  const pageOf = (who: Who | null): Promise<Page> => {
    const opened = pages.get(who) ?? openPage(who)
    pages.set(who, opened)
    return opened
  }
  const openPage = async (who: Who | null) => {
    const page = await ground.newPage()
    if (who) await signIn(page, ground.people[who])
    return page
  }

  const cases = pagesUnderTest
    .filter((one) => isThere(one.folder))
    .map(({ folder: name, path: at, who = 'editor' }, index, all) => {
      const nth = all.slice(0, index).filter((other) => other.folder === name).length
      return { name: nth ? `${name}-${nth + 1}` : name, at, who }
    })
  it.each(cases)('$name', async ({ name, at, who }) => {
    const page = await pageOf(who)
    await page.goto(`/console${at(furniture)}`)
    await settled(page)
    // Light and wide, dark and narrow: axe sees both themes and both layouts.
    for (const [width, scheme] of views) {
      await show(page, width, scheme)
      await shot(page, name)
      await axe(page)
      await noSideScroll(page)
    }
    noConsoleErrors(page)
  })
})
