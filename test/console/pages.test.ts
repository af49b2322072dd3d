/** What holds for every page: WCAG 2.2 AA, no sideways scrolling on a phone, nothing wrong in the browser's console. */
import { existsSync, readdirSync } from 'node:fs'
import path from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, it, onTestFailed } from 'vitest'
import { looksGood, noConsoleErrors, visit } from './checks.ts'
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
  /** One page for each person: signing in takes longer than looking at a page. */
  const pages = new Map<Who | null, Page>()

  beforeAll(async () => {
    ground = await openConsole({ receiver: answerAsFurnished })
    furniture = await furnish(ground)
  })
  afterAll(() => ground?.close())

  /** Arrives at an address as somebody; the first time, and after a failure, in another tab. */
  const open = async (who: Who | null, at: string): Promise<Page> => {
    const opened = pages.get(who)
    // Before the sign-in there is no way from page to page: those are loaded.
    if (who && opened) await visit(opened, at)
    const page = who && opened ? opened : await ground.pageOf(who && ground.people[who], at)
    pages.set(who, page)
    return page
  }

  const cases = pagesUnderTest
    .filter((one) => isThere(one.folder))
    .map(({ folder: name, path: at, who = 'editor' }, index, all) => {
      const nth = all.slice(0, index).filter((other) => other.folder === name).length
      return { name: nth ? `${name}-${nth + 1}` : name, at, who }
    })
  it.each(cases)('$name', async ({ name, at, who }) => {
    onTestFailed(() => void pages.delete(who))
    const page = await open(who, `/console${at(furniture)}`)
    await looksGood(page, name, { picture: true })
    noConsoleErrors(page)
  })
})
