import { Button, PasswordInput, Stack, Text, TextInput } from '@mantine/core'
import { isNotEmpty, useForm } from '@mantine/form'
import { useDisclosure } from '@mantine/hooks'
import { useAction, useLive } from '../../api/hooks.ts'
import { notify } from '../../api/notify.ts'
import { useEntrance } from '../../api/use-entrance.ts'
import { usePerson, useSignIn } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { type Column, DataTable } from '../../kit/data-table.tsx'
import { ErrorAlert } from '../../kit/error-alert.tsx'
import { Loaded } from '../../kit/loaded.tsx'
import { PageHeader } from '../../kit/page-header.tsx'
import { Section } from '../../kit/section.tsx'
import { Time } from '../../kit/time.tsx'
import { deviceOf } from './device.ts'
import { liveSignIns, type SignInRow, updateProfile } from './queries.ts'
import { useText } from './text.ts'

/** A person's own account: name, password, and where they are signed in. */
export function Component() {
  const { t } = useText()
  const { email } = usePerson()
  return (
    <Stack gap="lg" maw={760}>
      <PageHeader title={t('title')} description={email} />
      <Section title={t('name.title')} framed>
        <NameForm />
      </Section>
      <Section title={t('password.title')} framed>
        <PasswordForm />
      </Section>
      <Section title={t('devices.title')}>
        <Devices />
      </Section>
    </Stack>
  )
}

function NameForm() {
  const { t } = useText()
  const person = usePerson()
  const signIn = useSignIn()
  const form = useForm({
    initialValues: { name: person.name },
    validate: { name: isNotEmpty(t('name.missing')) },
  })
  const save = useAction(updateProfile, { form, success: t('name.saved') })
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async (values) => {
        if (await save.run(values)) await signIn.reload()
      })}
    >
      <Stack align="flex-start">
        <ErrorAlert fault={save.fault} />
        <TextInput label={t('name')} autoComplete="name" w="100%" maw={360} {...form.getInputProps('name')} />
        <Button type="submit" variant="default" loading={save.running}>
          {t('name.save')}
        </Button>
      </Stack>
    </form>
  )
}

function PasswordForm() {
  const { t } = useText()
  const { email } = usePerson()
  const signIn = useSignIn()
  const form = useForm({
    initialValues: { old_password: '', new_password: '' },
    validate: {
      old_password: isNotEmpty(t('password.oldMissing')),
      new_password: (value) => (value.length < 10 ? t('password.short') : null),
    },
  })
  const { run, running, fault } = useEntrance(form)
  return (
    <form
      noValidate
      onSubmit={form.onSubmit(async ({ old_password, new_password }) => {
        if (!(await run(() => signIn.changePassword(old_password, new_password)))) return
        form.reset()
        void notify('done', t('password.saved'))
      })}
    >
      <Stack align="flex-start">
        <ErrorAlert fault={fault} />
        {/* Password managers want to know whose password it is. */}
        <input type="hidden" name="username" autoComplete="username" value={email} readOnly />
        <PasswordInput
          label={t('password.old')}
          autoComplete="current-password"
          w="100%"
          maw={360}
          visibilityToggleButtonProps={{ 'aria-label': t('password.show'), tabIndex: 0 }}
          {...form.getInputProps('old_password')}
        />
        <PasswordInput
          label={t('password.new')}
          description={t('password.hint')}
          autoComplete="new-password"
          w="100%"
          maw={360}
          visibilityToggleButtonProps={{ 'aria-label': t('password.show'), tabIndex: 0 }}
          {...form.getInputProps('new_password')}
        />
        <Button type="submit" variant="default" loading={running}>
          {t('password.save')}
        </Button>
      </Stack>
    </form>
  )
}

function Devices() {
  const { t } = useText()
  const { id } = usePerson()
  const signIn = useSignIn()
  const signIns = useLive(liveSignIns, { person: id })
  const [asking, { open, close }] = useDisclosure()
  const everywhere = useEntrance()
  const columns: Column<SignInRow>[] = [
    {
      id: 'device',
      header: t('devices.device'),
      main: true,
      cell: ({ user_agent }) => (
        <span title={user_agent ?? undefined}>{deviceOf(user_agent) ?? t('devices.unknown')}</span>
      ),
    },
    { id: 'address', header: t('devices.address'), cell: ({ address }) => address ?? '–' },
    { id: 'since', header: t('devices.since'), cell: ({ created_at }) => <Time at={created_at} day /> },
    { id: 'used', header: t('devices.used'), cell: ({ last_used_at }) => <Time at={last_used_at} relative /> },
  ]
  return (
    <Stack align="stretch">
      <Loaded of={signIns}>
        {({ sign_ins }) => (
          <DataTable label={t('devices.title')} rows={sign_ins} columns={columns} rowId={(row) => row.id} />
        )}
      </Loaded>
      <Button variant="light" color="red" onClick={open} style={{ alignSelf: 'flex-start' }}>
        {t('everywhere')}
      </Button>
      {asking && (
        <ConfirmDelete
          title={t('everywhere')}
          action={t('everywhere')}
          running={everywhere.running}
          fault={everywhere.fault}
          onClose={close}
          onConfirm={() => void everywhere.run(() => signIn.out({ everywhere: true }))}
        >
          <Text size="sm">{t('everywhere.text')}</Text>
        </ConfirmDelete>
      )}
    </Stack>
  )
}
