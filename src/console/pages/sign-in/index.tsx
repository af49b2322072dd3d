import { Alert, Anchor, Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { type FormEvent, useState } from 'react'
import { Link, Navigate, useLocation } from 'react-router'
import type { Fault } from '../../api/fault.ts'
import { useEntrance } from '../../api/use-entrance.ts'
import { useSignIn, useSignInState } from '../../app/context.tsx'
import { EntranceTitle } from '../../app/entrance.tsx'
import { Loading } from '../../app/messages.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { FaultText } from '../../kit/fault-text.tsx'
import { useText } from './text.ts'

/**
 * Signs in, and goes to where the person wanted to be. Its two fields do without the library that other forms use: this
 * is the first page that a browser loads.
 */
export function Component() {
  const { t } = useText()
  const signIn = useSignIn()
  const state = useSignInState()
  const location = useLocation()
  const { from = '/', reason } = (location.state ?? {}) as {
    from?: string
    reason?: Pick<Fault, 'code' | 'message'>
  }
  const [missing, setMissing] = useState<{ readonly email?: boolean; readonly password?: boolean }>({})
  const { run, running, fault } = useEntrance()
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault()
    const given = new FormData(event.currentTarget)
    const email = String(given.get('email')).trim()
    const password = String(given.get('password'))
    const wrong = { email: !email.includes('@'), password: password === '' }
    setMissing(wrong)
    // Whoever hears the page is led to what is missing.
    const first = wrong.email ? 'email' : wrong.password ? 'password' : null
    if (first) (event.currentTarget.elements.namedItem(first) as HTMLInputElement).focus()
    if (!wrong.email && !wrong.password) void run(() => signIn.withPassword(email, password))
  }
  if (state.status === 'starting') return <Loading />
  if (state.status === 'in') return <Navigate to={from} replace />
  return (
    <form noValidate onSubmit={submit}>
      <EntranceTitle>{t('title')}</EntranceTitle>
      <Stack>
        {reason && !fault && (
          <Alert color="yellow">
            <FaultText fault={reason} />
          </Alert>
        )}
        <ErrorAlert fault={fault} />
        <TextInput
          label={t('email')}
          type="email"
          autoComplete="username"
          autoFocus
          name="email"
          error={missing.email && t('email.wrong')}
        />
        <PasswordInput
          label={t('password')}
          autoComplete="current-password"
          visibilityToggleButtonProps={{ 'aria-label': t('password.show'), tabIndex: 0 }}
          name="password"
          error={missing.password && t('password.missing')}
        />
        <Button type="submit" fullWidth loading={running}>
          {t('submit')}
        </Button>
        <Anchor component={Link} to="/forgot-password" size="sm" ta="center">
          {t('forgot')}
        </Anchor>
      </Stack>
    </form>
  )
}
