import { MantineProvider } from '@mantine/core'
import { lazy, Suspense, useState } from 'react'
import { RouterProvider } from 'react-router/dom'
import type { SignIn } from '../api/sign-in.ts'
import { SignInProvider } from './context.tsx'
import { createRouter } from './router.tsx'
import { cssVariables, theme } from './theme.ts'

// Nobody is told anything before the first page is there.
const Notifications = lazy(async () => ({ default: (await import('@mantine/notifications')).Notifications }))

/** The whole console, around its pages. */
export function Console({ signIn }: { readonly signIn: SignIn }) {
  const [router] = useState(createRouter)
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={cssVariables}>
      <SignInProvider signIn={signIn}>
        <RouterProvider router={router} />
      </SignInProvider>
      <Suspense>
        <Notifications position="bottom-right" />
      </Suspense>
    </MantineProvider>
  )
}
