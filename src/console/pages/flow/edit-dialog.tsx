import { TextInput } from '@mantine/core'
import { isNotEmpty, useForm } from '@mantine/form'
import { useAction } from '../../api/hooks.ts'
import { FormModal } from '../../kit/form-modal.tsx'
import { useKitText } from '../../kit/text.ts'
import { type FlowFacts, updateFlow } from './queries.ts'
import { useText } from './text.ts'

export interface FlowDialogProps {
  readonly flow: FlowFacts
  readonly onClose: () => void
}

export function EditDialog({ flow, onClose }: FlowDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const form = useForm({ initialValues: { name: flow.name }, validate: { name: isNotEmpty(kit('name.missing')) } })
  const update = useAction(updateFlow, { form, success: t('renamed') })
  return (
    <FormModal
      title={t('rename.title', { name: flow.name })}
      action={t('save')}
      running={update.running}
      fault={update.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ name }) => {
        if (await update.run({ id: flow.id, set: { name: name.trim() } })) onClose()
      })}
    >
      <TextInput
        label={t('name')}
        description={t('rename.hint', { slug: flow.slug })}
        required
        autoComplete="off"
        data-autofocus
        {...form.getInputProps('name')}
      />
    </FormModal>
  )
}
