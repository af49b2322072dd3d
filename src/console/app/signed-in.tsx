import { Button } from '@mantine/core'
import { Navigate, useLocation } from 'react-router'
import { PlaceProvider, useSignIn, useSignInState } from './context.tsx'
import { Loading, Message } from './messages.tsx'
import { Shell } from './shell.tsx'
import { useAppText } from './text.ts'

/** Pages for who is signed in. Everybody else signs in first, and comes back to where they wanted to be. */
export function SignedIn() {
  const { t } = useAppText()
  const state = useSignInState()
  const signIn = useSignIn()
  const { pathname, search, hash } = useLocation()
  if (state.status === 'starting') return <Loading />
  if (state.status === 'out') {
    return (
      <Navigate
        to="/sign-in"
        replace
        state={{
          from: `${pathname}${search}${hash}`,
          reason: state.fault && { code: state.fault.code, message: state.fault.message },
        }}
      />
    )
  }
  if (state.status === 'unreachable') {
    return (
      <Message
        title={t('unreachable.title')}
        actions={<Button onClick={() => void signIn.start()}>{t('retry')}</Button>}
      >
        {t('unreachable.text')}
      </Message>
    )
  }
  return (
    <PlaceProvider person={state.person}>
      <Shell />
    </PlaceProvider>
  )
}
