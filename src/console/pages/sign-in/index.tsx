import { Alert, Anchor, Button, PasswordInput, Stack, TextInput } from '@mantine/core'
import { isEmail, isNotEmpty, useForm } from '@mantine/form'
import { Link, Navigate, useLocation } from 'react-router'
import { useEntrance } from '../../api/use-entrance.ts'
import { useSignIn, useSignInState } from '../../app/context.tsx'
import { EntranceTitle } from '../../app/entrance.tsx'
import { Loading } from '../../app/messages.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { useText } from './text.ts'

/** Signs in, and goes to where the person wanted to be. */
export function Component() {
  const { t } = useText()
  const signIn = useSignIn()
  const state = useSignInState()
  const location = useLocation()
  const { from = '/', reason } = (location.state ?? {}) as { from?: string; reason?: string }
  const form = useForm({
    initialValues: { email: '', password: '' },
    validate: { email: isEmail(t('email.wrong')), password: isNotEmpty(t('password.missing')) },
  })
  const { run, running, fault } = useEntrance(form)
  if (state.status === 'starting') return <Loading />
  if (state.status === 'in') return <Navigate to={from} replace />
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(({ email, password }) => void run(() => signIn.withPassword(email.trim(), password)))}
    >
      <EntranceTitle>{t('title')}</EntranceTitle>
      <Stack>
        {reason && !fault && <Alert color="yellow">{reason}</Alert>}
        <ErrorAlert fault={fault} />
        <TextInput label={t('email')} type="email" autoComplete="username" autoFocus {...form.getInputProps('email')} />
        <PasswordInput
          label={t('password')}
          autoComplete="current-password"
          visibilityToggleButtonProps={{ 'aria-label': t('password.show'), tabIndex: 0 }}
          {...form.getInputProps('password')}
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
