import { Radio, Stack, TextInput } from '@mantine/core'
import { isEmail, useForm } from '@mantine/form'
import { useAction } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { inviteMember } from './queries.ts'
import { useText } from './text.ts'

export function InviteDialog({ onClose }: { readonly onClose: () => void }) {
  const { t } = useText()
  const team = useTeam()
  const form = useForm<{ email: string; role: 'editor' | 'viewer' }>({
    initialValues: { email: '', role: 'viewer' },
    validate: { email: isEmail(t('email.wrong')) },
  })
  const invite = useAction(inviteMember, { form, success: t('invited', { email: form.getValues().email }) })
  return (
    <FormModal
      title={t('invite.title', { team: team.name })}
      action={t('invite.send')}
      running={invite.running}
      fault={invite.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ email, role }) => {
        if (await invite.run({ team_id: team.id, email: email.trim(), role })) onClose()
      })}
    >
      <TextInput
        label={t('email')}
        type="email"
        required
        data-autofocus
        autoComplete="off"
        {...form.getInputProps('email')}
      />
      <Radio.Group label={t('invite.role')} {...form.getInputProps('role')}>
        <Stack gap="xs" mt={6}>
          <Radio value="viewer" label={t('role.viewer')} description={t('role.viewerText')} />
          <Radio value="editor" label={t('role.editor')} description={t('role.editorText')} />
        </Stack>
      </Radio.Group>
    </FormModal>
  )
}
