import { Anchor, Button, Stack, Text, TextInput } from '@mantine/core'
import { isEmail, useForm } from '@mantine/form'
import { useState } from 'react'
import { Link } from 'react-router'
import { post } from '../../api/post.ts'
import { useEntrance } from '../../api/use-entrance.ts'
import { EntranceTitle } from '../../app/entrance.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { requestReset } from './queries.ts'
import { useText } from './text.ts'

/** Asks for a link by mail. The answer is the same whether somebody has the address or not. */
export function Component() {
  const { t } = useText()
  const [sentTo, setSentTo] = useState<string>()
  const form = useForm({ initialValues: { email: '' }, validate: { email: isEmail(t('email.wrong')) } })
  const { run, running, fault } = useEntrance(form)
  const back = (
    <Anchor component={Link} to="/sign-in" size="sm" ta="center">
      {t('back')}
    </Anchor>
  )
  if (sentTo) {
    return (
      <Stack role="status">
        <EntranceTitle>{t('sent.title')}</EntranceTitle>
        <Text>{t('sent.text', { email: sentTo })}</Text>
        {back}
      </Stack>
    )
  }
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async ({ email }) => {
        if (await run(() => post(requestReset, { email: email.trim() }))) setSentTo(email.trim())
      })}
    >
      <EntranceTitle>{t('title')}</EntranceTitle>
      <Stack>
        <Text size="sm" c="dimmed">
          {t('text')}
        </Text>
        <ErrorAlert fault={fault} />
        <TextInput label={t('email')} type="email" autoComplete="username" autoFocus {...form.getInputProps('email')} />
        <Button type="submit" fullWidth loading={running}>
          {t('submit')}
        </Button>
        {back}
      </Stack>
    </form>
  )
}
