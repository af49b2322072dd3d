import { MantineProvider } from '@mantine/core'
import { ModalsProvider } from '@mantine/modals'
import { Notifications } from '@mantine/notifications'
import { useState } from 'react'
import { RouterProvider } from 'react-router/dom'
import type { SignIn } from '../api/sign-in.ts'
import { SignInProvider } from './context.tsx'
import { createRouter } from './router.tsx'
import { cssVariables, theme } from './theme.ts'

/** The whole console, around its pages. */
export function Console({ signIn }: { readonly signIn: SignIn }) {
  const [router] = useState(createRouter)
  return (
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={cssVariables}>
      <ModalsProvider>
        <Notifications position="bottom-right" />
        <SignInProvider signIn={signIn}>
          <RouterProvider router={router} />
        </SignInProvider>
      </ModalsProvider>
    </MantineProvider>
  )
}
