import { Anchor, Button, PasswordInput, Stack, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useState } from 'react'
import { Link, useLocation, useNavigate } from 'react-router'
import { useEntrance } from '../../api/use-entrance.ts'
import { useSignIn } from '../../app/context.tsx'
import { EntranceTitle } from '../../app/entrance.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { useText } from './text.ts'

/** Chooses a new password with the token of a mailed link, which is in the address's fragment: no server log has it. */
export function Component() {
  const { t } = useText()
  const signIn = useSignIn()
  const navigate = useNavigate()
  const [token] = useState(useLocation().hash.slice(1))
  const form = useForm({
    initialValues: { password: '' },
    validate: { password: (value) => (value.length < 10 ? t('password.short') : null) },
  })
  const { run, running, fault } = useEntrance(form)
  if (!token) {
    return (
      <Stack>
        <EntranceTitle>{t('incomplete.title')}</EntranceTitle>
        <Text>{t('incomplete.text')}</Text>
        <Anchor component={Link} to="/forgot-password">
          {t('incomplete.again')}
        </Anchor>
      </Stack>
    )
  }
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async ({ password }) => {
        if (await run(() => signIn.withReset(token, password))) await navigate('/', { replace: true })
      })}
    >
      <EntranceTitle>{t('title')}</EntranceTitle>
      <Stack>
        <Text size="sm" c="dimmed">
          {t('text')}
        </Text>
        <ErrorAlert fault={fault} />
        {fault && (
          <Anchor component={Link} to="/forgot-password" size="sm">
            {t('incomplete.again')}
          </Anchor>
        )}
        <PasswordInput
          label={t('password')}
          description={t('password.hint')}
          autoComplete="new-password"
          autoFocus
          visibilityToggleButtonProps={{ 'aria-label': t('password.show'), tabIndex: 0 }}
          {...form.getInputProps('password')}
        />
        <Button type="submit" fullWidth loading={running}>
          {t('submit')}
        </Button>
      </Stack>
    </form>
  )
}
