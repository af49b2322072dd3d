import { Button, Select, Text, Textarea, TextInput } from '@mantine/core'
import { isNotEmpty, useForm } from '@mantine/form'
import { Link } from 'react-router'
import { useAction, useRead } from '../../api/hooks.ts'
import { useTeam } from '../../app/context.tsx'
import { ConfirmDelete } from '../../kit/confirm-delete.tsx'
import { FormModal } from '../../kit/form-modal.tsx'
import { useKitText } from '../../kit/text.ts'
import { addDestination } from '../flow/queries.ts'
import { flowsToAdd, type IntegrationFacts, updateIntegration } from './queries.ts'
import { useText } from './text.ts'

export interface IntegrationDialogProps {
  readonly integration: IntegrationFacts
  readonly onClose: () => void
}

export function EditDialog({ integration, onClose }: IntegrationDialogProps) {
  const { t } = useText()
  const { t: kit } = useKitText()
  const form = useForm({
    initialValues: { name: integration.name, description: integration.description ?? '' },
    validate: { name: isNotEmpty(kit('name.missing')) },
  })
  const update = useAction(updateIntegration, { form, success: t('saved') })
  return (
    <FormModal
      title={t('edit.title', { name: integration.name })}
      action={t('save')}
      running={update.running}
      fault={update.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ name, description }) => {
        const set = { name: name.trim(), description: description.trim() || null }
        if (await update.run({ id: integration.id, set })) onClose()
      })}
    >
      <TextInput label={t('name')} required autoComplete="off" data-autofocus {...form.getInputProps('name')} />
      <Textarea
        label={t('about')}
        description={t('about.hint')}
        autosize
        minRows={2}
        maxRows={6}
        {...form.getInputProps('description')}
      />
    </FormModal>
  )
}

/** Says what stops. It can be undone, so the name need not be typed. */
export function DisableDialog({ integration, onClose }: IntegrationDialogProps) {
  const { t } = useText()
  const update = useAction(updateIntegration, { success: t('disable.done', { name: integration.name }) })
  return (
    <ConfirmDelete
      title={t('disable.title', { name: integration.name })}
      action={t('disable')}
      running={update.running}
      fault={update.fault}
      onClose={onClose}
      onConfirm={async () => {
        if (await update.run({ id: integration.id, set: { status: 'disabled' } })) onClose()
      }}
    >
      {t('disable.text')}
    </ConfirmDelete>
  )
}

/** Chooses a flow whose sessions go to this integration. */
export function AddFlowDialog({ integration, onClose }: IntegrationDialogProps) {
  const { t } = useText()
  const team = useTeam()
  const flows = useRead(flowsToAdd, { team: team.id, integration: integration.id })
  const form = useForm({ initialValues: { flow_id: '' }, validate: { flow_id: isNotEmpty(t('addFlow.missing')) } })
  const add = useAction(addDestination, { form, success: t('addFlow.done') })
  const none = flows.data?.flows.length === 0
  return (
    <FormModal
      title={t('addFlow.title', { name: integration.name })}
      action={t('addFlow')}
      running={add.running}
      fault={add.fault ?? flows.fault}
      onClose={onClose}
      onSubmit={form.onSubmit(async ({ flow_id }) => {
        if (await add.run({ object: { flow_id, integration_id: integration.id, config: {} } })) onClose()
      })}
    >
      <Text size="sm">{t('addFlow.text')}</Text>
      {none ? (
        <>
          <Text size="sm">{t('addFlow.none')}</Text>
          <Button component={Link} to="/flows" variant="default">
            {t('addFlow.create')}
          </Button>
        </>
      ) : (
        <Select
          label={t('addFlow.flow')}
          placeholder={t('addFlow.choose')}
          data={(flows.data?.flows ?? []).map(({ id, name }) => ({ value: id, label: name }))}
          searchable
          required
          {...form.getInputProps('flow_id')}
        />
      )}
    </FormModal>
  )
}
