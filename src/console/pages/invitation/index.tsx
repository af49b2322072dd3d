import { Anchor, Button, PasswordInput, SegmentedControl, Stack, Text, TextInput } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useState } from 'react'
import { Link, useLocation, useNavigate } from 'react-router'
import { useEntrance } from '../../api/use-entrance.ts'
import { useSignIn, useSignInState } from '../../app/context.tsx'
import { EntranceTitle } from '../../app/entrance.tsx'
import { Loading } from '../../app/messages.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { useText } from './text.ts'

/** Joins a team with the token of a mailed link: as who is signed in, as somebody known, or as somebody new. */
export function Component() {
  const { t } = useText()
  const signIn = useSignIn()
  const state = useSignInState()
  const navigate = useNavigate()
  const [token] = useState(useLocation().hash.slice(1))
  const [who, setWho] = useState<'new' | 'known'>('new')
  const form = useForm({
    initialValues: { name: '', password: '' },
    validate: {
      name: (value) => (who === 'new' && !value.trim() ? t('name.missing') : null),
      password: (value) => (value.length < (who === 'new' ? 10 : 1) ? t(`password.${who}Short`) : null),
    },
  })
  const { run, running, fault } = useEntrance(form)
  const accept = async (name: string | null, password: string | null) => {
    if (await run(() => signIn.withInvitation(token, name, password))) await navigate('/', { replace: true })
  }

  if (state.status === 'starting') return <Loading />
  if (!token) {
    return (
      <Stack>
        <EntranceTitle>{t('incomplete.title')}</EntranceTitle>
        <Text>{t('incomplete.text')}</Text>
        <Anchor component={Link} to="/sign-in">
          {t('signIn')}
        </Anchor>
      </Stack>
    )
  }
  if (state.status === 'in') {
    const { name, email } = state.person
    return (
      <Stack>
        <EntranceTitle>{t('title')}</EntranceTitle>
        <ErrorAlert fault={fault} />
        <Text>{t('self', { name, email })}</Text>
        <Button fullWidth loading={running} onClick={() => void accept(null, null)}>
          {t('submit')}
        </Button>
        <Button variant="default" fullWidth onClick={() => void signIn.out()}>
          {t('other')}
        </Button>
      </Stack>
    )
  }
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(({ name, password }) => void accept(who === 'new' ? name.trim() : null, password))}
    >
      <EntranceTitle>{t('title')}</EntranceTitle>
      <Stack>
        <SegmentedControl
          fullWidth
          aria-label={t('who')}
          value={who}
          onChange={(value) => setWho(value as 'new' | 'known')}
          data={[
            { value: 'new', label: t('who.new') },
            { value: 'known', label: t('who.known') },
          ]}
        />
        <ErrorAlert fault={fault} />
        {who === 'new' && <TextInput label={t('name')} autoComplete="name" {...form.getInputProps('name')} />}
        <PasswordInput
          key={who}
          label={t('password')}
          description={who === 'new' ? t('password.hint') : undefined}
          autoComplete={who === 'new' ? 'new-password' : 'current-password'}
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
