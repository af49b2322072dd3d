import { Checkbox, Stack, Text } from '@mantine/core'
import { useForm } from '@mantine/form'
import { useState } from 'react'
import { useAction } from '../../api/hooks.ts'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { configOf, rowsOf } from '../../kit/variables.ts'
import { VariablesInput } from '../../kit/variables-input.tsx'
import { type DestinationRow, type FlowFacts, removeDestination, setDestinationConfig } from './queries.ts'
import { useText } from './text.ts'

export interface DestinationDialogProps {
  readonly row: DestinationRow
  readonly onClose: () => void
}

export function VariablesDialog({ row, onClose }: DestinationDialogProps) {
  const { t } = useText()
  const form = useForm({ initialValues: { config: rowsOf(row.config) } })
  const save = useAction(setDestinationConfig, { form, success: t('variables.saved') })
  return (
    <FormModal
      title={t('variables.title', { name: row.integration?.name ?? '' })}
      action={t('save')}
      running={save.running}
      fault={save.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ config }) => {
        if (await save.run({ id: row.id, config: configOf(config) })) onClose()
      })}
    >
      <VariablesInput label={t('variables')} description={t('variables.hint')} {...form.getInputProps('config')} />
    </FormModal>
  )
}

/** Ends a destination; what past sessions opened stays, unless the person wants it closed as well. */
export function RemoveDialog({ row, flow, onClose }: DestinationDialogProps & { readonly flow: FlowFacts }) {
  const { t } = useText()
  const name = row.integration?.name ?? ''
  const [withdraw, setWithdraw] = useState(false)
  const remove = useAction(removeDestination, {
    success: ({ remove_destination: { grants } }) =>
      withdraw ? t('remove.withdrawn', { name, count: grants }) : t('remove.done', { name }),
  })
  return (
    <ConfirmDelete
      title={t('remove.title', { name, flow: flow.name })}
      action={t('remove')}
      {...(withdraw ? { name } : {})}
      running={remove.running}
      fault={remove.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await remove.run({ id: row.id, withdraw })) onClose()
      }}
    >
      <Stack gap="sm">
        <Text size="sm">{t('remove.text', { name })}</Text>
        <Checkbox
          label={t('remove.withdraw')}
          description={t('remove.withdrawText', { name })}
          checked={withdraw}
          onChange={(event) => setWithdraw(event.currentTarget.checked)}
        />
      </Stack>
    </ConfirmDelete>
  )
}
