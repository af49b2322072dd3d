import { createBrowserRouter, Navigate, type RouteObject } from 'react-router'
import { Entrance } from './entrance.tsx'
import { Loading, NotFound } from './messages.tsx'
import { PageError } from './page-error.tsx'
import { PageFrame } from './page-frame.tsx'
import { menuOf, type Page, pages } from './pages.ts'
import { SignedIn } from './signed-in.tsx'

/** The pages that are there, each loaded when it is first opened. */
export function createRouter() {
  const inside = pages.filter(({ frame }) => frame !== 'entrance').map(routeOf)
  const start = pages.some(({ path }) => path === '/')
    ? []
    : [{ path: '/', element: <Navigate to={firstPage()} replace /> }]
  return createBrowserRouter(
    [
      {
        HydrateFallback: Loading,
        children: [
          { element: <Entrance />, children: pages.filter(({ frame }) => frame === 'entrance').map(routeOf) },
          { element: <SignedIn />, children: [...start, ...inside, { path: '*', element: <NotFound /> }] },
        ],
      },
    ],
    { basename: '/console' },
  )
}

function routeOf(page: Page): RouteObject {
  return {
    path: page.path,
    ErrorBoundary: PageError,
    lazy: async () => {
      const { Component } = await page.load()
      return {
        element: (
          <PageFrame page={page}>
            <Component />
          </PageFrame>
        ),
      }
    },
  }
}

function firstPage(): string {
  return menuOf('viewer')[0]?.path ?? '/account'
}
