import { type ReactNode, useEffect, useLayoutEffect, useRef } from 'react'
import { Navigate, useLocation } from 'react-router'
import { useCan, useTeamChoice } from './context.tsx'
import { Forbidden, Loading, NeedsTeam, NoTeam } from './messages.tsx'
import { type Page, platformStart } from './pages.ts'
import { useAppText } from './text.ts'
import { useRowOwner } from './use-row-owner.ts'

/** Around each page: its title until it sets its own, the focus on its heading, and whether it is for this person. */
export function PageFrame({ page, children }: { readonly page: Page; readonly children: ReactNode }) {
  useFocusOnArrival()
  return (
    <>
      <FirstTitle page={page} />
      {page.frame === 'team' ? <TeamFrame page={page}>{children}</TeamFrame> : children}
    </>
  )
}

/**
 * Before the page, and once: what the page says of itself comes after it and stays, in whatever language, since headings
 * (`PageHeader`, `EntranceTitle`, `Message`) follow the language themselves.
 */
function FirstTitle({ page }: { readonly page: Page }) {
  const { t } = useAppText()
  const text = useRef(t)
  text.current = t
  useLayoutEffect(() => {
    document.title = `${text.current(page.title)} · Sluice`
  }, [page])
  return null
}

function TeamFrame({ page, children }: { readonly page: Page; readonly children: ReactNode }) {
  const { team, isPlatform } = useTeamChoice()
  const { role } = useCan()
  const isFinding = useRowOwner(page.table)
  if (isPlatform && !page.platform) {
    if (isFinding) return <Loading />
    return page.path === '/' ? <Navigate to={platformStart} replace /> : <NeedsTeam />
  }
  if (!team && !isPlatform) return <NoTeam />
  if (page.roles && !page.roles.includes(role)) return <Forbidden />
  return children
}

let arrivals = 0

/** After a navigation the heading takes the focus, so that it is read out; not when the browser opens a page itself. */
function useFocusOnArrival(): void {
  const { pathname } = useLocation()
  useEffect(() => {
    arrivals += 1
    if (arrivals === 1) return
    const active = document.activeElement
    const page = document.getElementById('main')
    // A field that a page focuses itself keeps the focus.
    if (active && active !== document.body && page?.contains(active)) return
    const target = document.getElementById('page-title') ?? page
    target?.focus({ preventScroll: true })
    scrollTo(0, 0)
  }, [pathname])
}
